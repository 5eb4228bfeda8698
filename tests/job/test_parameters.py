# SPDX-License-Identifier: MIT
"""Parameters as a person types them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from lkm.errors import UsageError
from lkm.job import assign_parameters
from lkm.job.parameters import quote_assignment
from lkm.module import Module, Parameter


@dataclass
class Named:
    """What assign_parameters looks at in a module."""

    name: str
    parameters: list[Parameter] = field(default_factory=list)


def modules(**parameters: str) -> list[Module]:
    made = [
        Named(name, [Parameter(one, "int", "") for one in words.split()])
        for name, words in parameters.items()
    ]
    return cast("list[Module]", made)


def test_each_word_goes_to_the_module_that_has_it() -> None:
    words = assign_parameters(["day=3", "size=7"], modules(first="day", second="size"))
    assert words == {"first": "day=3", "second": "size=7"}


def test_a_prefix_says_which() -> None:
    words = assign_parameters(["second.debug=1"], modules(first="debug", second="debug"))
    assert words == {"first": "", "second": "debug=1"}


def test_two_modules_with_the_parameter_need_a_prefix() -> None:
    with pytest.raises(UsageError, match="several modules") as caught:
        assign_parameters(["debug=1"], modules(first="debug", second="debug"))
    assert "first.debug=" in caught.value.hint


def test_a_misspelling_is_told() -> None:
    with pytest.raises(UsageError, match="hello has no parameter 'mnth'") as caught:
        assign_parameters(["mnth=May"], modules(hello="month day"))
    assert caught.value.hint == "month=…"


def test_dash_and_underscore_are_the_same() -> None:
    assert assign_parameters(["queue-depth=3"], modules(one="queue_depth")) == {"one": "queue-depth=3"}


def test_what_the_kernel_takes_for_any_module_is_let_through() -> None:
    assert assign_parameters(["dyndbg=+p"], modules(one="")) == {"one": "dyndbg=+p"}


def test_white_space_is_quoted_as_the_kernel_reads_it() -> None:
    assert quote_assignment("month", "late May") == 'month="late May"'
    assert quote_assignment("month", "") == 'month=""'
    with pytest.raises(UsageError, match="no way to write"):
        quote_assignment("month", 'a"b')
