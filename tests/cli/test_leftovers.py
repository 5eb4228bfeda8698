# SPDX-License-Identifier: MIT
"""What `lkm run` says of leftovers and cycles, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lkm
from lkm.cli import run_command
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest

FORGETFUL = Path(__file__).parents[1] / "leftovers" / "modules"


@pytest.fixture(scope="module")
def left_proc(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("left")
    (place / "left_proc.c").write_bytes((FORGETFUL / "left_proc.c").read_bytes())
    (place / "Kbuild").write_text("obj-m += left_proc.o\n")
    return str(lkm.build(place, kernel=kernel).modules[0])


def test_it_is_a_warning_and_an_error_where_asked_for(
    kernel: Kernel, left_proc: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["run", "--kernel", kernel.name, left_proc]) == 0
    said = capfd.readouterr().err
    assert "left behind: /proc/left_proc is still there: proc_remove()" in said
    assert run_command(["run", "--kernel", kernel.name, "--strict", left_proc]) == 1


def test_in_json(kernel: Kernel, left_proc: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "--kernel", kernel.name, "--json", left_proc]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["cycles"] is None
    (one,) = found["leftovers"]
    assert (one["kind"], one["name"], one["detail"]) == ("proc", "/proc/left_proc", "")
    assert one["cause"] in one["text"]


def test_cycles(kernel: Kernel, examples: Path, capfd: pytest.CaptureFixture[str]) -> None:
    argv = ["run", "--kernel", kernel.name, "--cycles", "5", str(examples / "hello")]
    assert run_command(argv) == 0
    said = capfd.readouterr()
    assert said.out.count("Hello!") == 1
    assert "5 cycles: no memory is left behind" in said.err


@pytest.mark.parametrize(
    "words", [["--cycles", "4"], ["--cycles", "x"], ["--cycles", "5", "--no-unload"]], ids=" ".join
)
def test_wrong_use(words: list[str], examples: Path) -> None:
    assert run_command(["run", *words, str(examples / "hello")]) == 2
