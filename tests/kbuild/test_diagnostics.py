# SPDX-License-Identifier: MIT
"""Diagnostics out of logs of real builds.

Each `logs/SCENARIO-SERIES.log` is what Kbuild of Debian's 6.1 (gcc-12) or 7.3 (gcc-14) said of a source made
for that scenario, with the work directory written as /mod and the kernel's as /usr/src; `.expected` beside
it is what is to be read out of it, a line each.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from lkm.kbuild import Diagnostic, Severity
from lkm.kbuild.diagnostics import MAX_DIAGNOSTICS, is_consequence, parse_log
from lkm.kbuild.value import flatten

LOGS = sorted((Path(__file__).parent / "logs").glob("*.log"))


def real_path(text: str) -> Path:
    return Path(text) if text.startswith("/") else Path("/mod", text)


def read(text: str) -> tuple[Diagnostic, ...]:
    targets = parse_log(text.splitlines(), real_path=real_path, work=Path("/mod"), own=Path("/mod"))
    return flatten(targets)


def shown(item: Diagnostic) -> str:
    place = f"{item.path}:{item.line}:{item.column}" if item.path else "-"
    return f"{place}\t{item.severity}\t{item.text}\t{item.option}\t{item.source_line.strip()}"


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_real_logs(log: Path) -> None:
    expected = log.with_suffix(".expected").read_text().splitlines()
    assert [shown(item) for item in read(log.read_text())] == expected


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_a_log_cut_anywhere_keeps_what_was_understood(log: Path) -> None:
    def count(text: str) -> int:
        return len([item for item in read(text) if item.severity is not Severity.NOTE])

    text = log.read_text()
    counts = [count(text[:end]) for end in range(0, len(text), 97)]
    # Half a line may be read as something else: by one at most.
    assert all(later >= earlier - 1 for earlier, later in pairwise(counts))
    assert abs(counts[-1] - count(text)) <= 1


def test_both_kernels_tell_of_the_same_scenarios() -> None:
    names = {log.stem.rpartition("-")[0] for log in LOGS}
    assert len(names) == len([log for log in LOGS if log.stem.endswith("-6.1")])
    assert len(names) > 12


def test_targets_are_named_even_where_nothing_is_said() -> None:
    text = "  CC [M]  /mod/sub/a.o\n  CC [M]  b.o\n/mod/b.c:1:2: warning: x [-Wy]\n  LD [M]  /mod/a.ko\n"
    targets = parse_log(text.splitlines(), real_path=real_path, work=Path("/mod"))
    assert {name: len(items) for name, items in targets.items()} == {"sub/a.o": 0, "b.o": 1, "a.ko": 0}


def test_what_a_kernel_header_and_a_tool_say_comes_once_and_last() -> None:
    same = Diagnostic(Path("/usr/x.h"), 1, 1, Severity.WARNING, "in a header")
    tool = Diagnostic(None, 0, 0, Severity.ERROR, "modpost")
    row = flatten({"": [tool], "Module.symvers": [], "b.o": [same], "a.o": [same]})
    assert row == (same, tool)


def test_hostile_logs() -> None:
    assert read("\0\xff" * 10_000) == ()
    assert len(read("/mod/a.c:1:1: error: x\n" * 10_000)) <= MAX_DIAGNOSTICS
    long = read("/mod/a.c:1:1: error: " + "x" * 100_000)
    assert len(long[0].text) < 5000
    assert read("/mod/a.c:99999999999999999999:1: error: x")[0].line == 99999999999999999999


def test_what_a_compiler_says_of_itself() -> None:
    text = (
        "  CC [M]  a.o\ngcc-12: error: unrecognized command-line option '-fnothing'\n"
        "cc1: fatal error: error writing to /tmp/x.s: No space left on device\n"
        "cc1: some warnings being treated as errors\n"
    )
    assert [item.text for item in read(text)] == [
        "unrecognized command-line option '-fnothing'",
        "error writing to /tmp/x.s: No space left on device",
    ]


def test_clang_shows_the_line_without_a_bar() -> None:
    """The shape of clang's messages up to 16: the line, then a caret below it."""
    text = (
        "  CC [M]  a.o\n/mod/a.c:3:9: error: use of undeclared identifier 'x'\n"
        "        return x;\n               ^\n1 error generated.\n"
    )
    (item,) = read(text)
    assert (item.line, item.column, item.source_line) == (3, 9, "        return x;")


def test_what_comes_from_no_file() -> None:
    """gcc 12 and clang 14 of -Dirq_desc=3x, -Dx=1 -Dx=2; the notes at a file's lines belong to it."""
    text = (
        '  CC      a.o\n<command-line>: error: invalid suffix "x" on integer constant\n'
        "/usr/src/a.h:39:33: note: in expansion of macro 'irq_desc'\n   39 | extern struct irq_desc x;\n"
        "<command line>:1:18: error: invalid suffix 'x' on integer constant\n"
        "<built-in>:3:9: warning: 'x' macro redefined [-Wmacro-redefined]\n"
        '<command-line>: warning: "x" redefined\n'
    )
    first, note, *others = read(text)
    assert first.path is None and first.severity is Severity.ERROR
    assert first.text == '<command-line>: invalid suffix "x" on integer constant'
    assert (note.line, note.severity) == (39, Severity.NOTE)
    assert [shown(item).strip() for item in others] == [
        "-\terror\t<command line>: invalid suffix 'x' on integer constant",
        "-\twarning\t<built-in>: 'x' macro redefined\t-Wmacro-redefined",
        '-\twarning\t<command-line>: "x" redefined',
    ]


def test_directories_are_no_part_of_a_message() -> None:
    assert is_consequence("make[1]: Leaving directory '/mod/o'")
    assert is_consequence("make: Entering directory '/src'")
    assert not is_consequence("make[2]: *** No rule to make target 'x'.  Stop.")
