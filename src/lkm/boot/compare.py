# SPDX-License-Identifier: MIT
"""Two kernels' boots side by side: the median of several, and how much they vary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from lkm.boot.value import Boot


@dataclass(frozen=True, slots=True)
class Difference:
    """A phase or an initcall in both: seconds, the medians; None where that kernel has none of the name."""

    name: str
    before: float | None
    after: float | None

    @property
    def seconds(self) -> float:
        """How much longer the second one takes; negative where it is quicker."""
        return (self.after or 0.0) - (self.before or 0.0)

    @property
    def ratio(self) -> float | None:
        """The second by the first; None where one has none, or none that can be measured."""
        return self.after / self.before if self.before and self.after is not None else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two kernels, each booted `boots` times in turn.

    `before`, `after`: the boot of each whose total is nearest its median.  `total`: the medians of all.
    `noise`: the largest distance of a total from its median, of either kernel, by that median; None where
    one of them was booted once, so that nothing is known of it.
    `phases`: in their order; `initcalls`: those that differ most first.
    """

    before: Boot
    after: Boot
    boots: int
    total: Difference
    noise: float | None
    phases: tuple[Difference, ...]
    initcalls: tuple[Difference, ...]


def compare_boots(before: Sequence[Boot], after: Sequence[Boot]) -> Comparison:
    """The comparison of boots of two kernels that came up; at least one of each."""
    totals = [boot.total for boot in before], [boot.total for boot in after]
    middles = median(totals[0]), median(totals[1])
    apart = [
        abs(total - middle) / middle for side, middle in zip(totals, middles, strict=True) for total in side
    ]
    noise = max(apart) if min(len(before), len(after)) > 1 else None
    phases = _differences(before, after, _phases)
    calls = _differences(before, after, _calls)
    return Comparison(
        _typical(before, middles[0]),
        _typical(after, middles[1]),
        min(len(before), len(after)),
        Difference("total", *middles),
        noise,
        tuple(phases),
        tuple(sorted(calls, key=lambda one: -abs(one.seconds))),
    )


def _typical(boots: Sequence[Boot], middle: float) -> Boot:
    return min(boots, key=lambda boot: abs(boot.total - middle))


def _phases(boot: Boot) -> Iterable[tuple[str, float]]:
    return ((phase.name, phase.seconds) for phase in boot.phases)


def _calls(boot: Boot) -> dict[str, float]:
    """By name; those of one name together."""
    found: dict[str, float] = {}
    for one in boot.initcalls:
        found[one.name] = found.get(one.name, 0.0) + one.seconds
    return found


def _differences(
    before: Sequence[Boot],
    after: Sequence[Boot],
    read: Callable[[Boot], Iterable[tuple[str, float]] | dict[str, float]],
) -> list[Difference]:
    first, second = _medians(before, read), _medians(after, read)
    names = (
        list(dict.fromkeys([*second, *first]))
        if len(second) > len(first)
        else [*dict.fromkeys([*first, *second])]
    )
    return [Difference(name, first.get(name), second.get(name)) for name in names]


def _medians(
    boots: Sequence[Boot], read: Callable[[Boot], Iterable[tuple[str, float]] | dict[str, float]]
) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for boot in boots:
        for name, seconds in dict(read(boot)).items():
            found.setdefault(name, []).append(seconds)
    return {name: median(values) for name, values in found.items()}
