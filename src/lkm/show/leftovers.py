# SPDX-License-Identifier: MIT
"""What modules left behind, for a person and for a machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lkm.leftovers.cycles import Cycles, Growth
from lkm.leftovers.value import Leftover


def leftover_json(one: Leftover) -> dict[str, Any]:
    """An entry of `leftovers`."""
    return {
        "kind": one.kind.value,
        "name": one.name,
        "detail": one.detail,
        "cause": one.cause,
        "text": one.text,
    }


def cycles_json(cycles: Cycles) -> dict[str, Any]:
    """The object `cycles`."""
    return {
        "asked": cycles.asked,
        "done": cycles.done,
        "tracked": cycles.tracked,
        "growths": [_growth_json(one) for one in cycles.growths],
    }


def _growth_json(one: Growth) -> dict[str, Any]:
    return {
        "where": one.where,
        "size": one.size,
        "count": one.count,
        "site": one.site,
        "source": one.source,
        "frames": list(one.frames),
        "also": list(one.also),
        "text": one.text,
    }


def cycles_lines(cycles: Cycles) -> Iterator[str]:
    """A line on what was done, then one for each growth with its callers."""
    many = (
        f"{cycles.done} cycles" if cycles.done == cycles.asked else f"{cycles.done} of {cycles.asked} cycles"
    )
    if cycles.done < cycles.asked:
        yield f"{many} went as the first; no memory is counted for them"
        return
    if not cycles.growths:
        yield f"{many}: no memory is left behind"
    for one in cycles.growths:
        yield f"{many}: {one.text}"
        for frame in one.frames if len(one.frames) > 1 else ():  # one alone is the site itself
            yield f"    {frame}"
