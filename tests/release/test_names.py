# SPDX-License-Identifier: MIT
"""What releases are called."""

from __future__ import annotations

import pytest

from lkm.errors import UsageError
from lkm.release.names import (
    Kind,
    Wanted,
    choose_newest,
    directory_name,
    find_nearest,
    is_release,
    is_wanted,
    parse_wanted,
)


@pytest.mark.parametrize(
    ("words", "kind", "text"),
    [
        ("6.12.9", Kind.EXACT, "6.12.9"),
        ("v6.12.9", Kind.EXACT, "6.12.9"),
        ("linux-6.12.9", Kind.EXACT, "6.12.9"),
        ("6.12", Kind.SERIES, "6.12"),
        ("6.12.0", Kind.EXACT, "6.12"),
        ("6.13-rc3", Kind.EXACT, "6.13-rc3"),
        ("2.6.39", Kind.EXACT, "2.6.39"),
        ("2.6.32.71", Kind.EXACT, "2.6.32.71"),
        ("stable", Kind.STABLE, ""),
        ("longterm", Kind.LONGTERM, ""),
        ("mainline", Kind.MAINLINE, ""),
        ("git:v6.12", Kind.GIT, "v6.12"),
        ("git:linux-6.12.y", Kind.GIT, "linux-6.12.y"),
        ("git:feature/x+1", Kind.GIT, "feature/x+1"),
    ],
)
def test_names(words: str, kind: Kind, text: str) -> None:
    assert parse_wanted(words) == Wanted(kind, text)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "6",
        "six",
        "6.12.",
        "6.12.9/../../x",
        "6.12-rc",
        "next",
        "6.12.9 ",
        "v",
        "6.12;ls",
        "git:",
        "git:-x",
        "git:--upload-pack=x",
        "git:a..b",
        "git:HEAD^{commit}",
        "git:a b",
        "git:x.lock",
        "git:a@{1}",
        "git:a:b",
    ],
)
def test_what_is_no_name(words: str) -> None:
    if words == "6.12.9 ":
        assert parse_wanted(words).text == "6.12.9"
        return
    with pytest.raises(UsageError) as caught:
        parse_wanted(words)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("7", "a series has two numbers", "6.12 (its newest)"),
        ("6.x", "a series has two numbers", "6.12 (its newest)"),
        ("6.12.99999", "is no release of Linux", "lkm kernel get 6.12"),
        ("ubuntu:6.1", "the sources of Ubuntu's kernels are not got yet", "lkm kernel get 6.1"),
        ("arch:linux", "the sources of Arch's kernels are not got yet", "lkm kernel get debian:6.12"),
    ],
)
def test_what_may_have_been_meant(words: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_wanted(words)
    assert caught.value.hint.endswith(hint) or hint in caught.value.hint.split(", ")
    assert not is_wanted(words) and is_wanted("6.12")


def test_directories() -> None:
    assert directory_name("6.12.9") == "v6.x" and directory_name("7.0") == "v7.x"
    assert directory_name("3.2.1") == "v3.x" and directory_name("2.6.39") == "v2.6"


def test_the_newest_of_a_series() -> None:
    known = ["6.1", "6.12", "6.12.9", "6.12.10", "6.12-rc7", "6.13-rc1"]
    assert choose_newest(known, "6.12") == "6.12.10"
    assert choose_newest(known, "6.1") == "6.1"
    assert choose_newest(known, "6.13") is None


def test_the_nearest() -> None:
    known = ["6.11.3", "6.12.7", "6.12.9", "6.12.10", "6.13"]
    assert find_nearest("6.12.99", known) == ["6.12.10", "6.12.9", "6.12.7"]
    assert find_nearest("6.14.1", known)[0] == "6.13"
    assert find_nearest("6.14.1", []) == []


def test_only_plain_names_come_from_lists() -> None:
    assert is_release("6.12.9") and is_release("6.13-rc1")
    for text in ("6.12.9/x", "../6.12", "6.12.9\n", "", "6", "6.12.9-rc", "next-20250101", "6.12.9.1.1"):
        assert not is_release(text)
