# SPDX-License-Identifier: MIT
"""What a kernel will check a module against: all of it values, read once and kept (`lkm.verdict.probe`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lkm.kernel import Kernel
from lkm.module.verify import Certificate
from lkm.verdict.message import Messages

# x86_64 and those like it; e_machine (include/uapi/linux/elf-em.h) and bits of a long.
MACHINES = {
    "x86_64": (62, 64),
    "i686": (3, 32),
    "aarch64": (183, 64),
    "armv7l": (40, 32),
    "riscv64": (243, 64),
    "ppc64le": (21, 64),
    "loongarch64": (258, 64),
}
KERNEL = "kernel"  # module_name() of no module: what the kernel calls itself as an owner


class Offer(NamedTuple):
    """An exported symbol: `owner` is a module's name, "" for the kernel itself; `crc` None without one."""

    owner: str
    crc: int | None
    gpl_only: bool
    namespace: str


@dataclass(frozen=True, slots=True)
class Ground:
    """A kernel as a module loader.

    None anywhere: not known from what is at hand.  `struct_size`: bytes of `struct module`.  `options`: of
    the configuration, CONFIG_ left out; only those that are known.  `exports`: the kernel's own.
    `module_exports`: of each symbol that a module of its directory exports, the modules that do.
    `needs`: for each module of the directory, what to load before it, in order.  `in_sysfs`: built-in
    modules that have a directory in /sys/module.  `certificates`: the keys built in; `raw_certificates`: the
    same in DER.  `types`: (bytes of the header, bytes of names) of its BTF.
    """

    kernel: Kernel
    machine: int | None
    bits: int
    version: tuple[int, int]
    messages: Messages
    vermagic: str | None
    struct_size: int | None
    options: Mapping[str, bool]
    exports: Mapping[str, Offer] | None
    module_exports: Mapping[str, tuple[Offer, ...]]
    needs: Mapping[str, tuple[str, ...]]
    in_sysfs: frozenset[str] | None
    certificates: tuple[Certificate, ...] | None
    types: tuple[int, int] | None
    debian: bool
    raw_certificates: tuple[bytes, ...] = ()
    built_in: frozenset[str] = field(default=frozenset())

    def option(self, name: str) -> bool | None:
        """Whether an option is on."""
        return self.options.get(name)

    @property
    def name(self) -> str:
        """What `--kernel` takes."""
        return self.kernel.name
