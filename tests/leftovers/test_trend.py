# SPDX-License-Identifier: MIT
"""What grows with each turn, and what does not."""

from __future__ import annotations

import pytest

from lkm.leftovers.trend import find_growth, sample_turns

TURNS = [10, 32, 55, 78, 100]


@pytest.mark.parametrize(
    ("values", "growth"),
    [
        ([10, 32, 55, 78, 100], 1.0),
        ([20, 64, 110, 156, 200], 2.0),
        ([0, 0, 0, 0, 0], None),
        ([500, 480, 470, 300, 0], None),
        ([0, 90, 90, 90, 90], None),  # taken once
        ([0, 0, 0, 0, 90], None),
        ([0, 10, 20, 30, 40], None),  # less than is asked for
        ([7, 30, 54, 70, 99], 92 / 90),  # noise of a few
    ],
)
def test_growth(values: list[int], growth: float | None) -> None:
    found = find_growth(TURNS, values, least=0.7)
    assert found == (growth if growth is None else pytest.approx(growth))


@pytest.mark.parametrize("count", [2, 3, 5, 10, 100, 1000])
def test_turns(count: int) -> None:
    turns = sample_turns(count)
    assert turns[-1] == count and turns[0] >= 1 and len(turns) == min(count, 5)
    assert list(turns) == sorted(set(turns))
