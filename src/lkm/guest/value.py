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
    POWERED_OFF = "powered-off"  # it switched itself off, or restarted
    GUEST_LOST = "guest-lost"  # QEMU ended or was killed


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

    `end` is how; `records` are its last words: what its console showed and the agent could not report.
    """

    def __init__(self, end: End, records: tuple[Record, ...] = (), detail: str = "") -> None:
        what = {
            End.PANIC: "the guest's kernel panicked",
            End.HANG: "the guest stopped answering",
            End.POWERED_OFF: "the guest switched itself off",
            End.GUEST_LOST: "the guest was lost",
        }[end]
        super().__init__(f"{what}: {detail}" if detail else what)
        self.end = end
        self.records = records


class LoadError(LkmError):
    """A module was refused; `step` has the errno, `log` what the kernel said."""

    def __init__(self, name: str, step: Step, log: Log) -> None:
        said = "".join(f"\n  {record.text}" for record in log.records[-5:])
        super().__init__(f"{name} was not loaded: {step.error}{said}")
        self.step = step
        self.log = log
