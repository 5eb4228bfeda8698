# SPDX-License-Identifier: MIT
"""The verdict is the kernel's: a sample of the cases of bench/oracle.py, asked and then loaded."""

from __future__ import annotations

import pytest
from oracle_cases import make_cases
from oracle_guest import Agreement, compare_cases, count

from lkm.kernel import Kernel
from lkm.verdict import Ground

pytestmark = pytest.mark.guest

_SAMPLE = 150


def test_what_is_said_is_what_the_kernel_does(
    kernel: Kernel, ground: Ground, built: dict[str, bytes]
) -> None:
    cases = make_cases(ground, built)
    at_once = [case for case in cases if not case.cmdline]
    chosen = at_once[:: len(at_once) // _SAMPLE][:_SAMPLE]
    results = list(compare_cases(kernel, ground, chosen))
    assert len(results) == _SAMPLE
    wrong = [
        f"{one.agreement}: {one.case.name}: {one.what}"
        for one in results
        if one.agreement not in (Agreement.SAME, Agreement.UNPROVED)
    ]
    assert not wrong
    assert count(results)[Agreement.SAME] > 0.95 * _SAMPLE
    refused = {one.verdict.rule for one in results if not one.verdict.loads}
    assert len(refused) > 12, "the sample is of every kind"
    assert sum(one.verdict.loads for one in results) > _SAMPLE // 5


def test_signed_modules_alone_where_signatures_are_enforced(
    kernel: Kernel, ground: Ground, built: dict[str, bytes]
) -> None:
    cases = [case for case in make_cases(ground, built) if case.cmdline == "module.sig_enforce=1"]
    results = list(compare_cases(kernel, ground, cases))
    assert {one.agreement for one in results} == {Agreement.SAME}
    assert {one.verdict.rule for one in results} == {"signature", ""}
