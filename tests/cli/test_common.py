# SPDX-License-Identifier: MIT
"""Lines longer than the terminal."""

import pytest

from lkm.cli.common import wrap_line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("aliases:       one, two, three, four, five, six, seven",
         ["aliases:       one, two, three, four, five,", "               six, seven"]),
        ("  name: some words that go on until the line is full",
         ["  name: some words that go on until the line", "        is full"]),
        ("  lib:1.0: is not a title of a row of a table, but text",
         ["  lib:1.0: is not a title of a row of a table,", "      but text"]),
        ("    aVeryLongWordThatIsNeverCutBecauseItMayHaveToBeCopied",
         ["    aVeryLongWordThatIsNeverCutBecauseItMayHaveToBeCopied"]),
    ],
)  # fmt: skip
def test_go_on_under_their_text(line: str, told: list[str]) -> None:
    assert wrap_line(line, 46).splitlines() == told
