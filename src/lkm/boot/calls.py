# SPDX-License-Identifier: MIT
"""What a kernel's log says of its boot: the initcalls (`initcall_debug`), and the memory given back.

Source: init/main.c (trace_initcall_start_cb, trace_initcall_finish_cb), mm/page_alloc.c (free_reserved_area),
arch/x86/mm/init.c (free_init_pages).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import gcd

from lkm.boot.points import Entry
from lkm.boot.stages import CONSOLE
from lkm.boot.value import Freed, Initcall
from lkm.klog import Record

# `%pS`: a name with its offset and size, or the address without CONFIG_KALLSYMS; a module's has `[name]`.
_CALLING = re.compile(r"calling  (?:([^\s+]+)\+0x0/0x[0-9a-f]+|0x([0-9a-f]+)|([0-9a-f]{16})) @ (\d+)$")
_RETURNED = re.compile(
    r"initcall (?:([^\s+]+)\+0x0/0x[0-9a-f]+|0x([0-9a-f]+)|([0-9a-f]{16})) returned (-?\d+) after \d+ usecs"
)
_FREEING = re.compile(r"Freeing (.{1,80}?) memory: (\d{1,12})K\b")
# Seconds: a clock that goes in steps as long as this counts the kernel's ticks, of 1 to 10 ms.
TICK = 0.001
_NOBODY = "0"  # the process that calls console_initcall() functions, before there are others


def parse_initcalls(
    records: Iterable[Record], entries: Sequence[Entry] = (), *, rate: float = 1.0
) -> list[Initcall]:
    """The functions called, in order; `entries` say the level and origin of each, in the same order.

    `rate`: seconds of the host's that each of the kernel's took.

    Times are the differences of the kernel's own time stamps of the two lines: the `after N usecs` that the
    second one says counts in ticks (4 ms) until the kernel has chosen a clock.
    """
    found: list[Initcall] = []
    waiting: dict[str, int] = {}
    table = _Table(entries)
    for record in records:
        if match := _CALLING.match(record.text):
            key = match[1] or (match[2] or match[3]).lstrip("0")
            is_console = match[4] == _NOBODY
            address = int(match[2] or match[3] or "0", 16)
            is_listed = not is_console or table.has_console
            entry = table.find(match[1] or "", address) if is_listed else None
            level = entry.level if entry is not None else CONSOLE if is_console else ""
            name = match[1] or (entry.name if entry is not None else f"0x{key}")
            waiting[key] = len(found)
            module, line = (entry.module, entry.line) if entry is not None else ("", 0)
            found.append(Initcall(name, level, record.seconds, 0.0, None, module, line))
        elif match := _RETURNED.match(record.text):
            index = waiting.pop(match[1] or (match[2] or match[3]).lstrip("0"), None)
            if index is not None:
                one = found[index]
                took = max(record.seconds - one.start, 0.0) * rate
                found[index] = Initcall(
                    one.name, one.level, one.start, took, int(match[4]), one.module, one.line
                )
    return found


class _Table:
    """The entries, gone through as the kernel does: one after the other, each at most once."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self.has_console = any(entry.level == CONSOLE for entry in entries)
        self._next = 0

    def find(self, name: str, address: int) -> Entry | None:
        """The next entry of that name (or address); where there is none, the next one.

        Functions with the same instructions may share an address, and each other's name.
        """
        rest = self._entries[self._next :]
        fit = (
            index
            for index, entry in enumerate(rest)
            if entry.address == address or (name and entry.name == name)
        )
        index = next(fit, 0)
        if not rest:
            return None
        self._next += index + 1
        return rest[index]


def parse_freed(records: Iterable[Record]) -> list[Freed]:
    """The memory that was given back, line by line."""
    found = []
    for record in records:
        if match := _FREEING.match(record.text):
            found.append(Freed(match[1], int(match[2]) << 10, record.seconds))
    return found


def clock_step(initcalls: Iterable[Initcall]) -> float:
    """Seconds by which the kernel's clock moved while they were called: a tick, or next to nothing.

    Without a usable time stamp counter sched_clock() counts ticks (arch/x86/kernel/tsc.c,
    native_sched_clock).
    """
    return gcd(*(round(one.start * 1e6) for one in initcalls)) / 1e6


def last_unreturned(initcalls: Sequence[Initcall]) -> Initcall | None:
    """The function that was called last and has not returned; None where all have."""
    return next((one for one in reversed(initcalls) if one.result is None), None)
