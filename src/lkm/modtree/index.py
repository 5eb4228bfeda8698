# SPDX-License-Identifier: MIT
"""What modules directories hold, read once and kept in the cache: one SQLite file, many kernels side by side.

All in it can be made again: where it is damaged or of another version it is thrown away, where it cannot
be written it is done without.
"""

from __future__ import annotations

import contextlib
import marshal
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lkm import paths
from lkm.errors import BadInputError
from lkm.modtree.search import DepmodConfig
from lkm.modtree.tree import Entry, Tree, read_tree

# Raised by one whenever what is kept, or how, changes.
FORMAT = 7
_WAIT = 10.0  # seconds for another process that writes

# The values lie in a table by row number: where they lay with their keys, each search read those it passed.
_TABLES = """
DROP TABLE IF EXISTS kept;  -- of the formats up to 5
CREATE TABLE IF NOT EXISTS facts (
    place TEXT NOT NULL,     -- the modules directory (or image), resolved
    kind TEXT NOT NULL,      -- what of it: tree, depmod, symbols
    stamp TEXT NOT NULL,     -- what it was made from: other values make it void
    data BLOB NOT NULL,      -- marshal, its CRC-32 before it
    UNIQUE (place, kind)
);
"""


class Index:
    """The cache.  Its methods never fail for reasons of its own: without a file nothing is kept."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.cache_dir() / "index.sqlite"
        self._version = f"{FORMAT}.{sys.version_info.major}.{sys.version_info.minor}"

    @contextlib.contextmanager
    def open(self, *, write: bool) -> Iterator[sqlite3.Connection | None]:
        """A connection to the file; None where there is none or it cannot be opened."""
        if not write and not self.path.exists():
            yield None
            return
        try:
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
        except (OSError, sqlite3.Error):
            yield None
            return
        try:
            if write:
                connection.execute("PRAGMA synchronous=OFF")
                connection.executescript(_TABLES)
            yield connection
        except sqlite3.Error as error:
            # Locked for long, or no room: done without.  Damaged: thrown away, to be made again.
            if not isinstance(error, sqlite3.OperationalError):
                with contextlib.suppress(OSError):
                    self.path.unlink()
        finally:
            connection.close()

    def load(self, place: str, kind: str, stamp: str = "") -> Any:
        """What was kept for `place`, None where there is nothing of this stamp."""
        found: tuple[bytes] | None = None
        with self.open(write=False) as connection:
            if connection is not None:
                found = connection.execute(
                    "SELECT data FROM facts WHERE place = ? AND kind = ? AND stamp = ?",
                    (place, kind, f"{self._version} {stamp}"),
                ).fetchone()
        if found is None or not isinstance(found[0], bytes):
            return None
        data = memoryview(found[0])
        if len(data) < 4 or zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
            return None
        try:
            return marshal.loads(data[4:])
        except (ValueError, EOFError, TypeError):
            return None

    def save(self, place: str, kind: str, value: Any, stamp: str = "") -> None:
        """Keeps a value of plain types (None, numbers, text, bytes, tuples, lists, dicts)."""
        data = marshal.dumps(value)
        checked = zlib.crc32(data).to_bytes(4, "little") + data
        with self.open(write=True) as connection:
            if connection is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)",
                    (place, kind, f"{self._version} {stamp}", checked),
                )

    def places(self, kind: str) -> list[str]:
        """Everything of which something of that kind is kept."""
        with self.open(write=False) as connection:
            if connection is not None:
                rows = connection.execute("SELECT place FROM facts WHERE kind = ? ORDER BY place", (kind,))
                return [place for (place,) in rows]
        return []

    def forget(self, place: str) -> None:
        """Drops all that is kept for `place`."""
        with self.open(write=True) as connection:
            if connection is not None:
                connection.execute("DELETE FROM facts WHERE place = ?", (place,))


def load_tree(index: Index, directory: Path) -> Tree | None:
    """The tree of a directory as it was last read, whether or not it was changed since."""
    found = index.load(_place(directory), "tree")
    return unpack_tree(directory, found) if found is not None else None


def fresh_tree(
    index: Index,
    directory: Path,
    config: DepmodConfig | None = None,
    *,
    bad: Callable[[BadInputError], None] | None = None,
) -> tuple[Tree, list[Entry]]:
    """The tree of a directory as it is now, and the modules that had to be read for it.

    Only files whose size, modification time or inode changed are read; what was read is kept.
    `bad` and errors as in `read_tree`.
    """
    old = load_tree(index, directory)
    tree, read = read_tree(directory, config, old=old, bad=bad)
    if read or old is None or len(old.entries) != len(tree.entries):
        index.save(_place(directory), "tree", pack_tree(tree))
    return tree, read


def _place(directory: Path) -> str:
    return str(directory.resolve())


def pack_tree(tree: Tree) -> tuple[object, ...]:
    """A tree as plain values."""
    return b"\0".join(tree.names), list(map(tuple, tree.entries))


def unpack_tree(directory: Path, packed: tuple[Any, ...]) -> Tree:
    """The reverse of `pack_tree`."""
    names, entries = packed
    return Tree(directory, list(map(Entry._make, entries)), names.split(b"\0") if names else [])
