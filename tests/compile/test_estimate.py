# SPDX-License-Identifier: MIT
"""The time left, on a clock of our own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lkm.compile.estimate import Estimate, Experience, read_experience, weigh, write_experience
from lkm.compile.value import Step


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """300 sources of very different sizes."""
    chance = random.Random(7)
    for number in range(300):
        (tmp_path / f"f{number}.c").write_bytes(b"x" * int(chance.expovariate(1 / 20_000)))
    return tmp_path


def follow(
    tree: Path, experience: Experience, *, jobs: int = 2, tail: float = 0.07
) -> list[tuple[float, float]]:
    """A build on `jobs` processors: (truth, estimate) of the time left, after each step begun.

    What a step takes is its weight, half more or half less by chance.
    """
    chance = random.Random(3)
    steps = [Step("CC", f"f{number}.o") for number in range(300)]
    needed = [weigh(step, tree) * chance.uniform(0.5, 1.5) for step in steps]
    estimate = Estimate(tree, jobs, experience, start=0.0)
    free = [0.0] * jobs
    begun = []
    for seconds in needed:
        slot = free.index(min(free))
        begun.append(free[slot])
        free[slot] += seconds
    compiled = max(free)
    end = compiled * (1 + tail)
    said = []
    for number, (step, now) in enumerate(zip(steps, begun, strict=True)):
        estimate.begin(step, now)
        if number == 2:
            estimate.plan(steps)
        if (left := estimate.left(now)) is not None:
            said.append((end - now, left))
    estimate.link(compiled)
    for part in range(10):
        now = compiled + (end - compiled) * part / 10
        left = estimate.left(now)
        assert left is not None
        said.append((end - now, left))
    learned = estimate.learn(end)
    assert learned is not None
    assert learned.tail == pytest.approx(tail, rel=0.02)
    return said


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_within_a_quarter_over_the_last_four_fifths(tree: Path, jobs: int) -> None:
    said = follow(tree, Experience(), jobs=jobs)
    whole = said[0][0]
    for truth, left in said:
        if truth <= 0.8 * whole:
            # the whole time as it is estimated then, against what it is
            assert abs(left - truth) / whole < 0.25, (truth, left)


def test_with_a_build_seen_before_it_is_said_at_once(tree: Path) -> None:
    said = follow(tree, Experience(unit=1.0, tail=0.07))
    truth, left = said[0]
    assert abs(left - truth) / truth < 0.25


def test_a_long_end_is_remembered(tree: Path) -> None:
    naive, wise = (follow(tree, experience, tail=0.5) for experience in (Experience(), Experience(tail=0.5)))
    middle = len(wise) // 2
    assert abs(wise[middle][1] - wise[middle][0]) < abs(naive[middle][1] - naive[middle][0])


def test_nothing_is_said_before_it_is_counted(tree: Path) -> None:
    estimate = Estimate(tree, 2, Experience(), start=0.0)
    estimate.begin(Step("CC", "f1.o"), 1.0)
    assert estimate.left(2.0) is None and estimate.counts == (1, None)
    estimate.plan([Step("CC", "f1.o"), Step("CC", "f2.o")])
    assert estimate.counts == (1, 2)
    assert estimate.learn(3.0) is None


def test_what_was_learned_is_kept_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_experience("x86-plain", Experience(1.5, 0.1))
    write_experience("x86-debug", Experience(3.0, 0.4))
    assert read_experience("x86-plain") == Experience(1.5, 0.1)
    (store,) = tmp_path.rglob("compile.json")
    for text in ("", "[]", '{"x86-plain": {"unit": -1, "tail": 1}}', '{"x86-plain": 3}'):
        store.write_text(text)
        assert read_experience("x86-plain") == Experience()
