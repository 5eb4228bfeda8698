# SPDX-License-Identifier: MIT
"""From numbers that were taken one after the other: do they grow with each turn?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

_STEADY = 0.5  # of the usual growth, that each part of the time must show


def find_growth(turns: Sequence[int], values: Sequence[int], *, least: float) -> float | None:
    """Growth for each turn, None where it is not steady or less than `least`.

    `turns`: how many turns there had been at each of `values`.  What the kernel takes once (a page for a
    list, a cache that fills) grows in one part of the time; what is forgotten each turn grows in all of them.
    """
    steps = [
        (after - before) / (late - early)
        for before, after, early, late in zip(values, values[1:], turns, turns[1:], strict=False)
        if late > early
    ]
    if not steps:
        return None
    usual = statistics.median(steps)
    if usual < least or min(steps) < usual * _STEADY:
        return None
    return (values[-1] - values[0]) / (turns[-1] - turns[0])


def sample_turns(count: int) -> tuple[int, ...]:
    """After which of `count` turns numbers are taken: the first few are left out, then five times."""
    first = max(1, count // 10)
    points = {first + round((count - first) * part / 4) for part in range(5)}
    return tuple(sorted(points))
