# SPDX-License-Identifier: MIT
"""What is left of a report whose beginning a log has not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lkm.klog.record import Record

# kernel/panic.c, print_oops_end_marker() and panic(); x86 (0010: the kernel's own code), arm64 __show_regs().
_END = re.compile(r"-{3}\[ end (?:trace|Kernel panic)\b")
_AT = re.compile(r"(?:RIP: 0010:|pc : )((?!0x)\S+\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[\w+\])?)")


def find_remains(records: Iterable[Record]) -> str | None:
    """Where the processor was, in a log without a report, of one whose beginning is missing.

    As the kernel prints it: `show+0x15/0x40 [hello]`; "" where only its end is there, None for no report at
    all.  A report's end or its registers come after its beginning, so where they are one was cut off.
    """
    found = None
    for record in records:
        if at := _AT.search(record.text):
            return at[1]
        if _END.search(record.text):
            found = ""
    return found
