# SPDX-License-Identifier: MIT
"""What the tools of a build say, as values: gcc and clang, modpost, objtool, the linker, make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from lkm.kbuild.value import Diagnostic, Severity, Targets

MAX_LINE = 4096
MAX_DIAGNOSTICS = 2000

# `path:line:column: warning: text [-Woption]`; the column is absent in some, the option in many.
_COMPILER = re.compile(
    r"^(?P<path>[^\s:][^:]*):(?P<line>\d+):(?:(?P<column>\d+):)? "
    r"(?P<severity>fatal error|[Ee]rror|[Ww]arning|note): (?P<text>.*?)"
    r"(?: \[(?P<option>-[\w=,+-]+)\])?$"
)
# What comes from no file, but from -D (`<command-line>`, clang: `<command line>`) or the compiler itself.
_NO_FILE = re.compile(
    r"^(?P<place><[a-z -]+>):(?:\d+:)* (?P<severity>fatal error|error|warning|note): "
    r"(?P<text>.*?)(?: \[(?P<option>-[\w=,+-]+)\])?$"
)
_SOURCE = re.compile(r"^ *\d* \| (?P<text>.*)$")
_CLANG_SOURCE = re.compile(r"^\s*\^")
_MODPOST = re.compile(r"^(?P<severity>ERROR|WARNING): modpost: (?P<text>.*)$")
# older kernels: `"NAME" [FILE] undefined!`; newer ones: `FILE: symbol 'NAME' undefined!`
UNDEFINED = re.compile(r"(?:\"|symbol ')(?P<name>\w+)(?:\" \[\S+\]|') undefined!")
# objtool, and up to 6.4 scripts/check-local-export
_OBJECT = re.compile(r"^(?P<path>\S+?\.o): (?P<severity>warning|error): (?P<text>.*)$")
_NO_RULE = re.compile(r"^make(?:\[\d+\])?: \*\*\* (?P<text>No rule to make target .*?)\.?(?:  Stop\.)?$")
_MAKEFILE = re.compile(r"^(?P<path>[^\s:]+):(?P<line>\d+): \*\*\* (?P<text>.*?)\.?(?:  Stop\.)?$")
_MAKE = re.compile(r"^make(?:\[\d+\])?: \*\*\* (?P<text>.*)$")
_CONSEQUENCE = re.compile(
    r"\] (?:Error \d+|Terminated|Interrupt|Killed)|Waiting for unfinished jobs|Deleting file "
)
# The compiler about itself: no memory, no disk, an option it does not know.
_DRIVER = re.compile(
    r"^\S*(?:cc1\w*|gcc|cc|clang|collect2|as)(?:-\d+)?: "
    r"(?P<severity>fatal error|error|warning): (?P<text>.*)$"
)
_LINKER_AT = re.compile(
    r"^(?P<path>[^\s:][^:]*):(?P<line>\d+): (?P<text>(?:multiple definition|undefined ref).*)$"
)
_LINKER = re.compile(r"^(?:[\w./-]*\bld(?:\.\w+)?): (?P<text>.*)$")
_SHELL = re.compile(r"^(?:/bin/)?\w*sh: (?:line )?\d+: (?P<text>.*)$")
_TOOL = re.compile(r"^(?P<severity>[Ww]arning|[Ee]rror|WARNING|ERROR|FATAL): (?P<text>.*)$")
# Those that make packages: dpkg-buildpackage and what it calls.
_PACKAGER = re.compile(
    r"^(?P<text>(?:dpkg-[\w-]+|dh(?:_\w+)?|rpmbuild): )(?P<severity>error|warning): (?P<more>.*)$"
)
# GNU make's frame around what it does in a directory.
_FRAME = re.compile(r"^make(?:\[\d+\])?: (?:Entering|Leaving) directory ")
_COMPILER_DIFFERS = re.compile(r"^  (?:The kernel was built by|You are using): ")
_IN_MACRO = re.compile(r"in (?:expansion|definition) of macro ")
_MADE = re.compile(r"(?P<path>[\w./+-]+)\.k?o\b")
# Kbuild's short log: which file the lines that follow are about.
_TARGET = re.compile(
    r"^  (?:CC|AS|LD|AR|CPP|HOSTCC|MODPOST|BTF|CHECK|GEN|RUSTC|LDS) (?:\[M\])? *(?P<target>\S+)$"
)


def is_consequence(line: str) -> bool:
    """Whether make says no more there than that something failed that was told above, or where it is."""
    match = _MAKE.match(line)
    said = match is not None and _CONSEQUENCE.search(match["text"]) is not None
    return said or _FRAME.match(line) is not None


def parse_log(
    lines: Iterable[str],
    *,
    real_path: Callable[[str], Path],
    work: Path | None = None,
    target: str = "",
    own: Path | None = None,
) -> Targets:
    """The diagnostics of a build's log, by the target Kbuild named before them ("" where none).

    Every target that the log names is there, most with no diagnostics; `work`, Kbuild's directory, is cut
    off their names and out of what tools say.  `target`: what the first lines are about.  `real_path` turns
    a path as printed into the source file's own.  What a macro of the kernel's headers led to is told at the
    line below `own` that uses the macro (the log has the rest).  Hostile input is bounded: lines of more
    than 4096 characters are cut, 2000 diagnostics are kept.
    """
    parser = _Parser(real_path, f"{work}/" if work is not None else "", target)
    for line in lines:
        parser.feed(line.rstrip("\n")[:MAX_LINE])
    if own is None:
        return parser.targets
    return {name: _at_own_lines(items, own) for name, items in parser.targets.items()}


def _at_own_lines(items: list[Diagnostic], own: Path) -> list[Diagnostic]:
    """Messages about the inside of a header's macro, moved to the person's line that uses the macro."""
    moved: list[Diagnostic] = []
    for group in _groups(items):
        first, *notes = group
        uses = [note for note in notes if _is_below(note.path, own) and _IN_MACRO.match(note.text)]
        if _is_below(first.path, own) or not uses:
            moved += group
            continue
        place = uses[-1]
        moved.append(
            replace(
                first,
                path=place.path,
                line=place.line,
                column=place.column,
                source_line=place.source_line,
            )
        )
        moved += [note for note in notes if not _IN_MACRO.match(note.text)]
    return moved


def _groups(items: Iterable[Diagnostic]) -> list[list[Diagnostic]]:
    """Each error or warning with the notes that follow it."""
    groups: list[list[Diagnostic]] = []
    for item in items:
        if item.severity is Severity.NOTE and groups:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _is_below(path: Path | None, own: Path) -> bool:
    return path is not None and path.is_relative_to(own)


class _Parser:
    """Reads a log line by line; `targets` has what was understood so far."""

    def __init__(self, real_path: Callable[[str], Path], work: str, target: str) -> None:
        self.targets: Targets = {target: []} if target else {}
        self._real_path = real_path
        self._work = work
        self._target = target
        self._count = 0
        self._previous = ""

    def feed(self, line: str) -> None:
        """Takes one line."""
        target = _TARGET.match(line)
        if target is not None:
            self._target = self._plain(target["target"])
            self.targets.setdefault(self._target, [])
        elif self._compiler(line) or self._quoted_source(line) or self._tool(line):
            pass
        self._previous = line

    def _plain(self, text: str) -> str:
        return text.replace(self._work, "") if self._work else text

    def _add(self, item: Diagnostic, target: str | None = None) -> bool:
        if self._count < MAX_DIAGNOSTICS:
            self._count += 1
            self.targets.setdefault(self._target if target is None else target, []).append(item)
        return True

    def _compiler(self, line: str) -> bool:
        if match := _NO_FILE.match(line):
            severity = match["severity"].removeprefix("fatal ")
            text = f"{match['place']}: {match['text']}"
            return self._add(Diagnostic(None, 0, 0, Severity(severity), text, match["option"] or ""))
        match = _COMPILER.match(line)
        if match is None:
            return False
        severity = match["severity"].lower().removeprefix("fatal ")
        item = Diagnostic(
            self._real_path(match["path"]),
            int(match["line"]),
            int(match["column"] or 0),
            Severity(severity),
            match["text"],
            match["option"] or "",
        )
        return self._add(item)

    def _quoted_source(self, line: str) -> bool:
        """The line of source that the compiler shows below its message."""
        match = _SOURCE.match(line)
        items = self.targets.get(self._target)
        if match is None and not (_CLANG_SOURCE.match(line) and self._previous):
            return False
        text = match["text"] if match else self._previous
        if items and not items[-1].source_line and items[-1].line and not text.strip().startswith("^"):
            items[-1] = replace(items[-1], source_line=text.rstrip())
        return True

    def _tool(self, line: str) -> bool:
        if match := _MODPOST.match(line):
            return self._add(self._item(match["severity"], match["text"]))
        if match := _OBJECT.match(line):
            text = f"{self._plain(match['path'])}: {match['text']}"
            return self._add(self._item(match["severity"], text))
        if match := _NO_RULE.match(line):
            return self._add(self._item("error", match["text"].partition(", needed by")[0]), "")
        if match := _MAKEFILE.match(line):
            path = self._real_path(match["path"])
            return self._add(Diagnostic(path, int(match["line"]), 0, Severity.ERROR, match["text"]), "")
        if match := _MAKE.match(line):
            return is_consequence(line) or self._add(self._item("error", match["text"]), "")
        if match := _DRIVER.match(line):
            return self._add(self._item(match["severity"], match["text"]))
        if match := _LINKER_AT.match(line):
            path, text = self._real_path(match["path"]), self._plain(match["text"])
            return self._add(Diagnostic(path, int(match["line"]), 0, Severity.ERROR, text))
        if (match := _LINKER.match(line)) and not match["text"].endswith(":"):
            severity = "warning" if "warning:" in match["text"] else "error"
            return self._add(self._item(severity, match["text"]))
        if match := _SHELL.match(line):
            return self._add(self._item("error", match["text"]))
        if match := _PACKAGER.match(line):
            return self._add(self._item(match["severity"], match["text"] + match["more"]), "")
        if match := _TOOL.match(line):
            return self._add(self._item(match["severity"], match["text"]))
        return self._more(line)

    def _more(self, line: str) -> bool:
        """A further line of Kbuild's remark that the compiler is not the one the kernel was built with."""
        items = self.targets.get(self._target)
        if items and _COMPILER_DIFFERS.match(line):
            items[-1] = replace(items[-1], text=f"{items[-1].text}; {' '.join(line.split())}")
            return True
        return False

    def _item(self, severity: str, text: str) -> Diagnostic:
        """What a tool says of an object or a module, at the source it was made from if there is one."""
        kind = Severity.WARNING if severity.lower() == "warning" else Severity.ERROR
        plain = self._plain(text)
        made = _MADE.search(text)
        source = None
        if made is not None and self._work:
            name = made["path"] if made["path"].startswith("/") else f"{self._work}{made['path']}"
            candidate = self._real_path(f"{name}.c")
            source = candidate if candidate.is_file() else None
        return Diagnostic(source, 0, 0, kind, plain)
