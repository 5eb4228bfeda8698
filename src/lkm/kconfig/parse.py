# SPDX-License-Identifier: MIT
"""A kernel tree's Kconfig files read by kconfiglib, in a process of its own.

Of its own, because kconfiglib reads the environment and the working directory, and keeps 100 MB.  It is used
for what it knows of symbols alone; which value a symbol gets, `conf` decides.  OUT gets two files: OUT.db,
a row a symbol, and OUT.flat (see `lkm.kconfig.translate`).  Half of what kconfiglib does is done in another
way here: a line that was met before is not taken apart again, and a help text is not looked at.
"""

from __future__ import annotations

import gc
import json
import marshal
import os
import re
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from lkm.kconfig.shells import ShellError, Shells
from lkm.kconfig.translate import Lines, Whole, open_lines

# kconfiglib's names of operators, and Kconfig's own signs.
_OPERATORS = {
    "AND": "&&", "OR": "||", "NOT": "!", "EQUAL": "=", "UNEQUAL": "!=",
    "LESS": "<", "LESS_EQUAL": "<=", "GREATER": ">", "GREATER_EQUAL": ">=",
}  # fmt: skip
_NUMBER = re.compile(r"-?\d+|0[xX][0-9a-fA-F]+")
_VALUE = re.compile(r"\s*(?:default|def_bool|def_tristate|depends|select|imply|visible|if|range)\b")


def main() -> int:
    """Reads `Kconfig` below `$srctree` and writes OUT.db and OUT.flat: status 0; else 1, and a line.

    Arguments: OUT, and perhaps the number of a descriptor that gets the flat copy too.
    """
    gc.disable()  # nothing here is garbage before the end, and looking for it takes a third of the time
    out = Path(sys.argv[1])
    pipe = int(sys.argv[2]) if len(sys.argv) > 2 else None
    shells = Shells()
    pid = os.fork()
    if pid == 0:
        return shells.serve(Path(f"{out}.flat"), pipe)
    shells.begin(pid)
    if pipe is not None:
        os.close(pipe)
    try:
        tree = _read(shells)
        shells.end()
        write_index(Path(f"{out}.db"), tree, shells)
        shells.wait()
    except ImportError:
        sys.stderr.write("kconfiglib is not installed\n")
        return 1
    except ShellError as error:
        sys.stderr.write(f"{error}\n")
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # what was asked, and gave no answer
        return 1
    except _UnreadableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


class _UnreadableError(Exception):
    """What kconfiglib says of files it cannot read."""


def _read(shells: Shells) -> Any:
    """The tree as kconfiglib has it."""
    import kconfiglib  # type: ignore[import-untyped]

    # Only used when values are computed or set, and half a second.
    kconfiglib._check_dep_loop_sym = lambda *_: None
    checks: list[tuple[str, str, str]] = []

    def error_if(tree: Any, _name: str, condition: str, text: str) -> str:
        # Checked at the end: to wait for the compiler's word at each holds the reading up.
        checks.append((f"{tree.filename}:{tree.linenr}", condition, text))
        return ""

    kconfiglib._shell_fn = lambda _tree, _name, command: shells.start(command)
    kconfiglib._error_if_fn = error_if
    kconfiglib._warning_if_fn = lambda *_: ""

    class Tree(kconfiglib.Kconfig):  # type: ignore[misc]
        """kconfiglib's reader, with each file translated as it is opened."""

        def __init__(self) -> None:
            self.seen: dict[str, Any] = {"\n": (None,)}
            super().__init__("Kconfig", warn=False)

        def _open(self, filename: str, mode: str) -> Lines | Whole:
            return open_lines(filename, expand=self.expand, put=shells.put)

        def expand(self, line: str) -> str:
            self.linenr += 1  # counted once it is read, which it is being
            try:
                expanded: str = self._expand_whole(line, ())
            finally:
                self.linenr -= 1
            # What a line is about must be known now; what it is worth may come later.
            return expanded if _VALUE.match(line) else shells.resolve(expanded)

        def _next_line(self) -> bool:
            if self._reuse_tokens:
                return bool(super()._next_line())
            line = self._readline()
            tokens = self.seen.get(line)
            if tokens is None:
                if not line:
                    return False
                first = line
                self.linenr += 1
                while line.endswith("\\\n"):
                    line = line[:-2] + self._readline()
                    self.linenr += 1
                tokens = self._tokenize(line)
                if line is first and tokens[0] is not None:  # None: perhaps one that sets a variable
                    self.seen[line] = tokens
            else:
                self._line = line
                self.linenr += 1
            self._tokens = tokens
            self._tokens_i = 1
            return True

        def _parse_help(self, node: Any) -> None:
            file = self._readline.__self__
            text = file.take_help() if isinstance(file, Whole) and node.help is None else None
            if text is None:
                super()._parse_help(node)
                return
            node.help = text
            self.linenr += text.count("\n") + 1
            if line := file.readline():
                self._line_after_help(line)

        def _build_dep(self) -> None: ...

        def _add_choice_deps(self) -> None: ...

    said = ""
    try:
        tree = Tree()
    except kconfiglib.KconfigError as error:
        said = str(error)
    for place, condition, text in checks:
        if shells.resolve(condition) == "y":
            said = f"{place}: {shells.resolve(text)}"
            break
    if said:
        raise _UnreadableError(said)
    return tree


