# SPDX-License-Identifier: MIT
"""A real kernel's make: one directory of it where that serves, and the whole of the smallest one, once."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kernel_sources import fetch_tree

from lkm.cli import run_command
from lkm.compile.again import find_differences, prepare_again
from lkm.compile.build import build_kernel
from lkm.compile.record import log_path, read_build_record, write_build_record
from lkm.compile.value import KernelBuilt, Request
from lkm.errors import BadInputError, MissingError, UsageError
from lkm.kbuild.value import Severity
from lkm.kconfig import Request as Wanted
from lkm.kconfig import Tree, configure, read_preset, read_tree
from lkm.kernel.own import own_dir
from lkm.kernel.setup_header import read_setup_header
from lkm.release.record import Record, write_record

if TYPE_CHECKING:
    from own_build import OwnBuild

pytestmark = pytest.mark.fetch
# A directory of some ten C files, and how make prints one of them.
PART = "kernel/irq/"
STEP = f"  CC      {PART}"


@pytest.fixture(scope="module")
def tree() -> Tree:
    """The sources of 6.1."""
    return read_tree(fetch_tree())


@pytest.fixture(scope="module")
def prepared(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build directory with allnoconfig (for 32 bits: no objtool), and what Kbuild makes before all else."""
    build = tmp_path_factory.mktemp("prepared")
    configure(tree, build, Wanted(target="allnoconfig"))
    assert build_kernel(Request(tree, build, ("prepare",), ccache=False)).ok
    return build


@pytest.fixture(scope="module")
def part(tree: Tree, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> KernelBuilt:
    """One directory of a kernel, built."""
    build = tmp_path_factory.mktemp("part") / "o"
    shutil.copytree(prepared, build, symlinks=True)
    return build_kernel(Request(tree, build, (PART,), ccache=False))


def test_one_directory(part: KernelBuilt) -> None:
    build = part.log.parent
    assert part.ok and (build / PART / "manage.o").is_file() and not (build / "vmlinux").exists()
    assert part.cached is None and part.jobs.why
    assert f"{STEP}manage.o" in part.log.read_text()
    slowest = [step.target for step in part.slowest]
    assert slowest and all(target.startswith((PART, "scripts/")) for target in slowest)
    assert all(0 <= (step.seconds or 0) <= part.seconds for step in part.slowest)
    record = read_build_record(build)
    assert record == part.record and record.ok and record.targets == [PART]
    assert record.variables["KBUILD_BUILD_USER"] == "lkm" and record.steps > 10


def test_a_part_does_not_forget_the_whole(part: KernelBuilt, tree: Tree, tmp_path: Path) -> None:
    build = tmp_path / "copy"
    shutil.copytree(part.log.parent, build, symlinks=True)
    whole = replace(part.record, targets=[], seconds=None, status=None)
    write_build_record(build, whole)
    assert build_kernel(Request(tree, build, ("scripts_basic",))).ok
    assert read_build_record(build) == whole  # it still broke off


def test_what_is_finished_is_not_built_again(part: KernelBuilt, tree: Tree) -> None:
    again = build_kernel(Request(tree, part.log.parent, (PART,), ccache=False))
    assert again.ok and not [line for line in again.log.read_text().splitlines() if line.startswith("  CC")]


def _wait_for(condition: object, *, seconds: float = 120) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _compiled(build: Path) -> list[str]:
    log = log_path(build)
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.removeprefix(STEP) for line in lines if line.startswith(STEP)]


