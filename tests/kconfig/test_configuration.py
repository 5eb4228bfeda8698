# SPDX-License-Identifier: MIT
"""Making configurations of a real kernel by its own make and conf."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lkm import process
from lkm.errors import BadInputError, UsageError
from lkm.kconfig.conf import run_target
from lkm.kconfig.configuration import Request, configure, merge_settings
from lkm.kconfig.dotconfig import Setting, parse_settings, read_config
from lkm.kconfig.hardware import format_lsmod
from lkm.kconfig.index import Symbol
from lkm.kconfig.refusal import Cause
from lkm.kconfig.tree import (
    Tree,
    check_clean,
    find_source,
    is_tree,
    read_config_arch,
    read_config_words,
    read_tree,
)

pytestmark = pytest.mark.fetch


def test_set_says_what_it_drags_in_and_what_did_not_come_about(tree: Tree, output: Path) -> None:
    wanted = [
        Setting("KASAN", "y"),
        Setting("X86_64", "n"),
        Setting("WIBBLE", "y"),
        Setting("PREEMPT_RT", "y"),
    ]
    made = configure(tree, output, Request(settings=wanted))
    values = read_config(output / ".config")
    assert values["KASAN"] == "y" and not made.ok
    dragged = {change.name: (change.before, change.after) for change in made.dragged}
    assert dragged["KASAN_GENERIC"] == (None, "y")
    assert "KASAN" not in dragged
    causes = {refusal.setting.name: refusal.cause for refusal in made.refusals}
    assert causes == {
        "X86_64": Cause.NO_PROMPT,
        "WIBBLE": Cause.NO_SYMBOL,
        "PREEMPT_RT": Cause.DEPENDENCY,
    }


def test_after_allnoconfig_all_that_was_not_asked_for_stays_off(tree: Tree, tmp_path: Path) -> None:
    settings = parse_settings('CONFIG_64BIT=y\nCONFIG_NET=y\nCONFIG_LOCALVERSION="-x"\n', where="f")
    made = configure(tree, tmp_path, Request(target="allnoconfig", settings=settings))
    values = read_config(tmp_path / ".config")
    assert made.ok and made.options < 500
    assert (values["64BIT"], values["NET"], values["LOCALVERSION"]) == ("y", "y", "-x")
    # Both are on by default where NET is.
    assert values.get("WIRELESS", "n") == "n" and values.get("NETDEVICES", "n") == "n"
    assert [path.name for path in tmp_path.glob(".lkm*")] == []
    assert any("allnoconfig" in step for step in made.steps)


def test_oldconfig_answers_by_file_by_asking_and_by_default(tree: Tree, output: Path) -> None:
    config = output / ".config"
    dropped = (
        "CONFIG_USB_ACM",
        "CONFIG_KASAN ",
        "# CONFIG_KASAN is",
        "CONFIG_USB_PRINTER",
        "# CONFIG_USB_ACM",
    )
    text = [line for line in config.read_text().splitlines() if not line.startswith(dropped)]
    assert not any("USB_PRINTER" in line for line in text)
    config.write_text("\n".join(text) + "\n")
    asked: list[str] = []

    def ask(symbol: Symbol | None, setting: Setting) -> str:
        assert symbol is not None and symbol.prompt
        asked.append(setting.name)
        return "m" if setting.name == "USB_PRINTER" else setting.value

    answers = [Setting("USB_ACM", "m", "answers:1"), Setting("WIBBLE", "y", "answers:2")]
    made = configure(tree, output, Request(target="oldconfig", answers=answers, ask=ask))
    values = read_config(config)
    assert (values["USB_ACM"], values["USB_PRINTER"]) == ("m", "m")
    assert "USB_PRINTER" in asked and "USB_ACM" not in asked
    assert [setting.name for setting in made.unused] == ["WIBBLE"]


def test_localmodconfig_for_another_machine(tree: Tree, output: Path, tmp_path: Path) -> None:
    if shutil.which("perl") is None:
        pytest.skip("no perl on this machine")
    config = output / ".config"
    more = "CONFIG_USB_ACM=m\nCONFIG_USB_PRINTER=m\n"
    config.write_text(config.read_text() + more)
    (tmp_path / "lsmod").write_text(format_lsmod(["cdc_acm", "wibble", "dm-mod", "btrfs"]))
    made = configure(tree, output, Request(target="localmodconfig", modules=tmp_path / "lsmod"))
    values = read_config(config)
    assert values["USB_ACM"] == "m"
    assert values.get("USB_PRINTER", "n") == "n"
    refused = {one.setting.where: (one.setting.name, one.cause) for one in made.refusals}
    assert refused["module wibble"] == ("wibble", Cause.NO_SYMBOL)
    assert refused["module btrfs"] == ("BTRFS_FS", Cause.OTHER)
    assert "module cdc_acm" not in refused


def test_a_start_of_another_kernel_says_what_is_not_here(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("CONFIG_64BIT=y\nCONFIG_KMEMCHECK=y\nCONFIG_USB_ACM=m\n")
    made = configure(tree, tmp_path / "o", Request(target="olddefconfig", start=tmp_path / "old"))
    assert made.forgotten == ("KMEMCHECK",)


def test_a_compiler_that_is_not_there_is_told_with_its_package(tree: Tree, tmp_path: Path) -> None:
    other = read_tree(tree.path, {"ARCH": "arm64", "CROSS_COMPILE": "vax-linux-gnu-"})
    with pytest.raises(BadInputError, match="'vax-linux-gnu-gcc' not found") as caught:
        configure(other, tmp_path, Request(target="defconfig"))
    assert caught.value.hint == "apt-get install gcc-vax-linux-gnu"


def test_what_fails_leaves_the_configuration_as_it_was(tree: Tree, output: Path) -> None:
    before = (output / ".config").read_bytes()
    with pytest.raises(BadInputError, match="make"):
        configure(tree, output, Request(target="wibbleconfig"))
    assert (output / ".config").read_bytes() == before


@pytest.mark.parametrize("target", ["", "olddefconfig", "oldconfig", "localmodconfig"])
def test_without_a_configuration_none_is_made_of_this_machines(
    tree: Tree, tmp_path: Path, target: str
) -> None:
    with pytest.raises(UsageError, match=r"no \.config to go on from"):
        configure(tree, tmp_path, Request(target=target))
    assert not (tmp_path / ".config").exists()


def test_two_fragments_that_differ_are_told_and_the_later_holds() -> None:
    first = parse_settings("CONFIG_A=y\nCONFIG_B=y\n", where="one.config")
    then = parse_settings("CONFIG_B=m\nCONFIG_A=y\n", where="two.config")
    merged, (conflict,) = merge_settings([*first, *then])
    assert merged["B"].value == "m"
    assert (conflict.first.where, conflict.then.where) == ("one.config:2", "two.config:1")


@pytest.mark.parametrize(
    ("said", "packages"),
    [
        ("compiler 'aarch64-linux-gnu-gcc' not found", "gcc-aarch64-linux-gnu"),
        ("linker 'aarch64-linux-gnu-ld' not found", "binutils-aarch64-linux-gnu"),
        ("linker 'ld.lld' not found", "lld"),
        ("linker 'ld' not found", "binutils"),
    ],
)
def test_what_kconfig_does_not_find_is_named_by_its_package(
    tree: Tree, output: Path, monkeypatch: pytest.MonkeyPatch, said: str, packages: str
) -> None:
    ended = process.Result(("make",), 2, "", f"scripts/Kconfig.include:39: {said}\n", 0.1)
    monkeypatch.setattr(process, "run", lambda *_, **__: ended)
    with pytest.raises(BadInputError, match=said) as caught:
        run_target(tree, output, "defconfig")
    assert caught.value.hint == f"apt-get install {packages}"


def test_a_tree_built_in_place_is_told_with_the_remedy(tmp_path: Path) -> None:
    for name in ("scripts/kconfig", "arch/x86"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("Kconfig", "arch/x86/Kconfig", ".config"):
        (tmp_path / name).write_text("")
    (tmp_path / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 9\nSUBLEVEL = 0\nEXTRAVERSION = -rc1\n")
    tree = read_tree(tmp_path, {"ARCH": "i386"})
    assert (tree.version, tree.arch) == ("6.9.0-rc1", "x86")
    with pytest.raises(BadInputError, match="in place") as caught:
        check_clean(tree)
    assert "mrproper" in caught.value.hint
    with pytest.raises(UsageError, match="knows no ARCH vax"):
        read_tree(tmp_path, {"ARCH": "vax"})
    with pytest.raises(UsageError, match="no kernel sources"):
        read_tree(tmp_path / "arch")


def test_a_build_directory_knows_its_sources(tree: Tree, built: Path, tmp_path: Path) -> None:
    assert find_source(built) == tree.path and is_tree(tree.path)
    assert find_source(tmp_path) is None


def test_a_configuration_says_its_arch(built: Path, tmp_path: Path) -> None:
    assert read_config_arch(built) == "x86_64"
    (tmp_path / ".config").write_text("# Linux/arm64 6.12.1 Kernel Configuration\nCONFIG_64BIT=y\n")
    assert read_config_arch(tmp_path) == "arm64"
    assert read_config_arch(tmp_path / "gone") == ""


@pytest.mark.parametrize(
    ("arch", "compiler", "words"),
    [
        ("x86", "gcc (Test) 98.1.0", {}),
        ("x86", "clang version 98.0.1, LLD", {"LLVM": "1"}),
        ("x86", "clang version 97.0.1, LLD", {"LLVM": "-97"}),
        ("x86", "clang version 97.0.1, BFD", {"CC": "clang-97"}),
        ("x86", "clang version 96.0.1, LLD", {}),  # is not here
        ("arm64", "x-gcc (Test) 98.1.0", {"ARCH": "arm64", "CROSS_COMPILE": "x-"}),
        ("arm64", "x-gcc-9 (T) 9.1.0", {"ARCH": "arm64", "CROSS_COMPILE": "x-", "CC": "x-gcc-9"}),
        ("arm64", "x-gcc-8 (T) 8.1.0", {"ARCH": "arm64"}),
    ],
)
def test_a_configuration_says_its_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str, compiler: str, words: dict[str, str]
) -> None:
    """So that it is changed with the compiler that it was made with, if that is here."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lkm.kconfig.tree.find_arch", lambda: "x86")
    here = {"clang": "clang version 98.0.1", "clang-97": "clang version 97.0.1"}
    here |= {"x-gcc": "x-gcc (Test) 98.1.0", "x-gcc-9": "x-gcc-9 (T) 9.1.0"}
    for name, version in here.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{version}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    text, _, linker = compiler.partition(", ")
    head = f'#\n# Linux/{arch} 6.12.1 Kernel Configuration\n#\nCONFIG_CC_VERSION_TEXT="{text}"\n'
    (tmp_path / ".config").write_text(f"{head}CONFIG_LD_IS_{linker or 'BFD'}=y\n")
    assert read_config_words(tmp_path) == words
