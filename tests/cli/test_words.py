# SPDX-License-Identifier: MIT
"""What a person types: modules, parameters, and what was nearly one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.cli import run_command
from lkm.cli.words import is_assignment, split_words
from lkm.errors import UsageError


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("month=December", True),
        ("hello.month=May", True),
        ("queue-depth=3", True),
        ("debug=", True),
        ("./a=b", False),
        ("examples/hello", False),
        ("a.ko", False),
        ("3=4", False),
    ],
)
def test_a_word_is_a_parameter_or_a_path(word: str, expected: bool) -> None:
    assert is_assignment(word) is expected


def test_no_source_is_this_directory(tmp_path: Path) -> None:
    assert split_words(("day=3",), tmp_path) == ([tmp_path], ["day=3"])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("day", "24"), "day=24"),
        (("helo",), "lkm run hello"),
        (("other",), "lkm new other"),
        (("hello", "hours"), "hours=VALUE"),
        (("hello", "month=a", "b"), "'month=a b'"),
        (("nowhere/x.ko",), "no directory nowhere"),
        (("x.ko",), "FILE.ko"),
    ],
)
def test_what_was_nearly_a_word(
    words: tuple[str, ...], hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hello").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no such file or directory") as caught:
        split_words(words, Path())
    assert hint in caught.value.hint


def test_a_name_of_a_module_is_looked_up_last(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    known = {"hello": Path("/other/hello.ko"), "dummy": Path("/other/dummy.ko")}
    sources, words = split_words(("hello", "dummy", "numdummies=2"), tmp_path, find=known.get)
    assert (sources, words) == ([tmp_path / "hello", Path("/other/dummy.ko")], ["numdummies=2"])
    with pytest.raises(UsageError, match="no such file or directory"):
        split_words(("helo",), tmp_path, find=known.get)


def test_a_parameter_with_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "--day=24"]) == 2
    assert "day=VALUE" in capsys.readouterr().err
