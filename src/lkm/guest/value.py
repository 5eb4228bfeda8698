# SPDX-License-Identifier: MIT
"""What a guest answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lkm.errors import GuestLostError, LkmError
from lkm.klog import Record, log_text


class End(StrEnum):
    """How a guest ended before it was told to."""

    PANIC = "panic"  # the kernel said so
    HANG = "hang"  # no answer within the time limit
    POWERED_OFF = "powered-off"  # it switched itself off, restarted, halted, or its processor gave up
    GUEST_LOST = "guest-lost"  # QEMU ended or was killed


class Detail(StrEnum):
    """In which way a guest ended, as far as that is certain."""

    NONE = ""
    # of a hang
    LOOPING = "looping"  # it runs without end, and can be interrupted
    INTERRUPTS_OFF = "interrupts-off"  # it runs without end, or halted, with interrupts off
    LOCK = "lock"  # it waits for a lock
    ASLEEP = "asleep"  # it sleeps, and nothing woke it
    FLOOD = "flood"  # it prints without end
    # of a panic
    OOPS = "oops"  # an oops that the kernel could not survive: in an interrupt, or panic_on_oops
    OUT_OF_MEMORY = "out-of-memory"
    # of a machine that is off
    OFF = "off"  # it was switched off
    RESTARTED = "restarted"
    HALTED = "halted"  # it was halted and left on
    TRIPLE_FAULT = "triple-fault"  # its processor met a third fault as it handled a fault, and gave up
    RESET = "reset"  # restarted or triple fault: with KVM nobody can tell


@dataclass(frozen=True, slots=True)
class Ending:
    """How a guest ended, before it was told to.

    `where`: the code it was in, as the kernel prints it (`hello_init+0x15/0x40 [hello]`), "" where nothing
    says so.  `context`: what ran it: `init`, `exit`, `timer`, `tasklet`, `softirq`, `interrupt`, `work`,
    `thread`, `system call`, or "".  `words`: what the kernel (its panic) or QEMU said of the end.
    """

    end: End
    detail: Detail = Detail.NONE
    where: str = ""
    context: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One load or unload: `errno` 0 where it is `ok`, `error` its text, `seconds` in the guest's kernel.

    A call whose process an oops killed is not `ok`, with `errno` 0 and the error `killed by an oops`.
    """

    ok: bool
    errno: int = 0
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ExecResult:
    """A command's end: `status` as a shell counts it (128 + signal), what it wrote, `seconds` it took.

    `stdout` and `stderr` are text (invalid UTF-8 replaced); the bytes are in `raw_stdout`, `raw_stderr`.
    """

    status: int
    raw_stdout: bytes
    raw_stderr: bytes
    seconds: float

    @property
    def stdout(self) -> str:
        """Standard output as text."""
        return self.raw_stdout.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """Standard error as text."""
        return self.raw_stderr.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Log:
    """Kernel log records, oldest first."""

    records: tuple[Record, ...] = ()

    @property
    def text(self) -> str:
        """The messages alone, a line each."""
        return log_text(self.records)


@dataclass(frozen=True, slots=True)
class LoadedModule:
    """A line of /proc/modules: `size` in bytes; `state` is Live, Loading or Unloading.

    `parameters`: name to value as sysfs gives it; those that nobody may read are left out.
    """

    name: str
    size: int
    refcount: int
    used_by: tuple[str, ...]
    state: str
    parameters: Mapping[str, str]


class GuestEnded(GuestLostError):  # noqa: N818 - the name says what happened; it is caught as a result
    """The guest ended, or stopped answering, while something was asked of it.

    `ending` is how; `records` are its last words: what its console showed and the agent could not report.
    """

    def __init__(self, ending: Ending, records: tuple[Record, ...] = ()) -> None:
        what = {
            End.PANIC: "the guest's kernel panicked",
            End.HANG: "the guest stopped answering",
            End.POWERED_OFF: "the guest switched itself off",
            End.GUEST_LOST: "the guest was lost",
        }[ending.end]
        parts = [what, ending.detail.value, ending.where, ending.words]
        super().__init__(": ".join(filter(None, parts)))
        self.ending = ending
        self.records = records

    @property
    def end(self) -> End:
        """What sort of end it was."""
        return self.ending.end


class LoadError(LkmError):
    """A module was refused; `step` has the errno, `log` what the kernel said."""

    def __init__(self, name: str, step: Step, log: Log) -> None:
        said = "".join(f"\n  {record.text}" for record in log.records[-5:])
        super().__init__(f"{name} was not loaded: {step.error}{said}")
        self.step = step
        self.log = log
