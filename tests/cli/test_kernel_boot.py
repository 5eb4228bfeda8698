# SPDX-License-Identifier: MIT
"""`lkm kernel boot` as it is typed, as far as no kernel is booted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.cli import run_command

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("words", [["nowhere"], ["--compare", "nowhere", "nothing"]])
@pytest.mark.parametrize("option", ["--svg", "--html"])
def test_a_file_that_cannot_be_written_is_told_before_the_kernel_is_looked_for(
    words: list[str], option: str, capsys: Capture, tmp_path: Path
) -> None:
    assert run_command(["kernel", "boot", *words, option, str(tmp_path / "none" / "x")]) == 3
    said = capsys.readouterr().err
    assert f"error: cannot write {tmp_path}/none/x: No such file or directory" in said
    assert f"hint: mkdir -p {tmp_path}/none\n" in said


def test_looking_whether_a_file_can_be_written_changes_none(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "old.svg").write_text("old")
    words = ["--svg", str(tmp_path / "old.svg"), "--html", str(tmp_path / "new.html")]
    assert run_command(["kernel", "boot", "nowhere", *words]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_one_kernel_is_not_enough_to_compare(capsys: Capture) -> None:
    assert run_command(["kernel", "boot", "--compare", "a"]) == 2
    assert capsys.readouterr().err.endswith("hint: lkm kernel boot --help\n")
