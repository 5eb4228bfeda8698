# SPDX-License-Identifier: MIT
"""`lkm kernel build` where nothing is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.cli import kernel_built, run_command


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_without_a_network_sources_on_disk_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["kernel", "build", "6.12.9", "--preset", "tiny", "--mirror", "http://127.0.0.1:9/"]
    assert run_command(line) == 3
    said = capsys.readouterr().err
    assert "--mirror" in said
    assert "sources that are here already: lkm kernel build DIR --preset tiny" in said


def test_a_word_that_is_nothing_names_what_is_near(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build/.config").write_text("CONFIG_A=y\n")
    for more in ([], ["-O", "elsewhere"]):
        assert run_command(["kernel", "build", "biuld", *more]) == 2
        said = capsys.readouterr().err
        assert "'biuld' is no build directory" in said and "hint: lkm kernel build build\n" in said


def test_sources_that_are_not_known_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build/.config").write_text("CONFIG_A=y\n")
    assert run_command(["kernel", "build", "-O", "build"]) == 2
    assert f"hint: lkm kernel build -O {tmp_path}/build -C DIR" in capsys.readouterr().err


def test_a_line_is_not_said_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no terminal, however long it takes."""
    monkeypatch.setattr(kernel_built, "_EVERY", 0.0)
    with kernel_built.BuildBar(verbose=False) as bar:
        for done in (None, None, 7, 7, 8):
            bar.update("compiling" if done else "preparing", done or 0, 20 if done else None)
    assert capsys.readouterr().err.splitlines() == [
        "preparing",
        "compiling: 7 of about 20 steps",
        "compiling: 8 of about 20 steps",
    ]
