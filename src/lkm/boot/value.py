# SPDX-License-Identifier: MIT
"""What a boot was: its phases, the functions it called, the memory it gave back."""

from __future__ import annotations

from dataclasses import dataclass

from lkm.guest.value import Ending
from lkm.klog import Record


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a boot.

    `start`, `end`: seconds since the machine was switched on, by the host's clock.  `name`: a short word
    (`decompress`, `device`).  `title`, `what`: for a person.  `begins`: the function or place in the kernel
    at whose first instruction it starts.  `aside`: it goes on beside the others, and is in none of them.
    """

    name: str
    start: float
    end: float
    what: str
    title: str = ""
    begins: str = ""
    aside: bool = False

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Initcall:
    """A function that the kernel called once as it came up.

    `level`: `early`, `pure` … `late`, `console`; "" where the kernel's image does not say.  `start`: seconds
    by the kernel's clock as it was called; `seconds`: until it returned, by the host's.  `result`: what it
    returned, None where it did not.  `module`: the module or source file it is built from (KBUILD_MODNAME),
    `line` the line of its `…_initcall()` there (0: not known); `source`: the file in the kernel's tree, or
    the path of the built-in module, "" where nothing at hand says it.
    """

    name: str
    level: str
    start: float
    seconds: float
    result: int | None = None
    module: str = ""
    line: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Freed:
    """Memory given back, in the kernel's own words (`Freeing … memory: 2612K`).

    `bytes` is a multiple of 1024; `seconds`: when, by the kernel's clock.
    """

    what: str
    bytes: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Image:
    """The kernel image that was booted: `format` its packing (`zstd`, `xz`, …, "" for a vmlinux).

    `packed`, `unpacked`: bytes, 0 where not known.  `init_code`, `init_data`: bytes between the kernel's own
    marks around what is `__init`, 0 where there is no symbol map.
    """

    path: str
    format: str
    size: int
    packed: int = 0
    unpacked: int = 0
    init_code: int = 0
    init_data: int = 0


@dataclass(frozen=True, slots=True)
class Boot:
    """One kernel's way from power-on to the first process that answers.

    `phases`: in order, without gaps but for those `aside`; of a boot without `initcall_debug`.  `initcalls`:
    in the order of their calls, of a second boot with it, which took `debug_total` seconds (0.0: there was
    none).  `total`: seconds to READY, and `plain_total` those of a third boot of which only that was taken.
    `clock`: when the kernel's own clock began (its printk times count from there), by the host's, and
    `clock_rate` how many seconds each of its seconds took, where known.  `log`: of the first boot.
    `firmware`: what the firmware calls itself.  `ending`: None for a kernel that came up; else how it ended,
    `reached` naming the last phase begun and `last_call` an initcall that did not return.  `unknown`: what
    could not be found out, a sentence each.
    """

    kernel: str
    release: str
    image: Image
    machine: str
    command_line: str
    phases: tuple[Phase, ...]
    initcalls: tuple[Initcall, ...]
    freed: tuple[Freed, ...]
    log: tuple[Record, ...]
    total: float
    debug_total: float = 0.0
    plain_total: float = 0.0
    clock: float | None = None
    clock_rate: float | None = None
    firmware: str = ""
    ending: Ending | None = None
    reached: str = ""
    last_call: str = ""
    unknown: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it came up."""
        return self.ending is None
