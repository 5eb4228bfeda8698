# SPDX-License-Identifier: MIT
"""Expressions: worth, text, parts."""

from __future__ import annotations

from typing import Any

import pytest

from lkm.kconfig.expression import evaluate, split_parts, symbols_of, write

VALUES = {"Y": "y", "M": "m", "N": "n", "NUM": "120300", "HEX": "0x1f", "S": "gcc"}


@pytest.mark.parametrize(
    ("expression", "worth", "text"),
    [
        ("Y", 2, "Y"),
        ("GONE", 0, "GONE"),
        (["c", "m"], 1, "m"),
        (["&&", "Y", "M"], 1, "Y && M"),
        (["||", "N", "M"], 1, "N || M"),
        (["!", "M"], 1, "!M"),
        (["!", ["||", "N", "Y"]], 0, "!(N || Y)"),
        (["=", "M", ["c", "m"]], 2, "M=m"),
        (["!=", "M", ["c", "n"]], 2, "M!=n"),
        (["=", "GONE", ["c", "n"]], 2, "GONE=n"),
        ([">=", "NUM", ["c", "120000"]], 2, "NUM>=120000"),
        (["<", "NUM", ["c", "9"]], 0, "NUM<9"),
        (["=", "HEX", ["c", "31"]], 2, "HEX=31"),
        (["=", "S", ["c", "gcc"]], 2, "S=gcc"),
        (["=", "S", ["c", ""]], 0, 'S=""'),
        (["<=", "Y", "M"], 0, "Y<=M"),
        (["&&", ["||", "N", "Y"], ["&&", "M", ["!", "N"]]], 1, "(N || Y) && M && !N"),
    ],
)
def test_worth_and_text(expression: Any, worth: int, text: str) -> None:
    assert evaluate(expression, VALUES) == worth
    assert write(expression) == text


def test_parts_of_a_conjunction_each_once_and_without_what_always_holds() -> None:
    expression = ["&&", ["&&", "Y", ["c", "y"]], ["&&", ["||", "N", "M"], ["&&", "Y", "N"]]]
    parts = split_parts(expression, VALUES, need=2)
    assert [(part.text, part.value, part.met) for part in parts] == [
        ("Y", "y", True),
        ("N || M", "m", False),
        ("N", "n", False),
    ]
    assert list(symbols_of(expression)) == ["Y", "N", "M", "Y", "N"]
