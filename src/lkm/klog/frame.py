# SPDX-License-Identifier: MIT
"""Places in code as the kernel prints them: `%pS`, `%pB` and bare addresses, in the shapes of its ages.

Sources: lib/vsprintf.c symbol_string, kernel/kallsyms.c __sprint_symbol, arch/x86/kernel/dumpstack.c
printk_stack_address, arch/arm64/kernel/stacktrace.c dump_backtrace_entry.
"""

from __future__ import annotations

import re

from lkm.klog.report import Frame

# `symbol+0x15/0x40 [hello 0123456789abcdef]`: a module's build id, with CONFIG_STACKTRACE_BUILD_ID.
SYMBOL = (
    r"[A-Za-z_.$][\w.$]*\+0x[0-9a-f]{1,16}/0x[0-9a-f]{1,16}"
    r"(?:\s?\[[\w.-]{1,64}(?:\s[0-9a-f]{8,64})?\])?"
)
ADDRESS = r"0x[0-9a-f]{1,16}"
PLACE = rf"(?:{SYMBOL}|{ADDRESS})"

_PARTS = re.compile(
    r"(?P<symbol>[A-Za-z_.$][\w.$]*)\+0x(?P<offset>[0-9a-f]{1,16})/0x(?P<size>[0-9a-f]{1,16})"
    r"(?:\s?\[(?P<module>[\w.-]{1,64})(?:\s[0-9a-f]{8,64})?\])?"
)
# A line of a trace.  Before 4.10 x86 printed `[<address>] symbol`, arm64 did until 4.13, kmemleak does still;
# since 6.13 arm64 adds where it found the frame, as `(P)`.
_LINE = re.compile(
    r"(?:<<?[A-Z]{2,8}>>?\s+)?"  # once ` <IRQ>  [<ffffffff8106c2f7>] symbol`
    r"(?:\[<(?P<address>[0-9a-f]{4,16})>\]\s?)?"
    r"(?P<unreliable>\?\s)?"
    rf"(?:{_PARTS.pattern}|(?P<bare>{ADDRESS}))?"
    r"(?:\s\([A-Za-z]{1,4}\))?"
)


def parse_place(text: str) -> Frame | None:
    """`symbol+0x15/0x40 [hello]` or `0xffffffffc0201000`; None where `text` is neither."""
    match = _PARTS.match(text)
    if match is not None:
        return Frame(match["symbol"], int(match["offset"], 16), int(match["size"], 16), match["module"] or "")
    if re.fullmatch(ADDRESS, text):
        return Frame("", address=int(text, 16))
    return None


def parse_frame(line: str) -> Frame | None:
    """One line of a stack trace, without white space around it; None where it is something else."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    at, unreliable, symbol, offset, size, module, bare = match.groups()
    address = int(at, 16) if at else None
    if symbol:
        return Frame(symbol, int(offset, 16), int(size, 16), module or "", unreliable is None, address)
    if bare:
        address = int(bare, 16)
    return Frame("", reliable=unreliable is None, address=address) if address is not None else None