def _runs(build: Path) -> bool:
    """Whether anything still works on a build directory."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.joinpath("cwd").resolve() == build:
                    return True
            except OSError:
                continue
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_broken_off_it_goes_on_and_the_same_bytes_come(
    tree: Tree, prepared: Path, part: KernelBuilt, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed in the middle; then only the rest is built, and it is what another directory has."""
    build = tmp_path / "other"
    shutil.copytree(prepared, build, symlinks=True)
    argv = [sys.executable, "-m", "lkm", "kernel", "build", "-O", str(build), PART, "-j2", "--no-ccache"]
    said = tmp_path / "said"
    with (
        said.open("w") as file,
        subprocess.Popen(argv, stderr=file, stdout=subprocess.DEVNULL) as running,
    ):
        _wait_for(lambda: len(_compiled(build)) >= 4)
        running.send_signal(number)
        status = running.wait(timeout=60)
    assert status == (130 if number == signal.SIGINT else -signal.SIGKILL)
    goes_on = f"hint: lkm kernel build -O {build} {PART} goes on"
    assert (goes_on in said.read_text()) == (number == signal.SIGINT)
    _wait_for(lambda: not _runs(build), seconds=30)
    record = read_build_record(build)
    assert record is not None and record.broke_off
    first = set(_compiled(build))
    done = {path.name for path in (build / PART).glob("*.o") if (build / PART / f".{path.name}.cmd").exists()}
    assert done and done <= first
    built = build_kernel(Request(tree, build, (PART,), ccache=False))
    assert built.ok and not done & set(_compiled(build))
    mine, theirs = (sorted((place / PART).glob("*.o")) for place in (build, part.log.parent))
    assert [path.name for path in mine] == [path.name for path in theirs]
    for one, other in zip(mine, theirs, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_an_error_is_a_result(part: KernelBuilt, tree: Tree, tmp_path: Path) -> None:
    build = tmp_path / "copy"
    shutil.copytree(part.log.parent, build, symlinks=True)
    bad = tmp_path / "bad.h"
    bad.write_text("#error not today\n")
    built = build_kernel(Request(tree, build, ("init/version.o",), {"KCFLAGS": f"-include {bad}"}))
    assert not built.ok and built.record.status == 2 and built.record.errors
    first = built.diagnostics[0]
    assert first.severity is Severity.ERROR and (first.path, first.line) == (bad, 1)
    assert "not today" in first.text and "not today" in built.log.read_text()


def test_as_it_is_typed(
    part: KernelBuilt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))  # it is given a name there
    build = part.log.parent
    assert run_command(["kernel", "build", str(build), PART, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == 1 and said["ok"] and said["name"] is None
    assert said["record"]["targets"] == [PART] and said["parts"] == []
    assert run_command(["kernel", "build", str(build), "kernel/nothing.o"]) == 1
    said = capsys.readouterr()
    assert "No rule to make target" in said.err and "not built: 1 error" in said.err
    assert said.out == ""
    assert run_command(["kernel", "build", str(build), "bzimage"]) == 1
    assert "hint: its target: bzImage" in capsys.readouterr().err
    assert run_command(["kernel", "build", str(build), "--preset", "tiny"]) == 2
    assert "configured otherwise than preset tiny" in capsys.readouterr().err


def test_what_cannot_be_built_is_said_before(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"no \.config there"):
        build_kernel(Request(tree, tmp_path))
    build = tmp_path / "o"
    build.mkdir()
    (build / ".config").write_text('CONFIG_SYSTEM_TRUSTED_KEYS="debian/certs/none.pem"\n')
    with pytest.raises(BadInputError, match="there is no such file"):
        build_kernel(Request(tree, build))
    (build / ".config").write_text("CONFIG_A=y\n")
    with (build / ".lkm-build.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="going on there already"):
            build_kernel(Request(tree, build))
    monkeypatch.setattr("lkm.compile.build.estimate_room", lambda *_, **__: 1 << 60)
    with pytest.raises(MissingError, match="no room on the disk"):
        build_kernel(Request(tree, build))
    assert not log_path(build).exists()


def test_the_whole_of_it(own_kernel: OwnBuild) -> None:
    record = read_build_record(own_kernel.build)
    assert record is not None and record.ok and record.modules == 2
    assert record.release == own_kernel.release == f"{record.version}-tiny"
    assert set(record.sizes) == {"vmlinux", "System.map", "arch/x86/boot/bzImage"}
    assert record.on_disk > record.sizes["vmlinux"] > record.sizes["arch/x86/boot/bzImage"] > 1 << 20
    header = read_setup_header(own_kernel.build / "arch/x86/boot/bzImage")
    assert header is not None and header.version.startswith(f"{record.release} (lkm@lkm) #1 ")
    assert (own_kernel.build / "drivers/pps/clients/pps-ktimer.ko").is_file()


@pytest.mark.slow
def test_the_same_bytes_in_another_directory(own_kernel: OwnBuild, tmp_path: Path) -> None:
    """By its record, that is with its configuration and words."""
    record = read_build_record(own_kernel.build)
    assert record is not None
    request = prepare_again(record, tmp_path / "elsewhere")
    built = build_kernel(replace(request, ccache=bool(os.environ.get("CCACHE_DIR"))))
    assert built.ok and find_differences(record, built) == []
    for name in ("vmlinux", "System.map", "arch/x86/boot/bzImage", "drivers/pps/pps_core.ko"):
        assert (tmp_path / "elsewhere" / name).read_bytes() == (own_kernel.build / name).read_bytes(), name


@pytest.mark.slow
def test_for_another_machine(tmp_path: Path) -> None:
    compiler = (
        "aarch64-linux-gnu-gcc" if shutil.which("aarch64-linux-gnu-gcc") else "aarch64-linux-gnu-gcc-12"
    )
    if shutil.which(compiler) is None:
        pytest.skip("no aarch64-linux-gnu-gcc on this machine")
    words = {"ARCH": "arm64", "CROSS_COMPILE": "aarch64-linux-gnu-", "CC": compiler}
    cross = read_tree(fetch_tree(whole=True), words)
    configure(cross, tmp_path, Wanted(target="tinyconfig"))
    built = build_kernel(Request(cross, tmp_path))
    assert built.ok and built.record.arch == "arm64"
    assert "arch/arm64/boot/Image" in built.record.sizes


def test_a_preset_is_configured_where_there_is_nothing(tree: Tree, tmp_path: Path) -> None:
    """`--dry-run` shows the commands, and does nothing."""
    build = tmp_path / "o"
    assert (
        run_command(["kernel", "build", str(tree.path), "-O", str(build), "--preset", "tiny", "--dry-run"])
        == 0
    )
    assert not build.exists() and read_preset("tiny").base == "allnoconfig"


def test_a_release_whose_sources_are_here_is_configured_and_named(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step once: the second call finds sources and configuration made.  A quick target of make's."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    place = tmp_path / f"sources/linux-{tree.version}"
    place.parent.mkdir()
    place.symlink_to(tree.path)
    write_record(place, Record(tree.version, "tarball", "x", True, "good", "signed by somebody"))
    assert run_command(["kernel", "build", "6.1"]) == 2
    assert "how is it to be configured?" in capsys.readouterr().err
    words = ["kernel", "build", "6.1", "--preset", "tiny", "scripts_basic"]
    assert run_command(words) == 0
    said = capsys.readouterr()
    assert f"kernel own:{tree.version}-tiny" in said.out and "sources: signed by somebody" in said.out
    build = tmp_path / f"own/{tree.version}-tiny"
    assert (build / "scripts/basic/fixdep").is_file()
    record = read_build_record(build)
    assert record is not None and record.source is not None and record.source["verified"] is True
    made = (build / ".config").stat().st_mtime_ns
    assert run_command(words) == 0
    assert (build / ".config").stat().st_mtime_ns == made
    capsys.readouterr()
    assert run_command(["kernel", "build", f"{tree.version}-tiny", "--dry-run", "-j3"]) == 0
    assert capsys.readouterr().out.startswith(f"make -C {tree.path} O={build} ")


def test_an_option_on_top_of_a_preset(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in the configuration and in the name; one that does not exist leaves nothing behind."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    line = ["kernel", "build", str(tree.path), "--preset", "tiny", "scripts_basic"]
    assert run_command([*line, "CONFIG_LOKALVERSION=-lkp"]) == 2
    assert "no option LOKALVERSION\nhint: CONFIG_LOCALVERSION=-lkp" in capsys.readouterr().err
    assert not (own_dir() / f"{tree.version}-tiny").exists()
    assert run_command([*line, "CONFIG_LOCALVERSION=-lkp"]) == 0
    build = own_dir() / f"{tree.version}-lkp"
    assert 'CONFIG_LOCALVERSION="-lkp"\n' in (build / ".config").read_text()
    assert f"kernel own:{build.name}" in capsys.readouterr().out
    assert run_command([*line, "-O", str(build), "CONFIG_LOCALVERSION=-x"]) == 2
    said = capsys.readouterr().err
    assert "otherwise than preset tiny and LOCALVERSION=-x: LOCALVERSION=-x" in said
    assert f"hint: lkm kernel configure -O {build} --preset tiny LOCALVERSION=-x" in said
    other = tmp_path / "other"
    assert run_command([*line, "-O", str(other), "CONFIG_LOCALVERSION=-lkp"]) == 0
    told = capsys.readouterr()
    assert f"own:{build.name} is {build} already: this one is own:{build.name}-2" in told.err
    assert f"kernel own:{build.name}-2" in told.out
