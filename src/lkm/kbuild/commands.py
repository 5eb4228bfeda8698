# SPDX-License-Identifier: MIT
"""The command lines that Kbuild saves beside each file it makes (`.hello.o.cmd`).

Written by `if_changed` and fixdep (scripts/Kbuild.include, scripts/basic/fixdep.c).  The first line is
`cmd_TARGET := …`, since 6.2 `savedcmd_TARGET := …` (92215e7a801d); then the source, the dependencies, and
`#SYMVER` lines for what an object exports.  Since 6.13 (13b25489b6f8) targets are relative to the
module's directory and commands run there; before, they are absolute and commands run in the kernel's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FIRST = re.compile(r"^(?:saved)?cmd_(?P<target>\S+) :=[ \t]*(?P<command>.*)$")
_DEPENDENCY = re.compile(r"^  (?P<path>\S+) \\$")
MAX_CMD_FILE = 8 << 20


@dataclass(frozen=True, slots=True)
class SavedCommand:
    """One `.cmd` file.

    `target`: as Kbuild names it.  `command`: for a shell, as it was run.  `dependencies`: the files it was
    made from, as the compiler named them.  `symvers`: its `#SYMVER` lines.
    """

    target: str
    command: str
    dependencies: tuple[str, ...] = ()
    symvers: tuple[str, ...] = ()

    @property
    def is_relative(self) -> bool:
        """Whether it runs in the module's directory (and not in the kernel's)."""
        return not self.target.startswith("/")


def cmd_path(target: Path) -> Path:
    """Where Kbuild saves the command for `target`."""
    return target.with_name(f".{target.name}.cmd")


def parse_command(line: str) -> SavedCommand | None:
    """The first line of a `.cmd` file, or None where it is not of that shape."""
    match = _FIRST.match(line)
    if match is None:
        return None
    # Kbuild.include, make-cmd: `$` and `#` are escaped for make.
    command = match["command"].replace("$(pound)", "#").replace("$$", "$").strip()
    return SavedCommand(match["target"], command)


def parse_cmd_file(text: str) -> SavedCommand | None:
    """A whole `.cmd` file."""
    first, _, rest = text.partition("\n")
    saved = parse_command(first)
    if saved is None:
        return None
    paths = [match["path"] for line in rest.splitlines() if (match := _DEPENDENCY.match(line))]
    source = re.search(r"^source_\S+ := (\S+)$", rest, re.MULTILINE)
    if source is not None:
        paths.insert(0, source[1])
    symvers = tuple(line for line in rest.splitlines() if line.startswith("#SYMVER "))
    return SavedCommand(saved.target, saved.command, tuple(paths), symvers)


def read_cmd_file(target: Path) -> SavedCommand | None:
    """The saved command of the file `target`, or None where there is none that can be read."""
    try:
        with cmd_path(target).open("rb") as file:
            return parse_cmd_file(file.read(MAX_CMD_FILE).decode("utf-8", "surrogateescape"))
    except OSError:
        return None


def read_command(target: Path) -> SavedCommand | None:
    """As `read_cmd_file`, the command alone: no dependencies, no symbol versions."""
    try:
        with cmd_path(target).open("rb") as file:
            return parse_command(file.readline(MAX_CMD_FILE).decode("utf-8", "surrogateescape"))
    except OSError:
        return None


def parse_dependency_file(text: str) -> list[str]:
    """The prerequisites in a make rule as `gcc -MMD` writes it."""
    _, _, rest = text.replace("\\\n", " ").partition(": ")
    words = re.split(r"(?<!\\)\s+", rest.partition("\n")[0].strip())
    return [word.replace("\\ ", " ").replace("$$", "$") for word in words if word]


def parse_mod_file(text: str) -> list[str]:
    """The objects in a `NAME.mod` file, a path each."""
    return text.split()
