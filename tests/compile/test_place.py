# SPDX-License-Identifier: MIT
"""The words of `lkm kernel build`."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.compile.place import base_name, choose_name, choose_suffix, find_unmet, parse_words
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
    assert choose_name(build, "6.12.9", "guest") == "6.12.9-guest"
    assert choose_name(build, "6.12.9", "") == "6.12.9-mine"
    (tmp_path / "other").mkdir()
    assert choose_name(tmp_path / "other", "6.12.9", "") == "6.12.9-other"
    register_own("first", build)
    assert choose_name(build, "6.12.9", "guest") == "first"  # it has one
    register_own("6.12.9-guest", build)
    assert choose_name(tmp_path / "other", "6.12.9", "guest") == "6.12.9-guest-2"


def test_a_preset_must_be_what_is_there(build: Path) -> None:
    assert "MODULES=y" in find_unmet(build, ["tiny"]) and "64BIT=y" not in find_unmet(build, ["tiny"])
    assert find_unmet(build, []) == []
    words = parse_words(["CONFIG_LOCALVERSION=-lkp", 'CONFIG_64BIT="y"'])
    assert find_unmet(build, [], words.settings) == ["LOCALVERSION=-lkp"]
    assert find_unmet(build, [], parse_words(["CONFIG_LOCALVERSION=-mine"]).settings) == []


def test_an_option_is_no_variable_of_make(build: Path) -> None:
    words = parse_words(["build", "CONFIG_LOCALVERSION=-lkp", "CONFIG_a2=7", "LOCALVERSION=-x"])
    assert words.words == {"LOCALVERSION": "-x"}
    assert [str(one) for one in words.settings] == ["LOCALVERSION=-lkp", "a2=7"]


@pytest.mark.parametrize(
    ("words", "presets", "name"),
    [
        (["CONFIG_LOCALVERSION=-lkp"], ["tiny"], "6.12.9-lkp"),
        (["LOCALVERSION=-lkp"], ["tiny"], "6.12.9-tiny-lkp"),
        (["CONFIG_LOCALVERSION=-a", "LOCALVERSION=-b"], ["tiny"], "6.12.9-a-b"),
        ([], ["guest", "debug"], "6.12.9-debug"),
    ],
)
def test_the_release_that_comes_of_it_names_it(words: list[str], presets: list[str], name: str) -> None:
    assert base_name("6.12.9", choose_suffix(parse_words(words), presets)) == name


def test_a_path_that_is_nothing_names_the_nearest(build: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="biuld: no such directory") as caught:
        parse_words([f"{tmp_path}/biuld"])
    assert caught.value.hint == f"lkm kernel build {build}"
    with pytest.raises(UsageError, match="no such directory") as caught:
        parse_words(["./buildd"])
    assert caught.value.hint == "lkm kernel build build"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="neither a build directory of a kernel"):
        parse_words([f"{tmp_path}/empty"])
