# SPDX-License-Identifier: MIT
"""`lkm kernel configure`, `why` and `diff`, as they are typed."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.cli import run_command
from lkm.cli.kernel_configure import split_words
from lkm.cli.kernel_tree import find_tree
from lkm.errors import UsageError
from lkm.kconfig.dotconfig import read_config
from lkm.kconfig.tree import Tree
from lkm.kernel import Kernel
from lkm.release.get import sources_dir
from lkm.release.record import Record, write_record

MACHINE = Path(__file__).parents[1] / "hardware/machines/q35"


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


def test_the_hint_is_the_line_again_with_the_word_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("configure", "-O", "o o", "--tree", "6.12", "--preset", "debug", "NET=n", "defconfg")
    status, _, err = lkm(capsys, *words)
    line = "lkm kernel configure -O 'o o' --tree 6.12 --preset debug NET=n defconfig"
    assert (status, err.splitlines()[-1]) == (2, f"hint: {line}")


@pytest.mark.parametrize("words", ["kernel configure", "kernel why", "kernel diff", "doctor"])
def test_help_fits(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run_command([*words.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "--for-hardware [FILE]" in out or words != "kernel configure"


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
@pytest.mark.parametrize(
    ("word", "said", "hint"),
    [
        ("NET=yes", "it is y: 'yes' is not y or n (bool)", "configure -O {} set NET=y"),
        ("NET=no", "it is y: 'no' is not y or n (bool)", "configure -O {} set NET=n"),
        ("NET=never", "it is y: 'never' is not y or n (bool)", "why NET -O {}"),
        ("KASN=yes", "this kernel has no option KASN", "configure -O {} set KASAN=y"),
        ("USB_ACM=M", "'M' is not y, m or n", "configure -O {} set USB_ACM=m"),
        ("QXQXQX=y", "this kernel has no option QXQXQX", ""),
    ],
)
def test_what_was_meant_is_the_next_line(
    output: Path, capsys: pytest.CaptureFixture[str], word: str, said: str, hint: str
) -> None:
    status, out, err = lkm(capsys, "configure", "-O", str(output), "ARCH=x86_64", "set", word)
    assert status == 1 and said in out
    assert [line for line in err.splitlines() if line.startswith("hint: ")] == (
        [f"hint: lkm kernel {hint.format(output)}"] if hint else []
    )
    # A value that is none changes nothing: conf would have looked at its first letter.
    assert read_config(output / ".config")["NET"] == "y"


@pytest.mark.fetch
def test_why_names_the_value_and_the_directory(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = lkm(capsys, "why", "KASAN=yes", "-O", str(output))
    assert status == 2 and "KASAN: 'yes' is not y or n (bool)" in err
    assert f"lkm kernel why KASAN=y -O {output}" in err
    assert f"lkm kernel why KASAN -O {output}" in lkm(capsys, "why", "KASN", "-O", str(output))[2]
    monkeypatch.chdir(tmp_path)
    status, _, err = lkm(capsys, "why", "KASAN")
    assert status == 2 and "-O BUILD names another directory" in err


@pytest.mark.fetch
@pytest.mark.parametrize("preset", ["", "tiny"])
def test_the_line_for_the_hardware_can_be_typed(
    tree: Tree, kernel: Kernel, tmp_path: Path, capsys: pytest.CaptureFixture[str], preset: str
) -> None:
    """All of it comes about: in a fresh directory, and where even the parents of it are off."""
    output, machine = tmp_path / "o", tmp_path / "machine"
    mount = "F /proc/self/mountinfo\n|21 1 254:0 / / rw - ext4 /dev/vda rw\n"
    machine.write_text(re.sub(r"F /proc/self/mountinfo\n(\|.*\n)*", mount, MACHINE.read_text()))
    where = ("-O", str(output), "--tree", str(tree.path), "ARCH=x86_64")
    if preset:
        status, out, _ = lkm(capsys, "configure", *where, "--preset", preset)
        assert status == 0 and "others that follow" in out
    status, out, err = lkm(
        capsys, "configure", *where, "--for-hardware", str(machine), "--kernel", kernel.name
    )
    assert status == 0 and ("option, in defconfig" in out) == (not preset)
    line = next(one for one in err.splitlines() if one.startswith("hint: ")).removeprefix("hint: lkm kernel ")
    status, out, _ = lkm(capsys, *shlex.split(line))
    assert status == 0, out
    values = read_config(output / ".config")
    assert [values[name] for name in ("EXT4_FS", "VIRTIO_BLK", "VIRTIO_PCI")] == ["y", "y", "y"]
    _, out, err = lkm(capsys, "configure", *where, "--for-hardware", str(machine), "--kernel", kernel.name)
    assert "=n" not in out and "hint: " not in err and "no way" not in err


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


@pytest.mark.fetch
def test_new_options_are_asked_for_on_a_terminal(tree: Tree, output: Path) -> None:
    config = output / ".config"
    new = ("CONFIG_USB_PRINTER", "# CONFIG_USB_PRINTER", "CONFIG_LOG_BUF_SHIFT")
    config.write_text("".join(one for one in config.open() if not one.startswith(new)))
    words = ["oldconfig", "--ask", "-O", str(output), "--tree", str(tree.path), "ARCH=x86_64"]
    argv = [sys.executable, "-m", "lkm", "kernel", "configure", *words]
    # Help, a value it cannot have, the default; and for the other no number, then one.
    answers = {"USB_PRINTER": ["?", "maybe", ""], "LOG_BUF_SHIFT": ["many", "18"]}
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown, seen = "", 0
        while True:
            try:
                shown += os.read(ours, 65536).decode()
            except OSError:  # EIO: the other end was closed
                break
            while (at := shown.find("]: ", seen)) >= 0:
                name = next(one for one in answers if f"({one}," in shown[seen:at])
                seen = at + 3
                os.write(ours, f"{answers[name].pop(0)}\n".encode())
    os.close(ours)
    assert process.returncode == 0, shown
    assert "'many' is no number (int)" in shown and "'maybe' is not y, m or n (tristate)" in shown
    assert "usblp" in shown.lower() or "printer" in shown.lower()
    values = read_config(config)
    assert values["LOG_BUF_SHIFT"] == "18" and values["USB_PRINTER"] == "n"


def test_nobody_is_asked_without_a_terminal(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "lkm", "kernel", "configure", "oldconfig", "--ask", "-O", str(tmp_path)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2


@pytest.mark.fetch
def test_tinyconfig_and_localyesconfig(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--tree", str(tree.path), "ARCH=x86_64", "-O"]
    status, out, _ = lkm(
        capsys, "configure", "tinyconfig", "set", "MODULES=y", *words, str(tmp_path / "tiny")
    )
    values = read_config(tmp_path / "tiny/.config")
    assert status == 0 and "asked for: 1, came about: 1" in out
    assert values["MODULES"] == "y" and values["CC_OPTIMIZE_FOR_SIZE"] == "y" and "NET" in values
    assert sum(value == "y" for value in values.values()) < 600
    listed = tmp_path / "lsmod"
    listed.write_text("Module Size Used by\nusblp 1 0\nno_such 1 0\n")
    output = tmp_path / "local"
    assert lkm(capsys, "configure", "defconfig", "set", "USB_PRINTER=m", *words, str(output))[0] == 0
    status, out, err = lkm(
        capsys, "configure", "localyesconfig", "--modules-of", str(listed), *words, str(output)
    )
    # What is in use is built in; a module that no Makefile builds is told, and no option is there to ask for.
    assert status == 1 and "no Makefile of this kernel builds it" in out and "hint" not in err
    assert read_config(output / ".config")["USB_PRINTER"] == "y"
