# SPDX-License-Identifier: MIT
"""What a tree's Kconfig files say of each symbol, kept in the cache for as long as none of them changes."""

from __future__ import annotations

import hashlib
import json
import marshal
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lkm import process
from lkm.errors import BadInputError, MissingError
from lkm.kconfig.expression import Expression
from lkm.kconfig.translate import plain_help
from lkm.kconfig.tree import Tree, kconfig_environment
from lkm.paths import cache_dir, locked, make_dir

_SCHEMA = 4
_TIMEOUT = 120.0
# Ended at once: taking a million tuples apart takes longer than reading them.
_PARSE = "import os; from lkm.kconfig.parse import main; os._exit(main())"


@dataclass(frozen=True, slots=True)
class Node:
    """One place that defines a symbol: file and line, prompt (or ""), when that is shown, help, menus."""

    file: str
    line: int
    prompt: str
    visible: Expression
    help: str
    menus: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol as the Kconfig files define it; each pair is a symbol or value and the condition for it.

    `kind`: bool, tristate, string, int, hex or unknown.  `choice`: all members, where it is one's.
    """

    name: str
    kind: str
    nodes: tuple[Node, ...]
    depends: Expression
    defaults: tuple[tuple[Expression, Expression], ...]
    ranges: tuple[tuple[Expression, Expression, Expression], ...]
    selects: tuple[tuple[str, Expression], ...]
    implies: tuple[tuple[str, Expression], ...]
    selected_by: tuple[tuple[str, Expression], ...]
    implied_by: tuple[tuple[str, Expression], ...]
    choice: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """What a person is asked, or ""."""
        return next((node.prompt for node in self.nodes if node.prompt), "")

    @property
    def help(self) -> str:
        """The help text, or ""."""
        return next((node.help for node in self.nodes if node.help), "")


class Index:
    """The symbols of one tree, each read when it is asked for."""

    def __init__(self, tree: Tree, path: Path) -> None:
        self.tree = tree
        self.flat = path.with_suffix(".flat")
        self._database = sqlite3.connect(path, isolation_level=None)
        self._known: dict[str, Symbol | None] = {}

    def find(self, name: str) -> Symbol | None:
        """The symbol `name` (without `CONFIG_`), or None where the tree has none."""
        if name not in self._known:
            row = self._database.execute("select data from symbol where name = ?", (name,)).fetchone()
            self._known[name] = None if row is None else _symbol(name, marshal.loads(row[0]))
        return self._known[name]

    def names(self) -> list[str]:
        """The names of all symbols."""
        return [row[0] for row in self._database.execute("select name from symbol")]

    def prompts(self) -> Iterator[tuple[str, str]]:
        """Each symbol with the first prompt it has."""
        yield from self._database.execute("select name, prompt from symbol")

    def recall(self, key: str) -> Any:
        """What was kept under `key`, or None."""
        try:
            row = self._database.execute("select data from kept where name = ?", (key,)).fetchone()
        except sqlite3.Error:
            return None
        return None if row is None else json.loads(row[0])

    def keep(self, key: str, value: object) -> None:
        """Keeps an answer while the tree stays as it is; a cache that cannot be written is no error."""
        try:
            self._database.execute("create table if not exists kept (name text primary key, data text)")
            self._database.execute("insert or replace into kept values (?, ?)", (key, json.dumps(value)))
        except sqlite3.Error:
            return

    def is_current(self) -> bool:
        """Whether all files it was made from are as they were."""
        row = self._database.execute("select data from meta where name = 'files'").fetchone()
        root = f"{self.tree.path}/"
        try:
            for name, (modified, size) in json.loads(row[0]).items():
                status = os.stat(root + name)  # noqa: PTH116 - a Path for each of 1600 takes longer
                if status.st_mtime_ns != modified or status.st_size != size:
                    return False
        except (OSError, TypeError):
            return False
        return True

    def close(self) -> None:
        """Gives the file back."""
        self._database.close()


def _symbol(name: str, data: dict[str, Any]) -> Symbol:
    pairs = {
        key: tuple(tuple(item) for item in data[key])
        for key in ("defaults", "ranges", "selects", "implies", "selected_by", "implied_by")
    }
    nodes = tuple(
        Node(**{**node, "menus": tuple(node["menus"]), "help": plain_help(node["help"])})
        for node in data["nodes"]
    )
    return Symbol(name, data["type"], nodes, data["depends"], choice=tuple(data["choice"]), **pairs)


def open_index(tree: Tree, *, flat_to: Callable[[], int | None] | None = None) -> Index:
    """The index of a tree, read from its files where the cache has none that holds.

    `flat_to` is called where they are read now, and gives a descriptor that the flat copy is written to as it
    comes about; it is closed then.  Raises `BadInputError` where the files cannot be read, `MissingError`
    without kconfiglib.
    """
    environment = kconfig_environment(tree)
    seen = {key: value for key, value in environment.items() if key not in ("PATH", "HOME", "TMPDIR")}
    words = json.dumps([_SCHEMA, sys.version, str(tree.path), sorted(seen.items())])
    path = cache_dir() / "kconfig" / f"{hashlib.sha256(words.encode()).hexdigest()[:24]}.db"
    index = _open_current(tree, path)
    if index is not None:
        return index
    with locked(path.with_suffix(".lock")):
        index = _open_current(tree, path)
        if index is None:
            _parse(path, environment, [fd for fd in [flat_to and flat_to()] if fd is not None])
            index = Index(tree, path)
    return index


def _open_current(tree: Tree, path: Path) -> Index | None:
    if not path.exists() or not path.with_suffix(".flat").exists():
        return None
    try:
        index = Index(tree, path)
        if index.is_current():
            return index
        index.close()
    except sqlite3.Error:
        pass
    return None


def _parse(path: Path, environment: dict[str, str], given: list[int]) -> None:
    """Has the files read in a process of its own, and puts what it wrote in place."""
    import tempfile

    make_dir(path.parent)
    with tempfile.TemporaryDirectory(prefix=".parse-", dir=path.parent) as work:
        result = process.run(
            [sys.executable, "-c", _PARSE, f"{work}/index", *map(str, given)],
            cwd=Path(work),  # compiler tests of Kconfig write beside themselves
            env={**environment, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
            timeout=_TIMEOUT,
            given=given,
        )
        if result.status != 0:
            said = result.stderr.strip().splitlines()
            if said and "kconfiglib is not installed" in said[-1]:
                raise MissingError("kconfiglib is not installed", hint="pip install kconfiglib")
            source = environment["srctree"]
            raise BadInputError(
                f"{source}: its Kconfig files cannot be read: {(said or ['no reason given'])[-1]}"
            )
        Path(work, "index.flat").replace(path.with_suffix(".flat"))
        Path(work, "index.db").replace(path)
