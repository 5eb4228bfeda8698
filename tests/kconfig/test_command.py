# SPDX-License-Identifier: MIT
"""`lkm kernel configure`, `why` and `diff`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.cli import run_command
from lkm.cli.kernel_configure import split_words
from lkm.cli.kernel_tree import find_tree
from lkm.errors import UsageError
from lkm.kconfig.tree import Tree
from lkm.release.get import sources_dir
from lkm.release.record import Record, write_record


def lkm(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = run_command(["kernel", *words])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_words_are_target_options_and_words_for_make() -> None:
    target, settings, words = split_words(
        ["defconfig", "set", "KASAN=y", "CONFIG_CC_X=n", "ARCH=arm64", "O=b"]
    )
    assert target == "defconfig"
    assert [str(one) for one in settings] == ["KASAN=y", "CC_X=n"]
    assert words == {"ARCH": "arm64", "O": "b"}


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["defconfg"], "no target 'defconfg'", "lkm kernel configure defconfig"),
        (["KASAN"], "KASAN: what is it to be?", "set KASAN=y"),
        (["defconfig", "allnoconfig"], "one target at a time", ""),
        (["why"], "a verb of its own", "lkm kernel why"),
    ],
)
def test_wrong_words(words: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")) as caught:
        split_words(words)
    assert hint in caught.value.hint


@pytest.mark.fetch
def test_set_and_why_and_diff(
    tree: Tree, built: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = lkm(
        capsys, "configure", "-O", str(output), "ARCH=x86_64", "set", "USB_ACM=m", "KASN=y"
    )
    assert status == 1
    assert "asked for: 2, came about: 1" in out
    assert "not KASN=y, it is off: this kernel has no option KASN" in out and "near: KASAN" in out
    status, out, _ = lkm(capsys, "diff", str(built), str(output))
    assert status == 1
    assert out == f"only in {output}: 1\n  USB_ACM=m  USB Modem (CDC ACM) support\n"
    status, out, _ = lkm(capsys, "diff", str(built), str(output), "--json")
    (one,) = json.loads(out)["only_after"]
    assert one["name"] == "USB_ACM" and "modem" in one["help"]
    assert lkm(capsys, "diff", str(built), str(built))[0] == 0
    status, out, err = lkm(capsys, "why", "CONFIG_KASAN", "-O", str(output))
    assert status == 0
    assert "KASAN is n  (bool)" in out and "depends on:\n  + " in out
    assert "least change for y: KASAN=y  (conf agrees)" in out
    assert f"lkm kernel configure -O {output} set KASAN=y" in err
    status, out, _ = lkm(capsys, "why", "KASAN", "-O", str(output), "--json")
    assert json.loads(out)["change"]["settings"][0]["name"] == "KASAN"


@pytest.mark.fetch
def test_what_is_missing_is_told(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = lkm(capsys, "configure", "-O", str(tmp_path), "defconfig")
    assert status == 2 and "its sources are not known" in err and "--tree" in err
    status, _, err = lkm(capsys, "why", "KASAN", "-O", str(tmp_path))
    assert status == 2 and "no .config there" in err
    status, _, err = lkm(capsys, "configure", "-O", str(tree.path), "defconfig")
    assert status == 2 and "directory of its own" in err
    status, _, err = lkm(capsys, "configure", "-O", str(tmp_path), "--tree", str(tree.path), "set", "A=y")
    assert status == 2 and "no .config to go on from" in err
    words = ("configure", "-O", str(tmp_path), "--tree", str(tree.path))
    status, _, err = lkm(capsys, *words, "defconfig", "--modules-of", "x")
    assert status == 2 and "--modules-of is for localmodconfig" in err
    status, _, err = lkm(capsys, *words, "oldconfig", "--from", str(tree.path / "Makefile"))
    assert status == 1 and "no line of it is a kernel option" in err


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("6.12", "linux-6.12.10"),
        ("6.12.9", "linux-6.12.9"),
        ("linux-6.1.5", "linux-6.1.5"),
        ("6.1", "linux-6.1.5"),
    ],
)
def test_sources_that_were_got_go_by_their_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: str
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for version in ("6.12.9", "6.12.10", "6.1.5"):
        place = sources_dir() / f"linux-{version}"
        for part in ("scripts/kconfig", "arch/x86"):
            (place / part).mkdir(parents=True)
        for file in ("Kconfig", "Makefile", "arch/x86/Kconfig"):
            (place / file).write_text("")
        write_record(place, Record(version, "tarball", "", True, "good", ""))
    assert find_tree(name, tmp_path, {"ARCH": "x86"}).path == sources_dir() / found
    with pytest.raises(UsageError, match=r"no sources of that version here \(6\.1\.5, "):
        find_tree("7.0", tmp_path)
