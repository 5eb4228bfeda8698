# SPDX-License-Identifier: MIT
"""Kconfig files on their way into kconfiglib: newer words put as it knows them, and a flat copy kept.

kconfiglib 14.1 (2020) does not know a bare `modules` line (Linux 5.19, 1f1b5aae8ef5), `transitional`
(6.18) and `depends on A if B` (6.20).  The flat copy is all files in one, with each `$(...)` replaced by
what it came to: the kernel's own `conf` reads it in a tenth of the time, for it asks no compiler.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

# What a line outside help texts is looked at for; all others are passed on as they are.
_SPECIAL = re.compile(
    r".*\$\(|[ \t]*(?:source|modules|transitional)\b|[ \t]*depends on [^#\n]* if |[ \t]*[\w-]+[ \t]*[:+]?="
)
# One of these is in each of them; looking for a pattern at each line's start takes ten times as long.
_WORDS = ("$(", "source", "modules", "transitional", " if ", "=")
_SOURCE = re.compile(r"\s*source\b")
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_][\w-]*\s*(?::=|\+=|=)")
_WORD = re.compile(r"\s*(modules|transitional)\s*(?:#.*)?$")
_CONDITIONAL = re.compile(r"(\s*depends on )([^#]*) if ([^#]+)(?:#.*)?$")
_HELP = re.compile(r"\s*(?:---)?help(?:---)?\s*$")
# Lines that begin with the same blanks as the first that is not blank.
_HELP_TEXT = re.compile(r"(?:[^\S\n]*\n)*([^\S\n]+)\S.*\n(?:\1.*\n|[^\S\n]*\n)*")


def translate_line(line: str) -> str:
    """A line of a Kconfig file, outside help texts, as kconfiglib 14.1 knows it."""
    if match := _WORD.match(line):
        return "\toption modules\n" if match[1] == "modules" else "\n"
    if match := _CONDITIONAL.match(line.rstrip("\n")):
        # menu_add_dep (scripts/kconfig/menu.c): without the condition, no dependency.
        return f"{match[1]}({match[2]}) || !({match[3]})\n"
    return line


class Whole(io.StringIO):
    """A Kconfig file without anything special."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = text

    def take_help(self) -> str | None:
        """The lines of the help text that begins here, read; None, and nothing read, where it is not plain.

        Not plain: none at all, not indented, or indented now with tabs and now with spaces.
        """
        match = _HELP_TEXT.match(self._text, self.tell())
        if match is None:
            return None
        end = match.end()
        rest = self._text[end : self._text.find("\n", end) + 1]
        if rest and _indent(rest) >= _indent(match[1] + "."):
            return None
        self.seek(end)
        return match[0]


def plain_help(text: str) -> str:
    """A help text without its indentation, which is that of the first line that is not blank."""
    lines = [line.expandtabs() for line in text.split("\n")]
    indent = next((len(line) - len(line.lstrip()) for line in lines if line.strip()), 0)
    return "\n".join(line[indent:] if line.strip() else "" for line in lines).strip("\n").rstrip()


class Lines:
    """One Kconfig file, read line by line as kconfiglib reads: `readline` and `close`.

    `starts`: where the lines begin that it looks at.  `expand` replaces the macros of a line; what `conf` is
    to read instead goes to `put`.
    """

    def __init__(
        self, text: str, starts: list[int], *, expand: Callable[[str], str], put: Callable[[str], None]
    ) -> None:
        self._lines = io.StringIO(text).readlines()
        self._next = 0
        self._expand = expand
        self._put = put
        self._special = list(_number_lines(text, self._lines, starts))[::-1]
        self._plain = 0  # lines before this one are passed on

    def readline(self) -> str:
        """The next line, or an empty string at the end."""
        at = self._next
        if at < self._plain:
            self._next = at + 1
            return self._lines[at]
        if at >= len(self._lines):
            return ""
        while self._special and self._special[-1] < at:
            self._special.pop()
        stop = self._special[-1] if self._special else len(self._lines)
        if stop > at:
            self._plain = stop
            self._put("".join(self._lines[at:stop]))
            return self.readline()
        return self._read_special()

    def _read_special(self) -> str:
        line = self._lines[self._next]
        self._next += 1
        at = self._next
        while line.endswith("\\\n") and at < len(self._lines):
            line = line[:-2] + " " + self._lines[at]
            self._lines[at] = "\n"  # so that the lines after it keep their numbers
            at += 1
        if _ASSIGNMENT.match(line):
            return line
        if "$(" in line:
            line = self._expand(line)
        if not _SOURCE.match(line):
            self._put(line)
        return translate_line(line)

    def close(self) -> None:
        """As a file's."""


def _find_special(text: str) -> list[int]:
    """Where the lines begin that are not passed on as they are, unless they are help."""
    found = set()
    for word in _WORDS:
        at = text.find(word)
        while at >= 0:
            start = text.rfind("\n", 0, at) + 1
            if _SPECIAL.match(text, start):
                found.add(start)
            at = text.find(word, text.find("\n", at))
    return sorted(found)


def _number_lines(text: str, lines: list[str], starts: list[int]) -> Iterator[int]:
    """The numbers, from 0, of those of these lines that are no help, each that goes on by its first."""
    number, counted, last = 0, 0, -1
    for start in starts:
        number += text.count("\n", counted, start)
        counted = start
        first = number
        while first > 0 and lines[first - 1].endswith("\\\n"):
            first -= 1
        if first != last and not _is_help(lines, first):
            yield first
        last = first


def _is_help(lines: list[str], number: int) -> bool:
    """Whether a line is part of a help text, by indentation (scripts/kconfig/lexer.l)."""
    indent = _indent(lines[number])
    for before in range(number - 1, -1, -1):
        line = lines[before]
        if line.isspace():
            continue
        if _HELP.match(line):
            first = next(one for one in lines[before + 1 : number + 1] if not one.isspace())
            return indent >= _indent(first) > 0
        if not line[0].isspace():
            return False  # no help text has such a line
        indent = min(indent, _indent(line))
    return False


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def open_lines(path: str, *, expand: Callable[[str], str], put: Callable[[str], None]) -> Lines | Whole:
    """A Kconfig file for kconfiglib; one without anything special is handed over whole."""
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - one of 1600
        text = file.read()
    if not text.endswith("\n"):
        text += "\n"
    starts = _find_special(text)
    if not starts:
        put(text)
        return Whole(text)
    return Lines(text, starts, expand=expand, put=put)
