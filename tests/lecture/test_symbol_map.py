# SPDX-License-Identifier: MIT
"""What the lecture says "About the Symbol Map", on a kernel that was built here and has a real System.map."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from own_build import OwnBuild

from lkm.cli import run_command
from lkm.kernel.own import register_own

pytestmark = pytest.mark.fetch

Ask = Callable[..., list[str]]


@pytest.fixture
def own(own_kernel: OwnBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBuild:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    register_own("mine", own_kernel.build)
    return own_kernel


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """The lines that `lkm WORDS --kernel own:mine` prints."""

    def run(*words: str) -> list[str]:
        assert run_command([*words, "--kernel", "own:mine"]) == 0
        return capsys.readouterr().out.splitlines()

    return run


def run_tool(*argv: str | Path) -> list[list[str]]:
    done = subprocess.run(list(map(str, argv)), check=True, capture_output=True, text=True, timeout=60)
    return [line.split() for line in done.stdout.splitlines()]


def test_it_lists_the_symbols_with_address_and_type(own: OwnBuild, ask: Ask) -> None:
    """`lkm map | head` is `head System.map`, and so is all that follows; it is what nm says of vmlinux."""
    lines = ask("map")
    assert lines == (own.build / "System.map").read_text().splitlines()
    addresses = [int(line.split()[0], 16) for line in lines]
    assert addresses == sorted(addresses) and len(lines) > 5000
    assert {tuple(line.split()) for line in lines} <= {
        tuple(row) for row in run_tool("nm", own.build / "vmlinux")
    }


def test_an_address_by_name_and_a_name_by_address(own: OwnBuild, ask: Ask) -> None:
    line = next(line for line in ask("map", "start_kernel") if line.endswith(" start_kernel"))
    address, letter, name = line.split()
    assert (letter, name) == ("T", "start_kernel")
    for offset in (0, 1, 0x10):
        (found,) = ask("map", f"0x{int(address, 16) + offset:x}")
        assert found.split()[1:] == ["T", f"start_kernel+0x{offset:x}"]


def test_lower_case_is_local_and_upper_case_global(own: OwnBuild, ask: Ask) -> None:
    """By the linker's own word for it; code is t, data d, r or b."""
    rows = [
        row
        for row in run_tool("readelf", "-sW", own.build / "vmlinux")
        if len(row) == 8 and row[0][0].isdigit()
    ]
    bindings: dict[tuple[int, str], set[str]] = {}
    for row in rows:
        bindings.setdefault((int(row[1], 16), row[7]), set()).add(row[4])
    seen = set()
    for line in ask("map"):
        address, letter, name = line.split()
        if letter in "tdrbTDRB":
            expected = "LOCAL" if letter.islower() else "GLOBAL"
            assert expected in bindings[int(address, 16), name], line
            seen.add(letter)
    assert seen == set("tdrbTDRB")
    types = {row[7]: row[3] for row in rows if row[7] in ("start_kernel", "jiffies_64", "init_task")}
    assert types == {"start_kernel": "FUNC", "jiffies_64": "OBJECT", "init_task": "OBJECT"}


def test_the_rule_of_thumb_is_mostly_true(own: OwnBuild, ask: Ask) -> None:
    """All that is exported is upper case; not all that is upper case is exported."""
    exported = {
        row.split("\t")[1]
        for row in (own.build / "Module.symvers").read_text().splitlines()
        if row.split("\t")[2] == "vmlinux"
    }
    upper = {line.split()[2] for line in ask("map") if line.split()[1].isupper()}
    assert exported <= upper
    assert "start_kernel" in upper - exported
