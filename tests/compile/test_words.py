# SPDX-License-Identifier: MIT
"""What make is given: the same bytes twice, and ccache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lkm.compile import words
from lkm.kconfig.tree import Tree
from lkm.release.record import Record, write_record


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Sources whose Makefile is of 2001-09-09 01:46:40 UTC."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    place = tmp_path / "linux"
    place.mkdir()
    (place / "Makefile").touch()
    os.utime(place / "Makefile", (1e9, 1e9))
    return Tree(place, "6.12.9")


def test_the_date_is_the_sources(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words.find_date(tree).isoformat() == "2001-09-09T01:46:40+00:00"
    record = Record("6.12.9", "tarball", "x", True, "good", "", signed="2025-01-09T13:33:00+00:00")
    write_record(tree.path, record)
    assert words.find_date(tree).isoformat() == "2025-01-09T13:33:00+00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert words.find_date(tree).year == 1970


def test_date_understands_the_timestamp(tree: Tree) -> None:
    text = words.reproducible_words(tree, Path("/b"), {})["KBUILD_BUILD_TIMESTAMP"]
    done = subprocess.run(["date", "-u", "-d", text, "+%s"], capture_output=True, check=True, timeout=20)
    assert done.stdout == b"1000000000\n"


def test_debug_information_does_not_name_the_build_directory(tree: Tree) -> None:
    plain = words.reproducible_words(tree, Path("/b"), {})
    debug = words.reproducible_words(tree, Path("/b"), {"DEBUG_INFO": "y"})
    assert "KCFLAGS" not in plain and debug["KCFLAGS"] == "-fdebug-prefix-map=/b=."
    assert words.merge_words(debug, {"KCFLAGS": "-O1", "W": "1"})["KCFLAGS"] == "-fdebug-prefix-map=/b=. -O1"


def test_packages_are_told_what_else_would_be_the_time_of_day(tree: Tree, tmp_path: Path) -> None:
    """dpkg-buildpackage's hook is run as make and a shell would hand it over."""
    assert words.packaging_words(tree, ["modules", "rpm-pkg"]) == {}
    given = words.packaging_words(tree, ["bindeb-pkg"])
    assert (given["KDEB_PKGVERSION"], given["SOURCE_DATE_EPOCH"]) == ("6.12.9-1", "1000000000")
    changelog = tmp_path / "debian/changelog"
    changelog.parent.mkdir()
    changelog.write_text(
        "linux (1) unstable; urgency=low\n\n -- lkm <lkm@lkm>  Mon, 23 Nov 2026 08:00:00 +0000\n"
    )
    (tmp_path / "Makefile").write_text("all:\n\t+@$(strip printf '%s\\n' $(DPKG_FLAGS))\n")
    made = subprocess.run(
        ["make", f"DPKG_FLAGS={given['DPKG_FLAGS']}"],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    first, hook = made.stdout.splitlines()
    assert first == "-d" and hook.startswith("--hook-init=")
    subprocess.run(["sh", "-c", hook.partition("=")[2]], cwd=tmp_path, check=True, timeout=20)
    assert changelog.read_text().endswith("\n -- lkm <lkm@lkm>  Sun, 09 Sep 2001 01:46:40 +0000\n")


@pytest.mark.parametrize(
    ("given", "compilers"),
    [
        ({}, ("gcc", "gcc")),
        ({"CROSS_COMPILE": "aarch64-linux-gnu-"}, ("aarch64-linux-gnu-gcc", "gcc")),
        ({"LLVM": "1"}, ("clang", "clang")),
        ({"LLVM": "-15"}, ("clang-15", "clang-15")),
        ({"LLVM": "/opt/llvm/"}, ("/opt/llvm/clang", "/opt/llvm/clang")),
        ({"LLVM": "0"}, ("clang", "clang")),  # Documentation/kbuild/llvm.rst
        ({"LLVM": "1", "CC": "clang-15"}, ("clang-15", "clang")),
        ({"CC": "gcc-12", "HOSTCC": "clang"}, ("gcc-12", "clang")),
    ],
)
def test_which_compilers(given: dict[str, str], compilers: tuple[str, str]) -> None:
    assert words.find_compilers(given) == compilers


def test_ccache_stands_in_under_the_compilers_name(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin/ccache"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "ccache as ${0##*/}"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CCACHE_DIR", "/my/ccache")
    monkeypatch.delenv("CCACHE_DISABLE", raising=False)
    given = {"CROSS_COMPILE": "aarch64-linux-gnu-"}
    assert words.find_ccache(given) == fake
    environment = words.build_environment(given, fake)
    assert environment["CCACHE_DIR"] == "/my/ccache"
    for name in ("aarch64-linux-gnu-gcc", "gcc"):
        done = subprocess.run(
            ["sh", "-c", name], env=environment, capture_output=True, text=True, check=True, timeout=20
        )
        assert done.stdout == f"ccache as {name}\n"
    assert "CCACHE_DIR" not in words.build_environment(given, None)
    assert words.find_ccache({"CC": "ccache gcc"}) is None  # it is there by hand
    monkeypatch.setenv("CCACHE_DISABLE", "1")
    assert words.find_ccache({}) is None
