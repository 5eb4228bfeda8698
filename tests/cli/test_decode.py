# SPDX-License-Identifier: MIT
"""`lkm decode`: a log from a file, a pipe, or the last run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_log import compile_module, find_offset, line_of, make_log

from lkm.cli import run_command
from lkm.decode.code import CodeFile
from lkm.decode.last import last_path, read_last, write_last
from lkm.kbuild import build
from lkm.kernel import Kernel
from lkm.klog import parse_log
from lkm.paths import builds_dir, find_built, source_of

Capture = pytest.CaptureFixture[str]
LOGS = Path(__file__).parents[1] / "klog" / "logs"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return compile_module(tmp_path)


@pytest.fixture
def log(module: Path, tmp_path: Path) -> Path:
    code = CodeFile(module)
    offset, _ = find_offset(code, "show", line_of("FIELD"))
    path = tmp_path / "crash.txt"
    path.write_text(make_log(code, "show", offset))
    return path


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def nothing_piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


def test_a_log_and_its_module(
    log: Path, module: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(module.parent)
    assert run_command(["decode", "crash.txt", "crash.ko"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("null-pointer: a NULL pointer was followed: `dev->name`")
    assert f"at crash.c:{line_of('FIELD')}, in name_length(), inlined into show()" in said
    assert f" → {line_of('FIELD')}  " in said
    assert "\x1b" not in said
    assert all(len(line) <= 120 for line in said.splitlines())


def test_the_modules_of_the_current_directory_are_tried(
    log: Path, module: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(module.parent)
    Path("other.ko").write_text("no module, and nobody asked for it")
    assert run_command(["decode", "crash.txt"]) == 0
    assert "at crash.c:" in capfd.readouterr().out


def test_a_pipe(log: Path, module: Path) -> None:
    argv = [sys.executable, "-m", "lkm", "decode", "--module", str(module.parent)]
    with log.open("rb") as file:
        done = subprocess.run(argv, stdin=file, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "`dev->name`" in done.stdout


def test_json_has_every_field_that_is_documented(log: Path, module: Path, capfd: Capture) -> None:
    assert run_command(["decode", "--json", str(log), str(module)]) == 0
    value = json.loads(capfd.readouterr().out)
    assert value["schema"] == 1
    (report,) = value["reports"]
    assert report["kind"] == "null-pointer" and report["expression"] == "dev->name"
    assert report["place"]["line"] == line_of("FIELD")
    assert report["address"] == "0x10"
    text = (Path(__file__).parents[2] / "docs" / "decode.md").read_text()
    missing = [name for name in report if f"`{name}`" not in text]
    assert not missing


@pytest.mark.parametrize("path", sorted(LOGS.glob("*-*.txt"))[::4], ids=lambda path: path.stem)
def test_every_log_is_shown_in_80_columns(
    path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status = run_command(["decode", "--all", str(path)])
    said = capfd.readouterr().out
    assert status == int(not said)
    assert all(len(line) <= 80 for line in said.splitlines() if "/" not in line)


def test_colours_are_there_where_they_are_wanted(
    log: Path, module: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run_command(["decode", str(log), str(module)]) == 0
    assert "\x1b[" in capfd.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert run_command(["decode", str(log), str(module)]) == 0
    assert "\x1b[" not in capfd.readouterr().out


def test_later_reports_are_named_and_told_with_all(log: Path, module: Path, capfd: Capture) -> None:
    log.write_text(log.read_text() * 2)
    assert run_command(["decode", str(log), str(module)]) == 0
    said = capfd.readouterr()
    assert "then null-pointer: " in said.out and "--all" in said.err
    assert run_command(["decode", "--all", str(log), str(module)]) == 0
    assert "an earlier report came first" in capfd.readouterr().out


def test_a_log_without_a_report_is_status_1(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "log"
    path.write_text("[    1.0] hello\n")
    assert run_command(["decode", str(path)]) == 1
    assert f"no kernel report in {path}" in capfd.readouterr().err
    assert run_command(["decode", "--json", str(path)]) == 1
    assert json.loads(capfd.readouterr().out)["reports"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.txt"], "cannot read nowhere.txt"),
        (["one", "two"], "'two': one log at a time"),
        (["--module", "nowhere.ko", "log"], "nowhere.ko: there is no such file"),
        ([], "no log was given"),
    ],
)
def test_wrong_use_is_told_with_what_to_type(  # noqa: PLR0917
    words: list[str],
    said: str,
    tmp_path: Path,
    capfd: Capture,
    nothing_piped: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["decode", *words]) == 2
    err = capfd.readouterr().err
    assert said in err and "hint: " in err


def test_the_last_run_is_decoded_where_nothing_is_given(
    log: Path, module: Path, capfd: Capture, nothing_piped: None
) -> None:
    write_last("", [module], parse_log(log.read_bytes()), first=0)
    kept = read_last()
    assert kept is not None and kept.modules == (module,)
    assert run_command(["decode"]) == 0
    assert "`dev->name`" in capfd.readouterr().out


def test_the_last_run_is_named(log: Path, module: Path, capfd: Capture, nothing_piped: None) -> None:
    write_last("6.1.0-56-cloud-amd64", [module], parse_log(log.read_bytes()), first=0)
    assert run_command(["decode"]) == 0
    first = capfd.readouterr().err.splitlines()[0]
    assert first.startswith("the last run: ") and "crash.ko, at " in first
    assert first.endswith(", kernel 6.1.0-56-cloud-amd64")


MODULE = """\
#include <linux/module.h>
static int *volatile p;
static int __init crash_init(void)
{
	return *p; /* STAR */
}
module_init(crash_init);
MODULE_LICENSE("GPL");
"""


@pytest.mark.fetch
def test_a_source_stands_for_what_was_built_from_it(
    kernel: Kernel, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "crash.c").write_text(MODULE)
    (source / "Makefile").write_text("obj-m := crash.o\n")
    built = build(source, kernel=kernel)
    assert built.ok
    assert source_of(built.modules[0]) == source and find_built(source) == [*built.modules]
    code = CodeFile(built.modules[0])
    offset, _ = find_offset(code, "crash_init", line_of("STAR", MODULE))
    log = tmp_path / "log.txt"
    log.write_text(make_log(code, "crash_init", offset, caller=1))
    for words in (["log.txt", "src"], ["src/crash.c", "log.txt"], ["--module", "src", "log.txt"]):
        monkeypatch.chdir(tmp_path)
        assert run_command(["decode", *words]) == 0
        assert f"crash.c:{line_of('STAR', MODULE)}, in crash_init()" in capfd.readouterr().out
    monkeypatch.chdir(source)
    assert run_command(["decode", "../log.txt"]) == 0
    assert f"crash.c:{line_of('STAR', MODULE)}" in capfd.readouterr().out
    log.write_text(log.read_text().replace("[crash]", "[gone]"))
    assert run_command(["decode", "../log.txt"]) == 0
    assert "of gone: crash.ko is the module crash" in capfd.readouterr().out  # no path of the cache


def test_what_was_given_in_place_of_the_module_is_told(
    log: Path, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    source = tmp_path / "src"
    source.mkdir()
    (source / "other.c").write_text(MODULE)
    (source / "Makefile").write_text("obj-m := other.o\n")
    made = compile_module(source, name="other")
    for given, said in (
        ("src/other.ko", "src/other.ko is the module other; the log has crash"),
        ("src/other.c", "src/other.c is not built: lkm build src/other.c"),
        ("src", "src holds no .ko: lkm build src"),
    ):
        assert run_command(["decode", "crash.txt", given]) == 0
        assert said in capfd.readouterr().out, given
        if given.endswith(".ko"):
            made.unlink()


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("", "empty.txt is empty", "sudo dmesg | lkm decode"),
        ("what is this\n", "no kernel report in empty.txt", "journalctl -k -b -1 | lkm decode"),
    ],
)
def test_a_file_without_a_report_is_named_with_what_to_type(  # noqa: PLR0917
    text: str, said: str, hint: str, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_text(text)
    assert run_command(["decode", "empty.txt"]) == 1
    first, second = capfd.readouterr().err.splitlines()
    assert first == said and second.startswith(f"hint: {hint}")


def test_a_report_whose_beginning_is_missing_is_told(log: Path, module: Path, capfd: Capture) -> None:
    lines = log.read_text().splitlines(keepends=True)
    rest = lines[next(at for at, line in enumerate(lines) if "RIP: " in line) :]
    log.write_text("".join(line for line in rest if "Call Trace:" not in line))
    assert run_command(["decode", str(log), str(module)]) == 1
    said = capfd.readouterr().err
    assert "the beginning of one is missing; it happened at show+0x" in said
    assert "hint: lkm decode takes the log from its BUG:" in said
    log.write_text("".join(rest))  # what is left has a trace
    assert run_command(["decode", str(log), str(module)]) == 0
    said = capfd.readouterr().err
    assert "the beginning of a report is missing, this is its end; it happened at show+0x" in said
    only = [line for line in rest if "RIP: " not in line and "end trace" not in line]
    log.write_text("".join(only))  # as dump_stack() prints one
    assert run_command(["decode", str(log), str(module)]) == 0
    assert not capfd.readouterr().err


def test_what_is_of_another_module_than_the_last_run_is_told(
    log: Path, module: Path, tmp_path: Path, capfd: Capture, nothing_piped: None
) -> None:
    write_last("", [module], parse_log(log.read_bytes()), first=0)
    other = tmp_path / "other.c"
    other.write_text(MODULE)
    assert run_command(["decode", str(other)]) == 0
    said = capfd.readouterr()
    assert f"{other} is not of the last run, which was of crash\nhint: lkm decode LOG {other}\n" in said.err
    assert "`dev->name`" in said.out
    assert run_command(["decode", str(module)]) == 0
    assert "is not of the last run" not in capfd.readouterr().err


def test_a_directory_stands_for_what_was_built_from_its_files(
    log: Path, module: Path, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "src"
    source.mkdir()
    (source / "crash.c").write_text(MODULE)
    made = builds_dir(source / "crash.c") / "kernel" / "ko"
    made.mkdir(parents=True)
    module.rename(made / "crash.ko")
    assert run_command(["decode", str(log), "--module", str(source)]) == 0
    assert "`dev->name`" in capfd.readouterr().out
    monkeypatch.chdir(source)
    assert run_command(["decode", str(log)]) == 0
    assert "`dev->name`" in capfd.readouterr().out
    log.write_text(log.read_text().replace("[crash]", "[eat]"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    assert run_command(["decode", str(log), "src"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "no source lines of eat: src has no eat.ko, and none was built from it (--module eat.ko)" in said


def test_an_empty_pipe_is_told() -> None:
    argv = [sys.executable, "-m", "lkm", "decode"]
    done = subprocess.run(argv, input="", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nothing came through the pipe (dmesg may need root)" in done.stderr


def test_equal_reports_are_counted(log: Path, module: Path, capfd: Capture) -> None:
    log.write_text(log.read_text() * 82)
    assert run_command(["decode", str(log), str(module)]) == 0
    said = capfd.readouterr().out
    assert said.count("then ") == 1 and "then 81 times null-pointer: " in said


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1, "log": 3}'])
def test_a_damaged_last_run_is_as_good_as_none(text: str) -> None:
    last_path().parent.mkdir(parents=True)
    last_path().write_text(text)
    assert read_last() is None
