# SPDX-License-Identifier: MIT
"""Source files: where the one that debug information names is now, and the lines around one of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lkm.decode.value import Excerpt

_LIMIT = 16 << 20  # bytes of a source file
_BEFORE, _AFTER = 3, 2
_LONGEST = 400  # characters of a line


def find_source(path: str, *, near: Sequence[Path]) -> Path | None:
    """The file that the compiler knew as `path`: there, else below one of the directories `near`.

    A source that was moved or copied keeps the end of its path: `/home/a/hello/src/hello.c` is looked for as
    `src/hello.c`, then as `hello.c`, in each of `near`.
    """
    if not path or "\0" in path:
        return None
    recorded = Path(path)
    if recorded.is_absolute() and _is_file(recorded):
        return recorded
    parts = [part for part in recorded.parts if part not in {"/", "..", "."}]
    for directory in near:
        for count in range(min(len(parts), 4), 0, -1):
            candidate = directory.joinpath(*parts[-count:])
            if _is_file(candidate):
                return candidate
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_excerpt(path: Path, line: int, *, module: Path | None = None) -> Excerpt | None:
    """The lines around `line` of a source file; None where it cannot be read or has not that many.

    `module`: the file that was made from it; a source that was changed since is said to be newer.
    """
    try:
        if path.stat().st_size > _LIMIT:
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return None
    first, last = max(line - _BEFORE, 1), min(line + _AFTER, len(lines))
    while first < line and not lines[first - 1].strip():
        first += 1
    while last > line and not lines[last - 1].strip():
        last -= 1
    shown = tuple(one.rstrip("\r")[:_LONGEST] for one in lines[first - 1 : last])
    return Excerpt(path, first, shown, line, module is not None and _is_newer(path, module))


def _is_newer(path: Path, module: Path) -> bool:
    """Whether a source was changed since a module was made from it.

    Goes by the times, but for a module that `lkm build` made: its copy of the source says what it is made
    from, and a source that was cloned again or touched is what it was.
    """
    from lkm.kbuild import source_copy

    def is_later(one: Path) -> bool:
        return one.stat().st_mtime > module.stat().st_mtime + 1

    try:
        if not is_later(path):
            return False
        copy = source_copy(module, path)
        return copy is None or is_later(copy) or copy.read_bytes() != path.read_bytes()
    except OSError:
        return True
