# SPDX-License-Identifier: MIT
"""Parameters as the kernel reads them."""

from __future__ import annotations

import pytest

from lkm.errors import UsageError
from lkm.guest.parameters import build_parameters


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("", {}, ""),
        ("", {"month": "December", "day": 31}, "month=December day=31"),
        ("debug", {"on": True, "off": False}, "debug on=Y off=N"),
        ("", {"list": [1, 2, 3]}, "list=1,2,3"),
        ("", {"text": "a b", "empty": ""}, 'text="a b" empty=""'),
    ],
)
def test_build_parameters(text: str, values: dict[str, object], shown: str) -> None:
    assert build_parameters(text, values) == shown


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a\0b"])
def test_what_the_kernel_cannot_be_given(value: str) -> None:
    with pytest.raises(UsageError):
        build_parameters("", {"text": value})
