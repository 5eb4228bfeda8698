# SPDX-License-Identifier: MIT
"""`lkm run --gdb`: what a person sees, and what one can get wrong."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lkm.cli import run_command
from lkm.cli.tell import tell_waiting
from lkm.guest.gdb.debugger import Waiting
from lkm.kbuild import build
from lkm.kernel import Kernel

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def hello(kernel: Kernel) -> Path:
    return build(Path(__file__).parents[2] / "examples" / "hello", kernel=kernel).modules[0]


@contextmanager
def started(kernel: Kernel, *words: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """lkm in a process of its own, as from a terminal without anybody at it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lkm", "run", "--kernel", kernel.name, *words],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], start: str) -> list[str]:
    """What it says on standard error up to a line that begins so."""
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line.rstrip("\n"))
        if line.startswith(start):
            return said
    raise AssertionError(f"{start!r} was not said: {said}")


def interrupt(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    return process.returncode


def test_the_command_is_printed_and_works_and_the_run_ends_as_ever(kernel: Kernel, hello: Path) -> None:
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not on this machine")
    with started(kernel, "--gdb", hello, "month=May") as process:
        said = lines_until(process, "    gdb -x ")
        assert said[-2] == "the guest waits before hello's init function; in another terminal:"
        assert all(len(line) <= 80 for line in said[:-1])
        argv = [
            *shlex.split(said[-1]),
            "-nx",
            "-batch",
            "-ex",
            "continue",
            "-ex",
            "continue",
            "-ex",
            "continue",
        ]
        gdb = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        out, err = process.communicate(timeout=60)
    assert "Temporary breakpoint 1, hello_init ()" in gdb.stdout
    assert "exited normally" in gdb.stdout
    assert [line.partition("] ")[2] for line in out.splitlines()][-2:] == [
        "Hello! We are on 1 May",
        "Goodbye, cruel world",
    ]
    assert err.splitlines()[-1].startswith("ok: ")
    assert process.returncode == 0


def marked(mark: str) -> list[str]:
    """The processes that have the mark in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"LKM_TEST_MARK={mark}".encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
    return found


def test_ctrl_c_ends_a_run_that_waits(kernel: Kernel, hello: Path, tmp_path: Path) -> None:
    mark = tmp_path.name
    with started(kernel, "--gdb", hello, LKM_TEST_MARK=mark) as process:
        script = Path(lines_until(process, "    gdb -x ")[-1].split()[-1])
        assert "tbreak" in script.read_text()
        assert len(marked(mark)) > 1
        assert interrupt(process) == 130
    assert not marked(mark)


def test_an_editors_entry_is_json_ready_to_paste(kernel: Kernel, hello: Path) -> None:
    with started(kernel, "--vscode", hello) as process:
        lines_until(process, "or, in .vscode/launch.json")
        entry = json.loads("\n".join(lines_until(process, "}")))
        assert entry["miDebuggerServerAddress"].startswith("localhost:")
        assert Path(entry["program"]).is_file()
        assert interrupt(process) == 130


def test_without_gdb_the_command_is_printed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not on this machine")
    (tmp_path / "apt-get").symlink_to(shutil.which("apt-get") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    tell_waiting(Waiting("hello", ("gdb", "-x", "/a dir/hello.gdb"), True))
    said = capfd.readouterr().err.splitlines()
    assert said[1:3] == ["    gdb -x '/a dir/hello.gdb'", "gdb is not on this machine"]
    assert said[3].startswith("hint: ")
    assert said[3].endswith("apt-get install -y --no-install-recommends gdb")


def test_a_module_without_debug_information_is_told_of(kernel: Kernel, hello: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "hello.ko"
    subprocess.run(["objcopy", "--strip-debug", hello, stripped], check=True)
    with started(kernel, "--gdb", stripped) as process:
        said = lines_until(process, "hint: ")
        assert said[-2] == "hello has no debug information: gdb shows instructions, not lines"
        assert said[-1] == "hint: ccflags-y += -g in its Makefile"
        assert interrupt(process) == 130


@pytest.mark.parametrize("option", ["--gdb", "--vscode"])
def test_what_a_machine_reads_is_not_for_a_debugger(option: str, hello: Path, capfd: Capture) -> None:
    assert run_command(["run", option, "--json", str(hello)]) == 2
    assert "--gdb is for a person" in capfd.readouterr().err


def test_many_loads_are_not_for_a_debugger(hello: Path, capfd: Capture) -> None:
    assert run_command(["run", "--gdb", "--cycles", "10", str(hello)]) == 2
    assert "--cycles makes many" in capfd.readouterr().err


def test_a_module_that_is_refused_is_told_as_ever(kernel: Kernel, hello: Path, capfd: Capture) -> None:
    assert run_command(["run", "--gdb", "--kernel", kernel.name, str(hello), "day=never"]) == 1
    said = capfd.readouterr().err
    assert "gdb -x" not in said
    assert "load-failed: the kernel refused the module, loading hello" in said
