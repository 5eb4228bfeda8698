# SPDX-License-Identifier: MIT
"""A build directory that was built again: nothing that was read of the old kernel is served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tree_builder import add_module, module_bytes

from lkm.kernel import Kernel, Origin
from lkm.kernel.symbols import Symbols
from lkm.modtree.index import Index
from lkm.verdict import read_ground


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index.sqlite")


@pytest.fixture
def made(tmp_path: Path) -> Kernel:
    """An own kernel without an image: what is known of it comes from its build directory."""
    build = tmp_path / "build"
    (build / "include/config").mkdir(parents=True)
    (build / "drivers").mkdir()
    (build / ".config").write_text("CONFIG_X86_64=y\n# CONFIG_MODVERSIONS is not set\n")
    (build / "modules.order").write_text("drivers/core.o\ndrivers/user.o\n")
    write_modules(build, users="old_name")
    write_symbols(build, "old_name")
    return Kernel(
        "own:made", "6.12.9", "x86_64", Origin.OWN, config=build / ".config", modules=build, build=build
    )


def write_modules(build: Path, *, users: str) -> None:
    """core exports `core_call`; user uses `users`."""
    add_module(build, "drivers/core.ko", module_bytes("core", exports=["core_call"]))
    add_module(build, "drivers/user.ko", module_bytes("user", imports=[users]))


def write_symbols(build: Path, name: str) -> None:
    (build / "Module.symvers").write_text(f"0x00000007\t{name}\tvmlinux\tEXPORT_SYMBOL\t\n")
    lines = "".join(f"ffffffff8200{number:04x} t filler_{number}\n" for number in range(300))
    (build / "System.map").write_text(f"ffffffff81000000 T _text\nffffffff81000010 T {name}\n{lines}")


def test_symbols_are_those_of_the_new_map(made: Kernel, index: Index) -> None:
    assert made.build is not None
    symbols = Symbols(index)
    assert [one.address for one in symbols.find([made], "old_name")] == [0xFFFFFFFF81000010]
    write_symbols(made.build, "new_name")
    assert symbols.find([made], "old_name") == []
    assert [one.exported for one in symbols.find([made], "new_name")] == [True]


def test_users_of_a_symbol_are_those_of_the_new_modules(made: Kernel, index: Index) -> None:
    assert made.build is not None
    symbols = Symbols(index)
    assert symbols.find([made], "core_call")[0].users == ()
    write_modules(made.build, users="core_call")  # neither modules.order nor Module.symvers differs
    assert symbols.find([made], "core_call")[0].users == ("user",)


def test_what_a_module_is_checked_against_is_the_new_kernel(made: Kernel, index: Index) -> None:
    assert made.build is not None
    before = read_ground(made, index=index)
    assert before.exports is not None and set(before.exports) == {"old_name"}
    assert before.option("MODVERSIONS") is False and before.needs["user"] == ()
    write_symbols(made.build, "new_name")
    after = read_ground(made, index=index)
    assert after.exports is not None and set(after.exports) == {"new_name"}
    (made.build / ".config").write_text("CONFIG_X86_64=y\nCONFIG_MODVERSIONS=y\n")
    assert read_ground(made, index=index).option("MODVERSIONS") is True
    write_modules(made.build, users="core_call")
    assert read_ground(made, index=index).needs["user"] == ("core",)
    assert read_ground(replace(made, name="other"), index=index).needs["user"] == ("core",)
