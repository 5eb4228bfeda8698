# SPDX-License-Identifier: MIT
"""`lkm deps` and `lkm plan` for a person's own files: what lies beside them counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import lkm
from lkm.cli import run_command
from lkm.kernel import Kernel


@pytest.fixture
def built(kernel: Kernel, examples: Path, tmp_path: Path) -> Path:
    """The two modules of the example in which one uses the other's export."""
    for path in lkm.build(examples / "exports", kernel=kernel).modules:
        shutil.copy(path, tmp_path)
    return tmp_path


def test_what_lies_beside_a_file_is_found(
    built: Path, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    user = str(built / "visitor.ko")
    assert run_command(["deps", user, "--kernel", kernel.name]) == 0
    assert "greeter" in capsys.readouterr().out
    assert run_command(["plan", user, "--kernel", kernel.name]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"insmod {built}/greeter.ko") and second.startswith(f"insmod {user}")


@pytest.mark.parametrize("verb", ["deps", "plan"])
def test_what_is_nowhere_is_told(
    verb: str, built: Path, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    (built / "greeter.ko").unlink()
    assert run_command([verb, str(built / "visitor.ko"), "--kernel", kernel.name]) == 1
    said = capsys.readouterr().err
    assert "visitor depends on greeter, which is neither beside it nor in" in said
    assert "name its file too" in said


def test_a_source_is_no_file(tmp_path: Path, kernel: Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("deps", "plan", "params"):
        assert (
            run_command([verb, str(tmp_path), "--kernel", kernel.name][: 4 if verb != "params" else 2]) == 1
        )
        assert f"lkm build {tmp_path} prints the path of its .ko" in capsys.readouterr().err
