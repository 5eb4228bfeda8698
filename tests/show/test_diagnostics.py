# SPDX-License-Identifier: MIT
"""Diagnostics as a person sees them."""

from __future__ import annotations

from pathlib import Path

from lkm.kbuild import Diagnostic, Severity
from lkm.show.diagnostics import count_line, format_diagnostic, format_diagnostics

ITEM = Diagnostic(Path("/a/b/hello.c"), 12, 2, Severity.ERROR, "bad", "-Wbad", "\tpr_info(x);")


def test_as_a_compiler_shows_it() -> None:
    assert format_diagnostic(ITEM, base=Path("/a/b")) == (
        "hello.c:12:2: error: bad [-Wbad]\n   12 | \tpr_info(x);\n      | \t^\n"
    )


def test_paths_are_short_where_that_helps() -> None:
    assert format_diagnostic(ITEM, base=Path("/a")).startswith("b/hello.c:12:2: ")
    assert format_diagnostic(ITEM, base=Path("/a/x")).startswith("../b/hello.c:12:2: ")
    assert format_diagnostic(ITEM, base=Path("/x/y/z")).startswith("/a/b/hello.c:12:2: ")


def test_what_is_unknown_is_left_out() -> None:
    assert format_diagnostic(Diagnostic(None, 0, 0, Severity.WARNING, "x")) == "warning: x\n"
    assert (
        format_diagnostic(Diagnostic(Path("/a"), 3, 0, Severity.NOTE, "x"), base=Path("/"))
        == "a:3: note: x\n"
    )


def test_colour_only_if_asked() -> None:
    assert "\x1b" not in format_diagnostic(ITEM)
    assert "\x1b[31;1merror:\x1b[m" in format_diagnostic(ITEM, color=True)


def test_a_caret_below_wide_letters() -> None:
    item = Diagnostic(None, 1, 5, Severity.ERROR, "x", "", "éé = 1;")
    assert format_diagnostics([item]).splitlines()[2] == "      |   ^"
    beyond = Diagnostic(None, 1, 400, Severity.ERROR, "x", "", "short")
    assert format_diagnostic(beyond).endswith("^\n")


def test_counts() -> None:
    warning = Diagnostic(None, 0, 0, Severity.WARNING, "x")
    assert (
        count_line([ITEM, ITEM, warning, Diagnostic(None, 0, 0, Severity.NOTE, "x")]) == "2 errors, 1 warning"
    )
    assert count_line([]) == ""
