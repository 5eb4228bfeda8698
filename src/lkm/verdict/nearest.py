# SPDX-License-Identifier: MIT
"""For a symbol that is not exported: whether it is there at all, and which exported ones come near."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from lkm.errors import LkmError
from lkm.verdict.ground import Ground

_MOST = 3
_LEAST_ALIKE = 0.72


def is_defined(ground: Ground, name: str) -> bool:
    """Whether the kernel has a symbol of that name for itself; its map is read for it."""
    if ground.kernel.image is None:
        return False
    from lkm.kernel.symbols import Symbols

    try:
        return bool(name) and any(not one.exported for one in Symbols().find([ground.kernel], _quote(name)))
    except LkmError:
        return False


def _quote(name: str) -> str:
    """A name that is not taken as a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def find_nearest(ground: Ground, name: str) -> list[str]:
    """Exported symbols whose names come near, the nearest first."""
    return choose_nearest((*(ground.exports or {}), *ground.module_exports), name)


def choose_nearest(names: Iterable[str], name: str) -> list[str]:
    """Those of many names that come near to one, the nearest first; alike in a word or their beginning."""
    plain = name.strip("_")
    words, start = set(plain.split("_")), plain[:3]
    candidates = []
    for known in names:
        if abs(len(known) - len(name)) > 8:
            continue
        # A cheap look first: a word in common, or the same beginning.
        other = known.strip("_")
        if other.startswith(start) or not words.isdisjoint(other.split("_")):
            candidates.append(known)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(name)
    scored = []
    for known in dict.fromkeys(candidates):
        matcher.set_seq1(known)
        if matcher.real_quick_ratio() >= _LEAST_ALIKE and matcher.quick_ratio() >= _LEAST_ALIKE:
            ratio = matcher.ratio()
            if ratio >= _LEAST_ALIKE:
                scored.append((-ratio, known))
    return [known for _, known in sorted(scored)[:_MOST]]
