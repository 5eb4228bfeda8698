# SPDX-License-Identifier: MIT
"""`lkm kernel build` where nothing is built."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kernel_sources import fetch_tree

from lkm import process
from lkm.cli import kernel_build, kernel_built, run_command
from lkm.errors import MissingError


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


def test_interrupted_before_make_it_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kernel_build, "fetch_sources", interrupted)
    more = ["-j3", "--preset", "tiny", "W=1", "ARCH=x86_64", "CONFIG_LOCALVERSION=-x y"]
    assert run_command(["kernel", "build", "6.12.9", *more]) == 130
    first, second = capsys.readouterr().err.splitlines()
    assert first == "interrupted; nothing is configured yet; what was got of Linux 6.12.9 is kept"
    line = "lkm kernel build 6.12.9 -j 3 --preset tiny ARCH=x86_64 W=1 'CONFIG_LOCALVERSION=-x y'"
    assert second == f"hint: {line} goes on"
    assert run_command(["kernel", "build", "git:v6.12", "--preset", "tiny"]) == 130
    assert "interrupted; nothing is configured yet\n" in capsys.readouterr().err


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


@pytest.fixture(scope="module")
def tree() -> Path:
    """The sources of 6.1."""
    return fetch_tree()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.fetch
def test_interrupted_while_it_is_configured(tree: Path, tmp_path: Path) -> None:
    """make is one that does not come to its end."""
    make, called, build = tmp_path / "bin/make", tmp_path / "called", tmp_path / "o"
    make.parent.mkdir()
    make.write_text(f"#!/bin/sh\n: >{called}\nexec sleep 600\n")
    make.chmod(0o755)
    more = [str(tree), "-O", str(build), "--preset", "tiny"]
    environment = {**os.environ, "LKM_CACHE": str(tmp_path), "PATH": f"{make.parent}:{os.environ['PATH']}"}
    argv = [sys.executable, "-m", "lkm", "kernel", "build", *more]
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as running:
        _wait_for(called)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert f"interrupted; the sources are in {tree}, {build} is not configured yet\n" in said
    assert f"hint: {shlex.join(['lkm', 'kernel', 'build', *more])} goes on\n" in said
    assert not (build / ".config").exists()


@pytest.mark.fetch
def test_what_packages_take_is_said_before_anything_is_done(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = ("dpkg-buildpackage", "rsync")
    find = process.find_program
    monkeypatch.setattr(process, "find_program", lambda name: None if name in lacking else find(name))
    line = ["kernel", "build", str(tree), "-O", str(tmp_path / "o"), "--preset", "tiny", "bindeb-pkg"]
    assert run_command(line) == MissingError.status
    said = capsys.readouterr().err
    assert "dpkg-buildpackage (dpkg-dev): make bindeb-pkg\n" in said
    assert "hint: apt-get install dpkg-dev rsync " in said
    assert not (tmp_path / "o").exists()
