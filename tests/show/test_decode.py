# SPDX-License-Identifier: MIT
"""A decoded report on the screen: what is cut, what is left out, what is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lkm.decode import Decoded
from lkm.decode.value import Excerpt, Instruction
from lkm.klog.report import Kind, Report
from lkm.show.decode import format_decoded, later_lines


def decoded(kind: Kind, *, text: str = "movq (%rax), %rbx", line: str = "work();") -> Decoded:
    report = Report(kind, "the kernel's words", 0, 1)
    return Decoded(
        report,
        "what it means",
        excerpt=Excerpt(Path("crash.c"), 7, (line,), 7),
        instructions=(Instruction(-2, b"\x90\x90", "nop"), Instruction(0, b"\x0f\x0b", text)),
    )


def test_a_line_that_is_cut_says_so() -> None:
    shown = format_decoded(decoded(Kind.WARNING, line="x" * 79), width=80).splitlines()
    (line,) = [one for one in shown if "xxx" in one]
    assert line.endswith("x…") and len(line) <= 80
    whole = format_decoded(decoded(Kind.WARNING, line="x" * 70), width=80)
    assert "…" not in whole


def test_what_warn_is_made_of_is_left_out_where_it_is_brief() -> None:
    for kind, text in ((Kind.WARNING, "ud2"), (Kind.BUG, "ud1 (%eax), %ecx"), (Kind.BUG, "brk #0x800")):
        one = decoded(kind, text=text)
        assert text not in format_decoded(one, brief=True)
        assert f"→ {text}" in format_decoded(one)
    assert "→ ud2" in format_decoded(decoded(Kind.INVALID_OPCODE, text="ud2"), brief=True)
    assert "→ movq" in format_decoded(decoded(Kind.WARNING), brief=True)


def test_equal_later_reports_are_one_line() -> None:
    one = decoded(Kind.WARNING)
    others = [replace(one, means=f"other {number}") for number in range(5)]
    assert later_lines([one] * 81, most=3) == ["then 81 times warning: what it means"]
    lines = later_lines([one, one, *others], most=3)
    assert lines[0] == "then 2 times warning: what it means"
    assert lines[1:] == [
        "then warning: other 0",
        "then warning: other 1",
        "and 3 more: lkm decode --all",
    ]
    assert later_lines([], most=3) == []
