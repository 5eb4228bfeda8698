# SPDX-License-Identifier: MIT
"""`lkm run` with modules that end or hang their guest: what is told, and that nothing is left of it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import lkm
from lkm.cli import run_command
from lkm.guest.store import list_templates
from lkm.kernel import Kernel

MODULES = Path(__file__).parents[1] / "guest" / "modules"
Capture = pytest.CaptureFixture[str]
Find = Callable[[str], Path]
pytestmark = pytest.mark.guest


@pytest.fixture(scope="session")
def module(kernel: Kernel) -> Find:
    """A built module of tests/guest/modules, by name."""
    built = lkm.build(MODULES, kernel=kernel)
    assert built.ok, built.diagnostics
    return {path.stem: path for path in built.modules}.__getitem__


def run(kernel: Kernel, *words: str | Path) -> int:
    return run_command(["run", "--kernel", kernel.name, "--timeout", "5", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "status", "outcome", "line"),
    [
        (["stuck", "how=deaf"], 124, "hang", "runs without end, with interrupts off in the init function"),
        (["stuck", "how=mutex", "at=exit"], 124, "hang", "waits for a lock that nobody gives back"),
        (["ends", "how=triple"], 1, "powered-off", "the processor gave up (triple fault)"),
        (["ends", "how=halt"], 1, "powered-off", "the machine was halted"),
        (["ends", "how=panic"], 1, "panic", "the kernel gave up: said the module"),
        (["eats", "--memory", "128"], 1, "panic", "the kernel ran out of memory: System is deadlocked"),
    ],
)  # fmt: skip
def test_the_outcome_in_plain_words(  # noqa: PLR0917 - a table's columns
    kernel: Kernel, module: Find, words: list[str], status: int, outcome: str, line: str, capfd: Capture
) -> None:
    assert run(kernel, module(words[0]), *words[1:]) == status
    said = capfd.readouterr()
    assert line in next(one for one in said.err.splitlines() if one.startswith(f"{outcome}: "))
    assert f"{words[0]}: begins" in said.out
    assert said.err.splitlines()[-1].startswith("hint: ") or outcome == "panic"


def test_the_ending_in_json(kernel: Kernel, module: Find, capfd: Capture) -> None:
    assert run(kernel, module("stuck"), "how=completion", "--json") == 124
    answer = json.loads(capfd.readouterr().out)
    ending = answer["ending"]
    assert (answer["outcome"], ending["detail"], ending["context"]) == ("hang", "asleep", "init")
    assert ending["where"].startswith("stick+0x")
    assert answer["modules"][0]["load"]["ok"] is False
    assert answer["left_out"] == 0
    assert run(kernel, module("tells"), "--json") == 0
    assert json.loads(capfd.readouterr().out)["ending"] is None


def test_a_command_that_hangs_takes_the_time_of_the_unloading_too(
    kernel: Kernel, module: Find, capfd: Capture
) -> None:
    assert run(kernel, module("tells"), "--exec", "sleep 100", "--json") == 1
    answer = json.loads(capfd.readouterr().out)
    assert (answer["outcome"], answer["exec"]["status"]) == ("exec-failed", 124)
    assert answer["modules"][0]["unload"]["ok"] is True
    assert run(kernel, module("stuck"), "how=sleep", "at=exit", "--exec", "sleep 100", "--json") == 124
    assert json.loads(capfd.readouterr().out)["ending"]["context"] == "exit"


def test_the_next_run_is_not_affected(kernel: Kernel, module: Find, examples: Path, capfd: Capture) -> None:
    assert run(kernel, examples / "first") == 0
    before = {one.path: one.mem.stat() for one in list_templates()}
    for words in (["how=deaf"], ["how=print"]):
        assert run(kernel, module("stuck"), *words) == 124
    assert run(kernel, module("ends"), "how=triple") == 1
    capfd.readouterr()
    assert run(kernel, examples / "first", "--json") == 0
    assert [one["text"] for one in json.loads(capfd.readouterr().out)["log"]][-1].startswith("first: ")
    after = {one.path: one.mem.stat() for one in list_templates()}
    for path, about in before.items():
        if path in after:
            assert (after[path].st_ino, after[path].st_mtime_ns) == (about.st_ino, about.st_mtime_ns)


def guests(mark: str) -> list[str]:
    """QEMU's processes that have the mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"LKM_TEST_MARK={mark}".encode() in (entry / "environ").read_bytes():
                found.append((entry / "comm").read_text().strip())
        except OSError:
            continue
    return [one for one in found if one.startswith("qemu")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", ["deaf", "sleep", "print"])
def test_a_signal_ends_a_hang_at_once(kernel: Kernel, module: Find, how: str, number: signal.Signals) -> None:
    mark = f"{os.getpid()}.{how}.{number}"
    argv = [sys.executable, "-m", "lkm", "run", "--kernel", kernel.name, "--timeout", "600"]
    environment = {**os.environ, "LKM_TEST_MARK": mark}
    process = subprocess.Popen(
        [*argv, str(module("stuck")), f"how={how}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 60
    while not guests(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert guests(mark), "no guest was seen"
    time.sleep(1.5)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode in ({130} if number is signal.SIGINT else {-number, 143})
    until = time.monotonic() + 5
    while guests(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert not guests(mark)


def test_a_flood_on_a_terminal_is_cut_and_on_a_pipe_is_not(kernel: Kernel, module: Find) -> None:
    argv = [sys.executable, "-m", "lkm", "run", "--kernel", kernel.name, str(module("floods")), "lines=6000"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert said.stdout.count("of the flood") == 6000
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, stdout=theirs, stderr=subprocess.PIPE, text=True) as process:
        os.close(theirs)
        shown = bytearray()
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # EIO: the other end was closed
                break
            shown += piece
        _, errors = process.communicate(timeout=60)
    os.close(ours)
    assert 2000 <= shown.count(b"of the flood") <= 2200
    assert b"line 5999 of the flood" in shown
    assert "records are not shown on a terminal" in errors
