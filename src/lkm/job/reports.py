# SPDX-License-Identifier: MIT
"""What the kernel reported in a run, decoded; what reads reports is imported only where there may be one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.klog import Record

if TYPE_CHECKING:
    from lkm.decode import Decoded
    from lkm.kernel import Kernel

_WARNING = 4
# Words that reports begin with or hold, one of them at least (see lkm.klog.kinds).
_SIGNS = (
    "BUG", "Call Trace", "Call trace", "Oops", "WARNING", "INFO: ", "UBSAN", "Unable to handle", "panic",
    "unreferenced object", "kmemleak", "oom-killer", "allocation failure", "already",
    "cannot create duplicate", "unregister_netdevice", "detected", "lockup", "corruption", "fault",
    "divide error", "no answer", "NMI", "nobody cared", "removing non-empty",
)  # fmt: skip


def may_report(log: Sequence[Record]) -> bool:
    """Whether there may be a report in a log: most have none, and what reads them is not imported then."""
    return any(record.level <= _WARNING and any(sign in record.text for sign in _SIGNS) for record in log)


def has_report(log: Sequence[Record]) -> bool:
    """Whether the kernel reported anything."""
    if not may_report(log):
        return False
    from lkm.klog import find_reports as find

    return bool(find(log))


def find_reports(log: Sequence[Record], *, modules: Sequence[Path], kernel: Kernel) -> tuple[Decoded, ...]:
    """The reports in the log of a run, decoded with the files that were loaded."""
    if not may_report(log):
        return ()
    from lkm.decode import decode_log
    from lkm.errors import LkmError

    try:
        return decode_log(log, modules=modules, kernel=kernel)
    except LkmError:
        return decode_log(log)  # a module's file that cannot be read; the report is told all the same
