# SPDX-License-Identifier: MIT
"""What `lkm kernel configure` says, and leaves as it was, where something is not as it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.cli import run_command
from lkm.cli.kernel_tree import find_tree
from lkm.errors import UsageError
from lkm.kconfig.configuration import Request, configure
from lkm.kconfig.dotconfig import read_config
from lkm.kconfig.tree import Tree
from lkm.kernel.own import LOCK_NAME
from lkm.paths import locked


def run(capsys: pytest.CaptureFixture[str], output: Path, *words: str) -> tuple[int, str, list[str]]:
    """The status, standard output, and the lines that may be typed next."""
    status = run_command(["kernel", "configure", "-O", str(output), "ARCH=x86_64", *words])
    said = capsys.readouterr()
    hints = [line.removeprefix("hint: lkm kernel ") for line in said.err.splitlines() if "hint: " in line]
    return status, said.out, hints


@pytest.mark.fetch
def test_where_a_build_is_going_on_nothing_is_changed(tree: Tree, output: Path) -> None:
    before = (output / ".config").read_bytes()
    with locked(output / LOCK_NAME), pytest.raises(UsageError, match="a build is going on there already"):
        configure(tree, output, Request(target="allnoconfig"))
    assert (output / ".config").read_bytes() == before
    configure(tree, output, Request(target="allnoconfig"))
    assert (output / ".config").read_bytes() != before


@pytest.mark.fetch
def test_a_value_out_of_range_leaves_the_option_as_it_was(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_config(output / ".config")
    # One below its range, one above it, and one that comes about beside them.
    status, out, hints = run(capsys, output, "set", "LOG_BUF_SHIFT=99", "NR_CPUS=1", "USB_ACM=m")
    after = read_config(output / ".config")
    assert {name for name in after if after[name] != before.get(name, "n")} == {"USB_ACM"}
    assert status == 1 and "asked for: 3, came about: 1, others that changed: 0" in out
    assert f"not LOG_BUF_SHIFT=99, it is {before['LOG_BUF_SHIFT']}: it goes from 12 to 25" in out
    assert hints == [f"configure -O {output} set LOG_BUF_SHIFT=25 NR_CPUS=2"]


@pytest.mark.fetch
def test_what_came_about_otherwise_is_told_as_a_change(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, hints = run(capsys, output, "set", "USB=m", "USB_ACM=y")
    assert status == 1 and "not USB_ACM=y, it was n and is m now: depends on USB (m)" in out
    assert hints == [f"why USB_ACM=y -O {output}"]


@pytest.mark.fetch
def test_each_of_several_has_a_next_step(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("KASSAN=y", "LOG_BUF_SHIFT=99", "64BIT=maybe", "USB=m", "USB_ACM=y", "MODULES=m")
    status, _, hints = run(capsys, output, "set", *words)
    assert status == 1
    # MODULES=y, which MODULES=m may have meant, is so already.
    assert hints == [
        f"configure -O {output} set KASAN=y LOG_BUF_SHIFT=25",
        f"why 64BIT -O {output}",
        f"why USB_ACM=y -O {output}",
    ]


@pytest.mark.fetch
@pytest.mark.parametrize(
    ("target", "near"),
    [
        ("tinny_defconfig", "tinyconfig"),
        ("x86_46_defconfig", "x86_64_defconfig"),
        ("kvm_gest.config", "kvm_guest.config"),
    ],
)
def test_a_target_that_is_not_there_has_a_near_one(
    output: Path, capsys: pytest.CaptureFixture[str], target: str, near: str
) -> None:
    before = (output / ".config").read_bytes()
    status = run_command(["kernel", "configure", "-O", str(output), "ARCH=x86_64", target])
    err = capsys.readouterr().err
    assert status == 2 and f"has no {target} for x86" in err and "***" not in err
    assert f"lkm kernel configure -O {output} ARCH=x86_64 {near}" in err
    assert (output / ".config").read_bytes() == before


def test_a_path_is_no_release_to_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    for name in (str(tmp_path / "nosuch"), "my-sources"):
        with pytest.raises(UsageError, match="no such directory") as caught:
            find_tree(name, tmp_path)
        assert f"get {name}" not in caught.value.hint and "--tree DIR" in caught.value.hint
    with pytest.raises(UsageError, match="no such directory") as caught:
        find_tree("6.12", tmp_path)
    assert caught.value.hint == "lkm kernel get 6.12"
