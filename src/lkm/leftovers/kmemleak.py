# SPDX-License-Identifier: MIT
"""Memory that nobody refers to any more, where the kernel looks for it itself (CONFIG_DEBUG_KMEMLEAK).

Documentation/dev-tools/kmemleak.rst; mm/kmemleak.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lkm.errors import BadInputError

if TYPE_CHECKING:
    from lkm.guest import Guest

_FILE = "/sys/kernel/debug/kmemleak"
_AGE = 5.5  # seconds; what is younger than five is not told (MSECS_MIN_AGE)
_HEAD = re.compile(r"unreferenced object 0x[0-9a-f]+ \(size (\d+)\)")
_FRAME = re.compile(r"^ {4}(?:\[<[^>]*>\] )?(\S+)$")


@dataclass(frozen=True, slots=True)
class Lost:
    """One object: bytes, and who allocated it, innermost first."""

    size: int
    frames: tuple[str, ...]


def has_kmemleak(guest: Guest) -> bool:
    """Whether the guest's kernel looks for such memory; what it found so far is forgotten then."""
    try:
        guest.copy_out(_FILE)
    except BadInputError:
        return False
    return _order(guest, "clear")


def find_lost(guest: Guest, wait: Callable[[float], object]) -> list[Lost]:
    """What nobody refers to; two scans, since what was just changed counts only in the second."""
    wait(_AGE)
    _order(guest, "scan")
    _order(guest, "scan")
    with suppress(BadInputError):
        return parse_kmemleak(guest.copy_out(_FILE).decode("utf-8", "replace"))
    return []


def parse_kmemleak(text: str) -> list[Lost]:
    """The file `kmemleak`."""
    found: list[Lost] = []
    for block in text.split("unreferenced object")[1:]:
        match = _HEAD.match("unreferenced object" + block)
        frames = block.partition("backtrace")[2].splitlines()[1:]
        if match:
            names = [frame[1] for line in frames if (frame := _FRAME.match(line))]
            found.append(Lost(int(match[1]), tuple(names)))
    return found


def _order(guest: Guest, word: str) -> bool:
    try:
        guest.copy_in(word.encode(), _FILE)
    except BadInputError:
        return False
    return True
