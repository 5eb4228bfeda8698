# SPDX-License-Identifier: MIT
"""Shell patterns as fnmatch(3) with no flags reads them, which aliases and modprobe.d are matched with."""

from __future__ import annotations

import re
from functools import lru_cache


def match_pattern(pattern: bytes, text: bytes) -> bool:
    """Whether all of `text` matches; a bracket that does not end stands for itself.

    Takes at most the product of the two lengths: between stars the leftmost place will do.
    """
    pieces = _compile(pattern)
    (first, size), *rest = pieces
    if not rest:
        return len(text) == size and first.match(text) is not None
    last, last_size = rest.pop()
    end = len(text) - last_size
    if end < size or first.match(text) is None or last.match(text, end) is None:
        return False
    at = size
    for piece, _ in rest:
        found = piece.search(text, at, end)
        if found is None:
            return False
        at = found.end()
    return True


@lru_cache(maxsize=4096)
def _compile(pattern: bytes) -> list[tuple[re.Pattern[bytes], int]]:
    """What lies between the stars, each with the number of letters it takes."""
    pieces: list[list[bytes]] = [[]]
    at = 0
    while at < len(pattern):
        letter = pattern[at : at + 1]
        at += 1
        if letter == b"*":
            pieces.append([])
        elif letter == b"?":
            pieces[-1].append(b".")
        elif letter == b"\\" and at < len(pattern):
            pieces[-1].append(re.escape(pattern[at : at + 1]))
            at += 1
        elif letter == b"[" and (end := _end_of_set(pattern, at)) > 0:
            pieces[-1].append(_set(pattern[at:end]))
            at = end + 1
        else:
            pieces[-1].append(re.escape(letter))
    return [(re.compile(b"".join(piece), re.DOTALL), len(piece)) for piece in pieces]


def _end_of_set(pattern: bytes, start: int) -> int:
    at = start
    if pattern[at : at + 1] in {b"!", b"^"}:
        at += 1
    if pattern[at : at + 1] == b"]":
        at += 1
    return pattern.find(b"]", at)


def _set(body: bytes) -> bytes:
    negated = body[:1] in {b"!", b"^"}
    letters = body[1:] if negated else body
    out = []
    at = 0
    while at < len(letters):
        if letters[at + 1 : at + 2] == b"-" and at + 2 < len(letters):
            low, high = letters[at], letters[at + 2]
            if low <= high:
                out.append(re.escape(bytes([low])) + b"-" + re.escape(bytes([high])))
            at += 3
        else:
            out.append(re.escape(letters[at : at + 1]))
            at += 1
    inside = b"".join(out)
    if not inside:
        return b"." if negated else b"(?!)"
    return (b"[^" if negated else b"[") + inside + b"]"
