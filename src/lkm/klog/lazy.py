# SPDX-License-Identifier: MIT
"""Regular expressions that are compiled when they are first used."""

from __future__ import annotations

import re
from collections.abc import Callable

_Match = Callable[[str], "re.Match[str] | None"]


class LazyPattern:
    """Like `re.Pattern`, with `pattern`, `match`, `fullmatch` and `search`.

    The tables of reports hold two hundred; compiling all takes 50 ms, and a log needs few.
    """

    __slots__ = ("fullmatch", "match", "pattern", "search")
    match: _Match
    fullmatch: _Match
    search: _Match

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __getattr__(self, name: str) -> _Match:
        if name not in self.__slots__:
            raise AttributeError(name)
        made = re.compile(self.pattern)
        self.match, self.fullmatch, self.search = made.match, made.fullmatch, made.search
        return getattr(self, name)  # type: ignore[no-any-return]
