# SPDX-License-Identifier: MIT
"""`lkm kernel build` where nothing is built."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kernel_sources import fetch_tree
from own_maker import make_build, make_sources

from lkm import process
from lkm.cli import kernel_build, kernel_built, run_command
from lkm.compile.record import read_build_record, record_path
from lkm.errors import MissingError
from lkm.kernel.own import list_own, register_own

if TYPE_CHECKING:
    from own_build import OwnBuild


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


def test_a_directory_that_is_not_there_is_said_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = make_sources()
    (sources / "kernel/irq").mkdir(parents=True)
    (sources / "kernel/irq/Makefile").touch()
    build = make_build(tmp_path / "o", sources)
    assert run_command(["kernel", "build", "o", "kernel/irqs/"]) == 2
    assert f"hint: lkm kernel build -O {build} kernel/irq/\n" in capsys.readouterr().err
    assert not (build / "kernel").exists()
    assert run_command(["kernel", "build", "o", "kernel/irq", "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith(" kernel/irq/\n")


def test_an_option_that_a_configuration_has_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = make_sources()
    (sources / "Kconfig").write_text("config USB\n\tbool\n")
    build = make_build(tmp_path / "o", sources)
    assert run_command(["kernel", "build", "o", "CONFIG_USBB=y"]) == 2
    said = capsys.readouterr().err
    assert "error: CONFIG_USBB=y: this kernel has no option USBB\nhint: CONFIG_USB=y\n" in said
    assert run_command(["kernel", "build", "o", "CONFIG_NOSUCH=y"]) == 2
    assert "CONFIG_NOSUCH=y: this kernel has no option NOSUCH\nhint: grep " in capsys.readouterr().err
    assert run_command(["kernel", "build", "o", "CONFIG_USB=y"]) == 2
    said = capsys.readouterr().err
    assert f"error: {build} is configured, but not with USB=y\n" in said
    assert f"hint: lkm kernel configure -O {build} USB=y; " in said


@pytest.mark.fetch
def test_a_word_mistyped_makes_no_kernel(
    own_kernel: OwnBuild, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither its name nor its record; a record of what was built before stays."""
    build, left_out = tmp_path / "o", shutil.ignore_patterns("*.o", "*.a", "vmlinux*")
    shutil.copytree(own_kernel.build, build, symlinks=True, ignore=left_out)
    record = read_build_record(build)
    assert run_command(["kernel", "build", "o", "bzImgae"]) == 1
    assert "hint: its target: bzImage\n" in capsys.readouterr().err
    assert read_build_record(build) == record and record is not None and record.ok
    record_path(build).unlink()
    assert run_command(["kernel", "build", "o", "KCFLAGS"]) == 1
    assert "hint: a variable of make's: KCFLAGS=VALUE\n" in capsys.readouterr().err
    assert list_own() == [] and not record_path(build).exists()


def test_a_number_behind_the_name_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the configuration's own word makes the name, too."""
    sources = make_sources()
    for name in ("a", "b"):
        build = make_build(tmp_path / name, sources)
        (build / ".config").write_text('CONFIG_LOCALVERSION="-mine"\n')
    register_own("6.12.9-mine", tmp_path / "a")
    assert run_command(["kernel", "build", "b", "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert f"own:6.12.9-mine is {tmp_path}/a already: this one is own:6.12.9-mine-2\n" in said
