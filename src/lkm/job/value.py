# SPDX-License-Identifier: MIT
"""What a run is asked to do, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.guest import Ending, ExecResult, Guest, Step
from lkm.klog import Record

if TYPE_CHECKING:
    from lkm.decode import Decoded
    from lkm.guest.gdb.debugger import Waiting
    from lkm.kbuild import Built
    from lkm.kernel import Kernel
    from lkm.leftovers.cycles import Cycles
    from lkm.leftovers.value import Leftover


class Outcome(StrEnum):
    """What really happened, the worst first."""

    GUEST_LOST = "guest-lost"
    PANIC = "panic"
    HANG = "hang"
    POWERED_OFF = "powered-off"
    OOPS = "oops"
    BUILD_FAILED = "build-failed"
    LOAD_FAILED = "load-failed"
    EXEC_FAILED = "exec-failed"
    UNLOAD_FAILED = "unload-failed"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with the modules in the guest.

    `command` runs in the guest's shell once all are loaded; `copy` are host files put beside it (programs
    bring their libraries).  `wait`: seconds that timers, work and threads get then.  `session` is given the
    guest then, for a person to look around.  `timeout`: seconds for everything else in the guest.
    `template`: start from the saved guest, not by booting.
    `memory`: MiB.  `cmdline`: words added to the kernel command line.  `gdb`: wait for gdb before each given
    module's init function; the time it is there does not count.  `vscode`: offer it a TCP port as well.
    `cycles`: how often all that is done, 5 at least, counting the memory that is lost; 0: once, not counting.
    """

    command: str | None = None
    copy: tuple[Path, ...] = ()
    wait: float = 0.0
    unload: bool = True
    session: Callable[[Guest], object] | None = None
    timeout: float = 30.0
    template: bool = True
    memory: int = 256
    cpus: int = 1
    cmdline: str = ""
    jobs: int | None = None
    gdb: bool = False
    vscode: bool = False
    cycles: int = 0


@dataclass(frozen=True, slots=True)
class ModuleResult:
    """One module of a run.

    `load` is None where an earlier one failed first, `unload` where it was not tried.  `parameters`:
    name to text, as /sys/module/NAME/parameters shows them after loading (those with a permission).
    """

    name: str
    path: Path
    load: Step | None = None
    unload: Step | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of wall time; `start` is until the guest's agent first answers."""

    build: float = 0.0
    start: float = 0.0
    load: float = 0.0
    unload: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to; `log` holds only what this run caused, in order.

    `left_out`: records missing from the middle of `log`, where there was a flood of them.  `ending`: how
    the guest ended, None where it was still there at the end of the run.  `leftovers`: what is still there
    after unloading, None where that was not or could not be looked at.  Of cycles, `log` has the first, and
    one that went wrong.  `reports`: what the kernel reported (an oops, a warning), at its source lines.
    """

    outcome: Outcome
    kernel: Kernel
    accelerator: str
    modules: tuple[ModuleResult, ...]
    exec: ExecResult | None
    log: tuple[Record, ...]
    timing: Timing
    built: tuple[Built, ...] = ()
    hint: str = ""
    ending: Ending | None = None
    left_out: int = 0
    leftovers: tuple[Leftover, ...] | None = None
    cycles: Cycles | None = None
    reports: tuple[Decoded, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing at all went wrong; what was left behind does not count (`clean`)."""
        return self.outcome is Outcome.OK

    @property
    def clean(self) -> bool:
        """Whether, as far as could be seen, nothing was left behind: no leftovers, no memory that grows, and
        no cycle that was unlike the first."""
        cycles = self.cycles
        return not self.leftovers and (cycles is None or (cycles.done == cycles.asked and not cycles.growths))


class Listener:
    """Told what happens as it happens; does nothing by itself."""

    def built(self, built: Built) -> None:
        """A module source was built, well or not."""

    def booting(self, kernel: Kernel) -> None:
        """There is no saved guest of that kernel yet: it is booted, once, for some seconds."""

    def record(self, record: Record) -> None:
        """The kernel said something."""

    def loaded(self, result: ModuleResult) -> None:
        """A module was loaded or refused."""

    def executed(self, result: ExecResult) -> None:
        """The command ended."""

    def repeating(self, cycles: int) -> None:
        """The first of so many cycles went well; the others are not told one by one."""

    def waiting(self, waiting: Waiting) -> None:
        """The guest waits for gdb; told from a thread."""
