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

    def leave(*names: str, bare: bool = False) -> None:
        for name in names:
            (place / name).write_text("#!/bin/sh\n")
            (place / name).chmod(0o755)
        if "gcc" in names:
            (tmp_path / "empty").mkdir()
            option = f"-nostdinc -I{tmp_path}/empty " if bare else ""
            (place / "gcc").write_text(f'#!/bin/sh\nexec {real["gcc"]} {option}"$@"\n')
        for name in ("setpriv", "sh"):
            (place / name).symlink_to(str(real[name]))
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
    assert names_of({}, LLVM="1") == ["clang", "ld.lld"]


def test_packages_take_the_packagers_programs(machine: Callable[..., None]) -> None:
    machine(*EVERYTHING)
    assert names_of({}, "bindeb-pkg") == [
        "dpkg-buildpackage", "fakeroot", "rsync", "cpio", "dh_testroot", "depmod",
    ]  # fmt: skip


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
