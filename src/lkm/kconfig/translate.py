# SPDX-License-Identifier: MIT
"""Kconfig files on their way into kconfiglib: newer words put as it knows them, and a flat copy kept.

kconfiglib 14.1 (2020) does not know a bare `modules` line (Linux 5.19, 1f1b5aae8ef5), `transitional`
(6.18) and `depends on A if B` (6.20).  The flat copy is all files in one, with each `$(...)` replaced by
what it came to: the kernel's own `conf` reads it in a tenth of the time, for it asks no compiler.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

_SPECIAL = re.compile(
    r"\$\(|^\s*(?:source|modules|transitional)\b|^\s*depends on [^#\n]* if |^[\w-]+\s*[:+]?=", re.M
)
_SOURCE = re.compile(r"\s*source\b")
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_][\w-]*\s*(?::=|\+=|=)")
_WORD = re.compile(r"\s*(modules|transitional)\s*(?:#.*)?$")
_CONDITIONAL = re.compile(r"(\s*depends on )([^#]*) if ([^#]+)(?:#.*)?$")
_HELP = re.compile(r"\s*(?:---)?help(?:---)?\s*$")


def translate_line(line: str) -> str:
    """A line of a Kconfig file, outside help texts, as kconfiglib 14.1 knows it."""
    if match := _WORD.match(line):
        return "\toption modules\n" if match[1] == "modules" else "\n"
    if match := _CONDITIONAL.match(line.rstrip("\n")):
        # menu_add_dep (scripts/kconfig/menu.c): without the condition, no dependency.
        return f"{match[1]}({match[2]}) || !({match[3]})\n"
    return line


class Lines:
    """One Kconfig file, read line by line as kconfiglib reads: `readline` and `close`.

    `expand` replaces the macros of a line; what `conf` is to read instead goes to `flat`.
    """

    def __init__(self, text: str, *, expand: Callable[[str], str], flat: list[str]) -> None:
        self._lines = text.splitlines(keepends=True)
        self._next = 0
        self._expand = expand
        self._flat = flat
        self._in_help = False
        self._help_indent = 0

    def readline(self) -> str:
        """The next line, or an empty string at the end."""
        if self._next >= len(self._lines):
            return ""
        line = self._lines[self._next]
        self._next += 1
        if self._in_help and self._is_help(line):
            self._flat.append(line)
            return line
        while line.endswith("\\\n") and self._next < len(self._lines):
            line = line[:-2] + " " + self._lines[self._next]
            self._next += 1
        if _HELP.match(line):
            self._in_help, self._help_indent = True, 0
            self._flat.append(line)
            return line
        if _ASSIGNMENT.match(line):
            return line
        if "$(" in line:
            line = self._expand(line)
        if not _SOURCE.match(line):
            self._flat.append(line)
        return translate_line(line)

    def _is_help(self, line: str) -> bool:
        """Whether a line goes on with the help text, by indentation (scripts/kconfig/lexer.l)."""
        if line.isspace():
            return True
        expanded = line.expandtabs()
        indent = len(expanded) - len(expanded.lstrip())
        if not self._help_indent:
            self._help_indent = indent
        self._in_help = indent >= self._help_indent > 0
        return self._in_help

    def close(self) -> None:
        """As a file's."""


def open_lines(path: Path, *, expand: Callable[[str], str], flat: list[str]) -> Lines | io.StringIO:
    """A Kconfig file for kconfiglib; one without anything special is handed over whole."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.endswith("\n"):
        text += "\n"
    if _SPECIAL.search(text) is None:
        flat.append(text)
        return io.StringIO(text)
    return Lines(text, expand=expand, flat=flat)
