# SPDX-License-Identifier: MIT
"""The words of `lkm kernel build`."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.compile.place import choose_name, find_unmet, parse_words
from lkm.errors import UsageError
from lkm.kernel.own import register_own


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build directory with a configuration."""
    (tmp_path / "build").mkdir()
    (tmp_path / "build/.config").write_text('CONFIG_64BIT=y\nCONFIG_LOCALVERSION="-mine"\n')
    return tmp_path / "build"


def test_each_word_is_told_by_what_it_is(build: Path) -> None:
    words = parse_words(["build", "modules", "drivers/net/", "ARCH=arm64", "W=1", "O=out", "KCFLAGS=-g -O2"])
    assert words.what == "build" and words.targets == ("modules", "drivers/net/")
    assert words.tree_words == {"ARCH": "arm64"} and words.output == Path("out")
    assert words.words == {"W": "1", "KCFLAGS": "-g -O2"}


@pytest.mark.parametrize("word", ["6.12", "v6.12.9", "6.12-rc3", "stable", "git:v6.12", "debian:6.12"])
def test_a_release_is_what_is_built(word: str) -> None:
    assert parse_words([word, "bzImage"]).what == word


@pytest.mark.parametrize("word", ["bzImage", "bindeb-pkg", "kernel/fork.o", "fs/ext2/ext2.ko", "lib/math/"])
def test_a_target_is_none(word: str) -> None:
    assert parse_words([word]).what is None and parse_words([word]).targets == (word,)


def test_an_own_kernel_by_its_name(build: Path) -> None:
    register_own("mine", build)
    assert parse_words(["mine"]).what == "mine" and parse_words(["own:mine", "vmlinux"]).what == "own:mine"


@pytest.mark.parametrize(
    ("word", "hint"),
    [("M=/x", "lkm build"), ("KBUILD_OUTPUT=x", "-O DIR"), ("-x", "--help"), ("a b", "--help")],
)
def test_what_is_nothing(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_words([word])
    assert hint in caught.value.hint


def test_a_name_is_the_release_and_what_it_is_for(build: Path, tmp_path: Path) -> None:
    assert choose_name(build, "6.12.9", ["guest"]) == "6.12.9-guest"
    assert choose_name(build, "6.12.9", []) == "6.12.9-mine"
    (tmp_path / "other").mkdir()
    assert choose_name(tmp_path / "other", "6.12.9", []) == "6.12.9-other"
    register_own("first", build)
    assert choose_name(build, "6.12.9", ["guest"]) == "first"  # it has one
    register_own("6.12.9-guest", build)
    assert choose_name(tmp_path / "other", "6.12.9", ["guest"]) == "6.12.9-guest-2"


def test_a_preset_must_be_what_is_there(build: Path) -> None:
    assert "MODULES=y" in find_unmet(build, ["tiny"]) and "64BIT=y" not in find_unmet(build, ["tiny"])
    assert find_unmet(build, []) == []
