# SPDX-License-Identifier: MIT
"""Telling in no time that a line begins no report: only what its first character allows is tried."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from lkm.klog.kinds import STARTS, Start

_LETTERS = [chr(code) for code in range(0x21, 0x7F)]
_RULES = (r"={10}", r"-{8,}\[ cut here \]")


@cache
def first_characters(pattern: str) -> frozenset[str]:
    """The printable ASCII characters that a match of `pattern` may begin with.

    Knows what the tables use: literals, classes, groups and optional groups; anything else allows all.
    """
    if pattern.startswith("(?"):
        end = _closing(pattern)
        inner = re.sub(r"^\(\?(?::|P<\w+>)", "", pattern[:end])
        found = frozenset().union(*(first_characters(one) for one in _alternatives(inner)))
        rest = pattern[end + 1 :]
        return found | first_characters(rest[1:]) if rest.startswith("?") else found
    if pattern.startswith("["):
        end = pattern.index("]", 2)
        return frozenset(letter for letter in _LETTERS if re.match(pattern[: end + 1], letter))
    if match := re.match(r"\\([^\w])|([\w \"=-])", pattern):
        return frozenset(match[1] or match[2])
    return frozenset(_LETTERS)


def _closing(pattern: str) -> int:
    depth = 0
    for index, character, in_class in _walk(pattern):
        if not in_class:
            depth += (character == "(") - (character == ")")
            if depth == 0:
                return index
    return len(pattern)


def _alternatives(pattern: str) -> list[str]:
    found, depth, begin = [], 0, 0
    for index, character, in_class in _walk(pattern):
        if in_class:
            continue
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            found.append(pattern[begin:index])
            begin = index + 1
    return [*found, pattern[begin:]]


def _walk(pattern: str) -> list[tuple[int, str, bool]]:
    """Characters that are no escapes, and whether they stand in a class."""
    found, in_class, index = [], False, 0
    while index < len(pattern):
        character = pattern[index]
        if character == "\\":
            index += 2
            continue
        if character == "[":
            in_class = True
        found.append((index, character, in_class))
        if character == "]":
            in_class = False
        index += 1
    return found


def _by_first() -> dict[str, tuple[Start, ...]]:
    allowed: dict[str, list[Start]] = {letter: [] for letter in _LETTERS}
    for start in STARTS:
        for letter in first_characters(start.pattern.pattern):
            allowed.setdefault(letter, []).append(start)
    return {letter: tuple(starts) for letter, starts in allowed.items()}


def _when_met(letter: str) -> Callable[[str], object]:
    """Compiles a letter's pattern when a line begins with it: all of them take 50 ms, and few are met."""

    def match(line: str) -> object:
        plain = [re.sub(r"\(\?P<\w+>", "(?:", start.pattern.pattern) for start in _STARTS[letter]]
        plain += [rule for rule in _RULES if letter in first_characters(rule)]
        made = re.compile("|".join(plain)).match
        _MATCHERS[letter] = MAY_BEGIN[letter] = made
        return made(line)

    return match


_STARTS = _by_first()
_MATCHERS = {letter: _when_met(letter) for letter in _STARTS}
_NEVER = re.compile(r"(?!)").match


def _stripped(text: str) -> object:
    line = text.strip()
    return _MATCHERS.get(line[:1], _NEVER)(line)


# By a line's first character: whether it may begin a report, or is a rule that may stand before one.
MAY_BEGIN: dict[str, Callable[[str], object]] = {
    **_MATCHERS,
    "": _NEVER,
    **dict.fromkeys(" \t\n\r\f\v", _stripped),
}


def find_start(line: str) -> tuple[Start, re.Match[str]] | None:
    """The sentence that begins a report with `line`, which has no white space around it."""
    letter = line[:1]
    if letter not in _MATCHERS or not _MATCHERS[letter](line):
        return None
    for start in _STARTS[letter]:
        if match := start.pattern.match(line):
            return start, match
    return None
