# SPDX-License-Identifier: MIT
"""`lkm watch`: a run on every save, and what changed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lkm
from lkm.cli.watch import changed_lines, is_source
from lkm.kernel import Kernel
from lkm.klog import Record


def records(*texts: str) -> list[Record]:
    return [Record(number, number / 10, 6, text) for number, text in enumerate(texts)]


def test_only_what_came_or_went_is_a_change() -> None:
    assert changed_lines(records("a", "b", "c"), records("a", "x", "c")) == ["- b", "+ x"]
    assert changed_lines(records("a", "b"), records("a", "b")) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hello.c", True),
        ("Makefile", True),
        ("hello.h", True),
        ("hello.o", False),
        (".hello.o.cmd", False),
        ("hello.mod.c", False),
        ("Module.symvers", False),
        (".hello.c.swp", False),
        ("hello.c~", False),
    ],
)
def test_what_make_leaves_behind_is_no_save(name: str, expected: bool) -> None:
    assert is_source(None, f"/src/{name}") is expected


@pytest.mark.guest
def test_a_save_is_built_and_run_and_the_difference_shown(kernel: Kernel, tmp_path: Path) -> None:
    place = lkm.new_module("watched", parent=tmp_path)
    source = place / "watched.c"
    source.write_text(source.read_text().replace("return 0;", 'pr_info("first words\\n");\n\treturn 0;'))
    output = tmp_path / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "lkm", "watch", "--kernel", kernel.name, place],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )

    def wait_for(text: str) -> None:
        until = time.monotonic() + 90
        while text not in output.read_text():
            assert time.monotonic() < until, output.read_text()
            assert process.poll() is None, output.read_text()
            time.sleep(0.05)

    try:
        wait_for("first words")
        wait_for("waiting for a save")
        source.write_text(source.read_text().replace("first words", "second words"))
        wait_for("+ second words")
        assert "- first words" in output.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    finally:
        process.kill()
        process.wait()
