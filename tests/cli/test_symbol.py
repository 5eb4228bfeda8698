# SPDX-License-Identifier: MIT
"""`lkm symbol`: where the addresses of a kernel come from that has none on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lkm.cli import run_command, symbol
from lkm.kernel import Kernel
from lkm.kernel.symbols import Symbols, read_map
from lkm.modtree.index import Index


@pytest.mark.guest
def test_the_guest_is_asked_where_nothing_else_has_addresses(kernel: Kernel, tmp_path: Path) -> None:
    bare = replace(kernel, image=None, build=None)
    symbols = Symbols(Index(tmp_path / "index.sqlite"), read_map=lambda _: symbol.ask_guest(kernel))
    asked = {(one.address, one.type) for one in symbols.find([bare], "_printk")}
    on_disk = {(one.address, one.type) for one in read_map(kernel) or [] if one.name == "_printk"}
    assert asked == on_disk and asked


@pytest.mark.guest
def test_a_guest_tells_the_whole_map(kernel: Kernel) -> None:
    assert sorted(symbol.ask_guest(kernel) or []) == sorted(read_map(kernel) or [])


def test_a_kernel_that_cannot_be_read_does_not_hide_the_others(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kernel.image is not None
    cut = tmp_path / "vmlinuz-cut"
    cut.write_bytes(kernel.image.read_bytes()[: 1 << 20])
    damaged = replace(kernel, name="damaged", image=cut, build=None, modules=None)
    monkeypatch.setattr(symbol, "find_kernels", lambda names: [damaged, kernel])
    assert run_command(["symbol", "_printk"]) == 0
    told = capsys.readouterr()
    assert "_printk" in told.out and f"  {kernel.name}: the kernel" in told.out
    assert "without damaged" in told.err
    assert run_command(["symbol", "_printk", "--kernel", "damaged"]) == 1


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("_prntk", "lkm symbol _printk"),
        ("pm_power_of", "lkm symbol pm_power_off"),
        ("nothing_is_called_so", "lkm map --kernel NAME"),
    ],
)
def test_a_misspelt_name_is_told(
    kernel: Kernel, capsys: pytest.CaptureFixture[str], word: str, hint: str
) -> None:
    assert run_command(["symbol", word, "--kernel", kernel.name]) == 1
    assert f"hint: {hint}" in capsys.readouterr().err


def test_a_kernel_without_the_symbol_is_named(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Module.symvers").write_text("0x12345678\tanother_symbol\tvmlinux\tEXPORT_SYMBOL\t\n")
    other = replace(kernel, name="another", image=None, modules=None, build=tmp_path)
    monkeypatch.setattr(symbol, "find_kernels", lambda names: [kernel, other])
    assert run_command(["symbol", "_printk"]) == 0
    assert "no _printk in another" in capsys.readouterr().err
    assert run_command(["symbol", "_print[k]"]) == 0
    assert "no _print" not in capsys.readouterr().err


def test_a_misspelt_name_in_a_map_is_told(kernel: Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    for word, hint in (("start_kernal", "start_kernel"), ("nothing_is_called_so", "--count")):
        assert run_command(["map", "--kernel", kernel.name, word]) == 1
        assert f"hint: lkm map --kernel {kernel.name} {hint}\n" in capsys.readouterr().err
