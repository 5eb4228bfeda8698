# SPDX-License-Identifier: MIT
"""What was found out about a report before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass

from lkm.decode.disassemble import Disassembly
from lkm.decode.pointer import Followed
from lkm.decode.value import SourceLine, Walk
from lkm.klog.report import Report

_NONE = Disassembly(())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about a report before it is put into words.

    `line`: the text of the source line of `place`.  `inside`: the function of the kernel's that was at work
    when it happened, called from `place`; "" where the module's own code was.  `base`: the value of the
    register that was followed.  `divisor`, `called`: as the source writes them, "" where not known.
    """

    report: Report
    place: SourceLine | None = None
    line: str = ""
    inside: str = ""
    walks: tuple[Walk, ...] = ()
    disassembly: Disassembly = _NONE
    followed: Followed | None = None
    base: int | None = None
    divisor: str = ""
    called: str = ""
