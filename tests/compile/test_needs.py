# SPDX-License-Identifier: MIT
"""What a machine lacks, found on a PATH with some programs only and a compiler without headers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.compile.needs import check_keys, check_needs, estimate_room, find_missing
from lkm.errors import BadInputError, MissingError
from lkm.kconfig.tree import Tree

EVERYTHING = ("make", "gcc", "ld", "flex", "bison", "bc")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leaves only the programs named; `bare`: a compiler that finds no headers."""
    real = {name: shutil.which(name) for name in ("gcc", "setpriv", "sh")}
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("setpriv", "sh"):
        (place / name).symlink_to(str(real[name]))

    def leave(*names: str, bare: bool = False) -> None:
        for name in names:
            (place / name).write_text("#!/bin/sh\n")
            (place / name).chmod(0o755)
        if "gcc" in names:
            (tmp_path / "empty").mkdir()
            option = f"-nostdinc -I{tmp_path}/empty " if bare else ""
            (place / "gcc").write_text(f'#!/bin/sh\nexec {real["gcc"]} {option}"$@"\n')
        monkeypatch.setenv("PATH", str(place))
        # Programs are looked for in /usr/sbin and the like, too: none of those asked for here is there.
        monkeypatch.setattr("lkm.process.find_program", lambda name: _find(place, name))

    return leave


def _find(place: Path, name: str) -> Path | None:
    found = place / name
    return found if found.exists() else None


def names_of(config: dict[str, str], *targets: str, made: bool = False, **words: str) -> list[str]:
    return [need.name for need in find_missing(config, words, targets, made=made)]


def test_a_machine_with_all_of_it_lacks_nothing(machine: Callable[..., None]) -> None:
    machine(*EVERYTHING)
    assert names_of({}) == []
    check_needs({}, {}, ())


def test_what_every_kernel_needs(machine: Callable[..., None]) -> None:
    machine("make", "gcc", "ld")
    assert names_of({}) == ["flex", "bison", "bc"]
    assert names_of({}, made=True) == ["bc"]  # conf is there already


@pytest.mark.parametrize(
    ("option", "program"),
    [
        ("DEBUG_INFO_BTF", "pahole"),
        ("KERNEL_LZ4", "lz4"),
        ("KERNEL_ZSTD", "zstd"),
        ("KERNEL_XZ", "xz"),
        ("OID_REGISTRY", "perl"),
    ],
)
def test_what_an_option_needs(machine: Callable[..., None], option: str, program: str) -> None:
    machine(*EVERYTHING)
    assert names_of({option: "y"}) == [program]
    assert names_of({option: "n"}) == []


def test_headers_are_asked_of_the_compiler(machine: Callable[..., None]) -> None:
    machine(*EVERYTHING, bare=True)
    config = {"OBJTOOL": "y", "SYSTEM_TRUSTED_KEYRING": "y"}
    assert names_of(config) == ["gelf.h", "openssl/opensslv.h", "stdio.h"]
    with pytest.raises(MissingError) as caught:
        check_needs(config, {}, ())
    assert "gelf.h (libelf-dev): objtool, for CONFIG_OBJTOOL" in caught.value.message
    assert caught.value.hint.startswith("apt-get install libelf-dev libssl-dev libc6-dev")


def test_the_key_that_the_build_makes_takes_openssl(machine: Callable[..., None]) -> None:
    machine(*EVERYTHING)
    assert names_of({"MODULE_SIG": "y", "MODULE_SIG_KEY": '"certs/signing_key.pem"'}) == ["openssl"]
    assert names_of({"MODULE_SIG": "y", "MODULE_SIG_KEY": '"/my/key.pem"'}) == []


def test_another_machine_takes_its_compiler(machine: Callable[..., None]) -> None:
    machine(*EVERYTHING)
    missing = list(find_missing({}, {"CROSS_COMPILE": "aarch64-linux-gnu-"}, ()))
    assert [(need.name, need.package) for need in missing] == [
        ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
        ("aarch64-linux-gnu-ld", "binutils-aarch64-linux-gnu"),
    ]
    machine("aarch64-linux-gnu-gcc-12", "aarch64-linux-gnu-gcc-9")
    with pytest.raises(MissingError) as caught:
        check_needs({}, {"CROSS_COMPILE": "aarch64-linux-gnu-"}, ())
    assert caught.value.hint.endswith("; or CC=aarch64-linux-gnu-gcc-12, which is here")
    assert names_of({}, CC="aarch64-linux-gnu-gcc-12", LD="ld") == []


