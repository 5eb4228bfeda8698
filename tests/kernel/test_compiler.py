# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import lkm.process
from lkm.kernel.compiler import (
    find_host_toolchain,
    missing_tools,
    parse_compiler_version,
    parse_config_arch,
    parse_wanted,
    read_compiler_version,
)


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0", 12),
        ("x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0", 14),
        ("gcc (GCC) 14.2.1 20240912 (Red Hat 14.2.1-3)", 14),
        ("gcc (Gentoo 13.2.1_p20240210 p14) 13.2.1 20240210", 13),
        ("gcc-13 (Ubuntu 13.2.0-23ubuntu4) 13.2.0", 13),
        ("Debian clang version 16.0.6 (15~deb12u1)", 16),
        ("clang version 17.0.6 (Fedora 17.0.6-2.fc39)", 17),
        ("", None),
        ("gcc", None),
        ("gcc-12 (12.2.0)", None),
    ],
)
def test_compiler_versions(text: str, major: int | None) -> None:
    assert parse_compiler_version(text) == major


def test_what_a_configuration_asks_for() -> None:
    wanted = parse_wanted('#\nCONFIG_CC_VERSION_TEXT="gcc-12 (Debian 12.2.0-14) 12.2.0"\nCONFIG_SMP=y\n')
    assert wanted is not None
    assert (wanted.family, wanted.major, wanted.command) == ("gcc", 12, "gcc-12")
    assert "pahole" not in wanted.tools
    clang = parse_wanted('CONFIG_CC_VERSION_TEXT="Debian clang version 16.0.6 (15~deb12u1)"')
    assert clang is not None and clang.command == "clang-16"
    assert parse_wanted("CONFIG_SMP=y\n") is None
    assert parse_wanted('CONFIG_CC_VERSION_TEXT="tcc"\n') is None


def test_type_information_takes_pahole_where_the_build_directory_has_it() -> None:
    config = 'CONFIG_CC_VERSION_TEXT="gcc-12 () 12.2.0"\nCONFIG_DEBUG_INFO_BTF_MODULES=y\n'
    for has_btf in (False, True):
        wanted = parse_wanted(config, has_btf=has_btf)
        assert wanted is not None and ("pahole" in wanted.tools) == has_btf


def test_machines() -> None:
    assert parse_config_arch("CONFIG_64BIT=y\nCONFIG_X86_64=y\n") == "x86_64"
    assert parse_config_arch("CONFIG_ARM64=y\n") == "aarch64"
    assert parse_config_arch("# CONFIG_X86_64 is not set\n") == ""


def test_the_machines_own_is_used_where_it_is_the_right_one(
    cache: Path, compilers: Callable[..., Path]
) -> None:
    wanted = parse_wanted('CONFIG_CC_VERSION_TEXT="gcc-99 (Other 99.4.0-1) 99.4.0"')
    assert wanted is not None
    toolchain = find_host_toolchain(wanted)
    assert toolchain is not None
    assert (toolchain.compiler, toolchain.root) == ("gcc-99", None)
    assert toolchain.version == "gcc-99 (Test 99.1.0-1) 99.1.0"
    other = parse_wanted('CONFIG_CC_VERSION_TEXT="gcc-98 (Other 98.4.0-1) 98.4.0"')
    assert other is not None and find_host_toolchain(other) is None
    clang = parse_wanted('CONFIG_CC_VERSION_TEXT="clang version 99.0.1"')
    assert clang is not None and find_host_toolchain(clang) is None


def test_a_compiler_of_the_right_version_under_its_plain_name(
    cache: Path, compilers: Callable[..., Path]
) -> None:
    compilers("gcc", "gcc (Test) 98.2.0")
    wanted = parse_wanted('CONFIG_CC_VERSION_TEXT="gcc-98 (Other 98.4.0-1) 98.4.0"')
    assert wanted is not None
    toolchain = find_host_toolchain(wanted)
    assert toolchain is not None and toolchain.compiler == "gcc"


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("clang", "CONFIG_LD_IS_LLD=y\n", {"LLVM": "1"}),
        ("clang-98", "CONFIG_LD_IS_LLD=y\n", {"LLVM": "1", "CC": "clang-98"}),
        ("clang-98", "CONFIG_LD_IS_BFD=y\n", {"CC": "clang-98"}),
    ],
)
def test_kbuild_is_told_of_clang(
    cache: Path, compilers: Callable[..., Path], name: str, more: str, words: dict[str, str]
) -> None:
    for tool in ("ld.lld", "llvm-objcopy"):
        compilers(tool)
    compilers(name, "clang version 98.0.6")
    wanted = parse_wanted(f'CONFIG_CC_VERSION_TEXT="clang version 98.0.6"\n{more}')
    assert wanted is not None
    toolchain = find_host_toolchain(wanted)
    assert toolchain is not None and toolchain.compiler == name
    assert dict(toolchain.words) == words


def test_without_the_tools_a_compiler_is_of_no_use(
    cache: Path, compilers: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = compilers("ld").parent
    compilers("objcopy")
    (place / "make").unlink(missing_ok=True)
    monkeypatch.setenv("PATH", str(place))
    wanted = parse_wanted('CONFIG_CC_VERSION_TEXT="gcc-99 (Other 99.4.0-1) 99.4.0"')
    assert wanted is not None
    assert missing_tools(wanted) == ["make"]
    assert find_host_toolchain(wanted) is None


def test_a_compiler_is_asked_once_and_again_when_it_changes(
    cache: Path, compilers: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = compilers("gcc", "gcc (Test) 98.2.0")
    assert read_compiler_version(path) == "gcc (Test) 98.2.0"
    with monkeypatch.context() as patch:
        patch.setattr(lkm.process.subprocess, "Popen", None)
        assert read_compiler_version(path) == "gcc (Test) 98.2.0"
    compilers("gcc", "gcc (Test) 97.2.0-longer")
    assert read_compiler_version(path) == "gcc (Test) 97.2.0-longer"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}', "\0"])
def test_a_damaged_memory_of_compilers_is_no_error(
    content: str, cache: Path, compilers: Callable[..., Path]
) -> None:
    cache.mkdir()
    (cache / "compilers.json").write_text(content)
    assert read_compiler_version(compilers("gcc", "gcc (Test) 98.2.0")) == "gcc (Test) 98.2.0"
    json.loads((cache / "compilers.json").read_text())


def test_a_cache_that_cannot_be_written_is_no_error(
    compilers: Callable[..., Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", "/proc/lkm")
    assert read_compiler_version(compilers("gcc", "gcc (Test) 98.2.0")) == "gcc (Test) 98.2.0"


def test_a_compiler_that_fails_has_no_version(cache: Path, compilers: Callable[..., Path]) -> None:
    path = compilers("gcc")
    path.write_text("#!/bin/sh\nexit 1\n")
    assert read_compiler_version(path) == ""
    assert os.access(path, os.X_OK)