def write_index(path: Path, tree: Any, shells: Shells) -> None:
    """Writes what a parsed tree says, one row a symbol, and the files it was read from."""
    with sqlite3.connect(path) as database:
        database.execute("pragma journal_mode = off")
        database.execute("pragma synchronous = off")
        database.execute("create table symbol (name text primary key, prompt text, data blob) without rowid")
        database.execute("create table meta (name text primary key, data text)")
        database.executemany("insert into symbol values (?, ?, ?)", sorted(_rows(tree, shells)))
        files = {}
        for name in tree.kconfig_filenames:
            status = (Path(tree.srctree) / name).stat()
            files[name] = [status.st_mtime_ns, status.st_size]
        database.execute("insert into meta values ('files', ?)", (json.dumps(files),))


def _rows(tree: Any, shells: Shells) -> list[tuple[str, str, bytes]]:
    import kconfiglib

    codes = {getattr(kconfiglib, name): sign for name, sign in _OPERATORS.items()}
    known: dict[int, Any] = {}
    selected: dict[str, list[Any]] = {}
    implied: dict[str, list[Any]] = {}

    def plain(expression: Any) -> Any:
        """An expression as the index has it: a name, ["c", text], or [operator, operands]."""
        if not isinstance(expression, tuple):
            if isinstance(expression, kconfiglib.Choice):
                return ["choice", expression.name or ""]
            name = shells.resolve(expression.name)
            # To kconfiglib a number without quotes is a symbol that is not defined.
            constant = expression.is_constant or name != expression.name or _NUMBER.fullmatch(name)
            return ["c", name] if constant else name
        found = known.get(id(expression))
        if found is None:
            found = known[id(expression)] = [codes[expression[0]], *map(plain, expression[1:])]
        return found

    for symbol in tree.unique_defined_syms:
        for target, condition in symbol.selects:
            selected.setdefault(target.name, []).append([symbol.name, plain(condition)])
        for target, condition in symbol.implies:
            implied.setdefault(target.name, []).append([symbol.name, plain(condition)])
    rows = []
    for symbol in tree.unique_defined_syms:
        data = {
            "type": kconfiglib.TYPE_TO_STR[symbol.orig_type],
            "nodes": [_node(node, plain) for node in symbol.nodes],
            "depends": plain(symbol.direct_dep),
            "defaults": [[plain(value), plain(condition)] for value, condition in symbol.defaults],
            "ranges": [[plain(low), plain(high), plain(condition)] for low, high, condition in symbol.ranges],
            "selects": [[target.name, plain(condition)] for target, condition in symbol.selects],
            "implies": [[target.name, plain(condition)] for target, condition in symbol.implies],
            "selected_by": selected.get(symbol.name, []),
            "implied_by": implied.get(symbol.name, []),
            "choice": [one.name for one in symbol.choice.syms] if symbol.choice is not None else [],
        }
        # Ten times as quick as JSON, and read by nobody but this very Python (its version is in the key).
        rows.append((symbol.name, data["nodes"][0]["prompt"], marshal.dumps(data)))
    return rows


def _node(node: Any, plain: Any) -> dict[str, Any]:
    menus, parent = [], node.parent
    while parent is not None and parent.parent is not None:
        if parent.prompt is not None:
            menus.append(parent.prompt[0])
        parent = parent.parent
    return {
        "file": node.filename,
        "line": node.linenr,
        "prompt": node.prompt[0] if node.prompt else "",
        "visible": plain(node.prompt[1]) if node.prompt else ["c", "n"],
        "help": node.help or "",
        "menus": menus[::-1],
    }
