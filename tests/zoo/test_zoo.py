# SPDX-License-Identifier: MIT
"""The zoo: modules with one bug each, and what lkm says of each: the outcome, the kind, the line.

By hand on another kernel, its debug modules included: `LKM_TEST_KERNEL=/path/to/build ./test tests/zoo`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from zoo_cases import DEBUG, MODULES, Case, Runs, read_cases, read_options, unfit

from lkm.job import Outcome, RunResult
from lkm.kernel import Kernel

CASES = [*read_cases(MODULES), *read_cases(DEBUG)]
pytestmark = pytest.mark.guest


def names(case: Case) -> str:
    return case.name


@pytest.fixture(scope="module")
def runs(kernel: Kernel, request: pytest.FixtureRequest) -> Iterator[Runs]:
    """The runs of all cases that are asked for; those that this kernel cannot report are left out."""
    asked = {
        item.callspec.params["case"].name
        for item in request.session.items
        if hasattr(item, "callspec") and isinstance(item.callspec.params.get("case"), Case)
    }
    options = read_options(kernel)
    runs = Runs([case for case in CASES if case.name in asked and not unfit(case, options)], kernel=kernel)
    yield runs
    runs.close()


def describe(result: RunResult) -> str:
    """What a failing test shows: all that was found out, and the log."""
    found = [f"{one.report.kind} at {one.place and one.place.short}: {one.means}" for one in result.reports]
    log = [record.text for record in result.log]
    return "\n".join([f"{result.outcome} {result.ending} {result.hint}", *found, *log[:60]])


@pytest.mark.parametrize("case", CASES, ids=names)
def test_zoo(case: Case, runs: Runs, kernel: Kernel) -> None:
    """Each: what came of it, what was reported first, and the line of the source that is at fault."""
    if why := unfit(case, read_options(kernel)):
        pytest.skip(f"{kernel.name}: {why}")
    result = runs.result(case)
    said = describe(result)
    assert result.outcome is case.outcome, said
    kinds = [one.report.kind for one in result.reports]
    assert (kinds[0] if kinds else None) is case.kind, said
    assert not (result.outcome is Outcome.OOPS and result.leftovers), said  # it was never unloaded
    if case.ending:
        assert result.ending is not None, said
        found = (str(result.ending.detail), result.ending.context)[: len(case.ending)]
        assert found == case.ending, said
    if case.line is not None and kinds:
        place = result.reports[0].place
        assert place is not None, said
        assert (Path(place.path).name, place.line) == (case.path.name, case.line), said


def test_the_zoo_is_large_enough() -> None:
    """The ordinary ones alone, each with a sentence that says what its bug is."""
    cases = read_cases(MODULES)
    assert len(cases) >= 40
    assert all(case.what and not case.needs for case in cases)
