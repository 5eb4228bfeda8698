# SPDX-License-Identifier: MIT
"""Lines longer than the terminal."""

import sys

import click
import pytest

from lkm.cli.common import say, wrap_line


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


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_sentence_is_wrapped_where_somebody_reads_it_and_whole_for_grep(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    sentence = "left behind: the timer with tick() is still pending: timer_delete_sync() is missing"
    say(sentence, fg="yellow")
    lines = click.unstyle(capsys.readouterr().err).splitlines()
    assert " ".join(" ".join(lines).split()) == sentence
    assert max(map(len, lines)) <= 40 if is_terminal else lines == [sentence]
