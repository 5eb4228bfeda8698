# SPDX-License-Identifier: MIT
"""Diagnostics for a person: as a compiler shows them, with the line of source."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from lkm.kbuild import Diagnostic, Severity
from lkm.kbuild.diagnostics import UNDEFINED

_COLOURS = {Severity.ERROR: "31;1", Severity.WARNING: "35;1", Severity.NOTE: "36;1"}


def format_diagnostic(item: Diagnostic, *, color: bool = False, base: Path | None = None) -> str:
    """`hello.c:3:5: error: text [-Woption]`, the source line and a caret below; it ends in a newline.

    `base`: the directory that paths are shown relative to where they lie in it (default: the current).
    """

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[m" if color else text

    place = ""
    if item.path is not None:
        numbers = "".join(f":{number}" for number in (item.line, item.column) if number)
        place = paint(f"{_near(item.path, base)}{numbers}:", "1") + " "
    option = f" [{item.option}]" if item.option else ""
    text = f"{place}{paint(f'{item.severity}:', _COLOURS[item.severity])} {item.text}{option}\n"
    if item.source_line:
        text += f"{item.line:5} | {item.source_line}\n"
        if item.column:
            text += "      | " + _indent(item.source_line, item.column) + paint("^", _COLOURS[item.severity])
            text += "\n"
    return text


def format_diagnostics(items: Iterable[Diagnostic], *, color: bool = False, base: Path | None = None) -> str:
    """All of them, one after the other."""
    return "".join(format_diagnostic(item, color=color, base=base) for item in items)


def symbols_hint(items: Iterable[Diagnostic], *, kernel: str) -> str:
    """The next thing to type where modpost found a symbol that nobody exports; "" where it did not."""
    names = dict.fromkeys(match["name"] for item in items if (match := UNDEFINED.search(item.text)))
    if not names:
        return ""
    name = next(iter(names))
    return (
        f"lkm symbol {name} --kernel {kernel} tells where it is and who may use it; "
        "exported by another source of yours, name that first: lkm run THAT_DIR THIS_DIR"
    )


def count_line(items: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`, or an empty string."""
    counts = dict.fromkeys((Severity.ERROR, Severity.WARNING), 0)
    for item in items:
        if item.severity in counts:
            counts[item.severity] += 1
    parts = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items() if count]
    return ", ".join(parts)


def _near(path: Path, base: Path | None) -> str:
    relative = os.path.relpath(path, base or Path.cwd())
    return str(path) if relative.startswith("../..") or not path.is_absolute() else relative


def _indent(line: str, column: int) -> str:
    """What stands below the characters before `column` (counted in bytes, as gcc does) so tabs line up."""
    before = line.encode("utf-8", "replace")[: column - 1].decode("utf-8", "ignore")
    return "".join("\t" if char == "\t" else " " for char in before)
