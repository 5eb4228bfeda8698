# SPDX-License-Identifier: MIT
"""What the lecture says of booting: how a kernel comes up, and that what is `__init` is given back."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from own_build import OwnBuild

from lkm.cli import run_command

pytestmark = pytest.mark.guest


@pytest.mark.fetch
def test_how_linux_comes_up_in_the_terminal_and_as_a_page(
    own_kernel: OwnBuild,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    assert (
        run_command(["kernel", "boot", str(own_kernel.build), "--svg", "boot.svg", "--html", "boot.html"])
        == 0
    )
    shown = capsys.readouterr().out
    order = [
        "Firmware", "Decompression", "start_kernel", "First threads", "Initcalls: early", "Initcalls: core",
        "Initcalls: device", "Init memory freed", "First process", "READY",
    ]  # fmt: skip
    places = [shown.index(word) for word in order]
    assert places == sorted(places)
    assert re.search(r"\d+ KiB  Freeing unused kernel image \(initmem\) memory", shown)
    assert re.search(r"\d+ initcalls, ", shown) and "The slowest" in shown
    # Its own build says which file a function is from.
    assert re.search(r"[\w/]+/\w+\.c:\d+", shown)
    assert max(map(len, shown.splitlines())) <= 80
    for name in ("boot.svg", "boot.html"):
        text = (tmp_path / name).read_text()
        assert "Decompression" in text and "initmem" in text


@pytest.mark.fetch
def test_two_kernels_side_by_side_in_the_terminal_and_as_a_page(
    own_kernel: OwnBuild, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    both = ["--compare", str(own_kernel.build), str(own_kernel.build), "--repeat", "1"]
    assert run_command(["kernel", "boot", *both, "--svg", "both.svg", "--html", "both.html"]) == 0
    said = capsys.readouterr()
    assert "times as long as A" in said.out and "wrote both.svg" in said.err and "wrote both.html" in said.err
    for name in ("both.svg", "both.html"):
        text = (tmp_path / name).read_text()
        assert "Decompression" in text and "times as long as A" in text


def test_a_kernel_that_does_not_come_up(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # Too little memory to unpack it into: nothing is said, and its processor gives up or waits for ever.
    assert run_command(["kernel", "boot", "--memory", "16", "--timeout", "5", "--json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert value["ok"] is False and value["ending"]["end"] in ("powered-off", "hang")
    assert value["reached"] in ("firmware", "setup", "decompress", "head")


def test_wrong_use_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    for words, said in (
        (["--compare", "a", "b", "c"], "--compare takes two kernels"),
        (["--repeat", "2"], "--repeat is for --compare"),
        (["--root", str(tmp_path)], "there: none"),
        (["nowhere"], "nowhere"),
    ):
        assert run_command(["kernel", "boot", *words]) == 2
        assert said in capsys.readouterr().err


def test_an_interrupt_leaves_nothing_running(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lkm", "kernel", "boot", "-v"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lkm:
        assert lkm.stderr is not None
        for line in lkm.stderr:
            if line.startswith("+ qemu-system") or "/qemu-system" in line:
                break
        time.sleep(0.3)
        running = _children(lkm.pid)
        assert any(map(_is_qemu, running))
        lkm.send_signal(signal.SIGINT)
        assert lkm.wait(20) == 130
    for pid in running:
        assert not _is_qemu(pid)


def _children(pid: int) -> list[int]:
    numbers = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
    return [one for one in numbers if _parent(one) == pid]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_qemu(pid: int) -> bool:
    try:
        return b"qemu-system" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