@pytest.mark.parametrize(
    ("words", "suffix"), [({"LLVM": "1"}, ""), ({"LLVM": "0"}, ""), ({"LLVM": "-15"}, "-15")]
)
def test_llvm_is_more_than_a_compiler(
    machine: Callable[..., None], words: dict[str, str], suffix: str
) -> None:
    machine(*EVERYTHING)
    tools = ("clang", "ld.lld", "llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-strip")
    assert names_of({}, **words) == [f"{tool}{suffix}" for tool in tools]
    with pytest.raises(MissingError) as caught:
        check_needs({}, words, ())
    packages = " ".join(f"{package}{suffix}" for package in ("clang", "lld", "llvm"))
    assert caught.value.hint == f"apt-get install {packages} (Debian's names)"
    machine(*(f"{tool}{suffix}" for tool in tools[:2]))
    assert names_of({}, **words)[0] == f"llvm-ar{suffix}"


def test_llvm_of_another_version_is_named(machine: Callable[..., None], tmp_path: Path) -> None:
    machine(*EVERYTHING, "clang-14")
    with pytest.raises(MissingError) as caught:
        check_needs({}, {"LLVM": "1"}, ())
    assert caught.value.hint.endswith("; or LLVM=-14, which is here")
    assert names_of({}, LLVM=f"{tmp_path}/llvm/")[0] == f"{tmp_path}/llvm/clang"


def test_packages_take_the_packagers_programs(machine: Callable[..., None], tmp_path: Path) -> None:
    """Which they are the sources say: 6.12 calls debhelper, those before 5.5 fakeroot."""
    machine(*EVERYTHING)
    assert names_of({}, "bindeb-pkg") == ["dpkg-buildpackage", "rsync", "depmod"]
    scripts = tmp_path / "scripts/package"
    (scripts / "debian").mkdir(parents=True)
    (scripts / "mkdebian").write_text("Maintainer: $maintainer\n")
    missing = find_missing({}, {}, ("bindeb-pkg",), sources=tmp_path)
    assert [need.name for need in missing][3:] == ["fakeroot"]
    (scripts / "mkdebian").write_text("Rules-Requires-Root: no\n")
    (scripts / "debian/rules").write_text("\t$(Q)dh_testdir $(DH_OPTIONS)\n")
    missing = find_missing({}, {}, ("bindeb-pkg",), sources=tmp_path)
    assert [(need.name, need.package) for need in missing][3:] == [("dh_listpackages", "debhelper")]
    assert names_of({}, "binrpm-pkg") == ["rpmbuild", "rsync"]


def test_headers_for_another_machine_take_its_gcc(machine: Callable[..., None]) -> None:
    """Whatever CC says: builddeb calls it by its plain name."""
    machine(*EVERYTHING, "x-ld", "x-gcc-12")
    words = {"CROSS_COMPILE": "x-", "CC": "x-gcc-12"}
    missing = [need.name for need in find_missing({}, words, ("bindeb-pkg",))]
    assert missing == ["dpkg-buildpackage", "rsync", "depmod", "x-gcc"]


@pytest.mark.parametrize("option", ["SYSTEM_TRUSTED_KEYS", "SYSTEM_REVOCATION_KEYS"])
def test_a_distributions_keys_are_not_in_the_sources(tmp_path: Path, option: str) -> None:
    tree = Tree(tmp_path, "6.12.9")
    config = {option: '"debian/certs/debian-uefi-certs.pem"'}
    with pytest.raises(BadInputError, match="there is no such file") as caught:
        check_keys(tree, tmp_path / "o", config)
    assert f"set {option}=" in caught.value.hint
    (tmp_path / "debian/certs").mkdir(parents=True)
    (tmp_path / "debian/certs/debian-uefi-certs.pem").touch()
    check_keys(tree, tmp_path / "o", config)
    check_keys(tree, tmp_path / "o", {option: '""', "MODULE_SIG_KEY": '"certs/signing_key.pem"'})


def test_debug_information_takes_more_room() -> None:
    options = {f"X{number}": "y" for number in range(500)}
    plain = estimate_room(options)
    assert 100 << 20 < plain < 500 << 20
    assert estimate_room({**options, "DEBUG_INFO": "y"}) > 3 * plain
    assert estimate_room(options, there=1 << 40) == 0
