# SPDX-License-Identifier: MIT
"""Symbols of kernels and their modules: found by name or address in an index that is made once a kernel.

Sources, the first that is at hand: addresses from System.map, else from the map inside the image; exports of
the kernel from the image, else from Module.symvers; those of modules from Module.symvers, else from the
modules; users from the modules.
"""

from __future__ import annotations

import re
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lkm.elf.number import STT_FUNC
from lkm.errors import BadInputError, MissingError
from lkm.kernel.image import unpack_image
from lkm.kernel.kallsyms import MapSymbol, read_kallsyms
from lkm.kernel.stamp import place_of, stamp_files, stamp_modules
from lkm.kernel.symvers import VMLINUX, ExportRow, read_image_exports, read_symvers
from lkm.kernel.value import Kernel
from lkm.modtree.index import Index, fresh_tree
from lkm.modtree.scan import split_texts
from lkm.modtree.tree import Tree
from lkm.module import module_name, read_module

# nm(1) and scripts/kallsyms.c; upper case is global, lower case is local to its file.
TYPES = {
    "T": "code (text), global",
    "t": "code (text), local",
    "D": "initialized data, global",
    "d": "initialized data, local",
    "R": "read-only data, global",
    "r": "read-only data, local",
    "B": "data that starts as zero (bss), global",
    "b": "data that starts as zero (bss), local",
    "A": "absolute: its value is no address, or an offset into per-CPU data; global",
    "a": "absolute, local",
    "V": "weak object, with a default",
    "v": "weak object, without a default",
    "W": "weak: gives way to another definition",
    "w": "weak, without a default",
    "G": "small initialized data, global",
    "g": "small initialized data, local",
    "S": "small data that starts as zero, global",
    "s": "small data that starts as zero, local",
    "C": "common: not yet placed",
    "c": "small common",
    "N": "debugging",
    "n": "read-only, not loaded",
    "U": "undefined here",
    "u": "unique global",
    "i": "indirect function: its address is found when it is first called",
    "I": "refers to another symbol",
    "?": "unknown",
}
_FORMAT = 3
_SPECIAL = re.compile(r"[*?\[]")
_FEWEST_LINES = 100  # Debian's /boot/System.map is one line that says where the real one is
_TABLES = """
CREATE TABLE IF NOT EXISTS kernels (
    number INTEGER PRIMARY KEY, place TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS symbols (
    kernel INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
    owner TEXT NOT NULL, type TEXT NOT NULL, address INTEGER,
    export INTEGER NOT NULL,  -- 0 no, 1 to all, 2 for GPL only
    namespace TEXT NOT NULL, crc INTEGER, users TEXT NOT NULL,
    PRIMARY KEY (kernel, name, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_address ON symbols (kernel, address);
"""

Row = tuple[int, str, int, str, str, int | None, int, str, int | None, str]


@dataclass(frozen=True, slots=True)
class KernelSymbol:
    """A symbol of one kernel.

    `kernel`: its name.  `owner`: `vmlinux`, or the module's name.  `type`: a letter (see `TYPES`), "" where
    it is not known.  `address`: as linked, without KASLR; None where unknown, as for modules.  `crc`: None
    without MODVERSIONS.  `users`: the modules that use it.
    """

    name: str
    kernel: str
    owner: str
    type: str
    exported: bool
    gpl_only: bool
    namespace: str
    crc: int | None
    address: int | None
    users: tuple[str, ...] = ()


MapReader = Callable[[Kernel], list[MapSymbol] | None]


class Symbols:
    """The symbols of kernels, kept in the cache's index.

    `read_map` is asked for a symbol map where neither System.map nor the image has one.  A kernel's
    symbols are read anew where its files changed.
    """

    def __init__(self, index: Index | None = None, *, read_map: MapReader | None = None) -> None:
        self.index = index or Index()
        self._read_map = read_map

    def read(self, kernel: Kernel) -> None:
        """Reads a kernel's symbols into the index, where they are not there or not as they were.

        Raises `BadInputError` for a damaged kernel, `MissingError` where the index cannot be kept.
        """
        self._ready(kernel)

    def find(self, kernels: Iterable[Kernel], pattern: str) -> list[KernelSymbol]:
        """The symbols of these kernels with that name, or whose names match a shell pattern, by name.

        Raises `BadInputError` for a damaged kernel, `MissingError` where the index cannot be kept.
        """
        numbers = {self._ready(kernel): kernel.name for kernel in kernels}
        marks = ",".join("?" * len(numbers))
        head = _SPECIAL.split(pattern, maxsplit=1)[0]
        if head == pattern:
            query, words = f"SELECT * FROM symbols WHERE kernel IN ({marks}) AND name = ?", [pattern]
        else:
            # What comes before the first special letter narrows it to a part of the index.
            query = (
                f"SELECT * FROM symbols WHERE kernel IN ({marks}) AND name >= ? AND name < ? AND name GLOB ?"
            )
            words = [head, head + "\U0010ffff", pattern]
        order = {number: place for place, number in enumerate(numbers)}
        rows = self._select(query, (*numbers, *words))
        rows.sort(key=lambda row: (row[1], order[row[0]], row[2]))
        return [_symbol(row, numbers[row[0]]) for row in rows]

    def at(self, kernel: Kernel, address: int) -> tuple[KernelSymbol, int] | None:
        """The symbol that holds an address, and how many bytes into it; None before the first."""
        number = self._ready(kernel)
        rows = self._select(
            # Signed: addresses of the kernel's half are below 0, and what is per CPU is from 0 on.
            "SELECT * FROM symbols WHERE kernel = ? AND address <= ? AND address >= ?"
            " ORDER BY address DESC, type LIMIT 1",
            (number, _signed(address), 0 if _signed(address) >= 0 else -(1 << 63)),
        )
        if not rows or rows[0][5] is None:
            return None
        found = _symbol(rows[0], kernel.name)
        return found, address - (found.address or 0)

    def counts(self, kernel: Kernel) -> dict[str, int]:
        """How many symbols of each type letter the kernel's own map has."""
        number = self._ready(kernel)
        rows = self._select(
            "SELECT type, COUNT(*) FROM symbols WHERE kernel = ? AND owner = ? GROUP BY type ORDER BY 2 DESC",
            (number, VMLINUX),
        )
        return {str(row[0]): int(row[1]) for row in rows if row[0]}

    def exported_names(self, kernel: Kernel) -> list[str]:
        """The names of all that a kernel and its modules export."""
        number = self._ready(kernel)
        rows = self._select("SELECT DISTINCT name FROM symbols WHERE kernel = ? AND export > 0", (number,))
        return [str(row[0]) for row in rows]

    def has_map(self, kernel: Kernel) -> bool:
        """Whether addresses of this kernel's symbols are known."""
        number = self._ready(kernel)
        query = "SELECT 1 FROM symbols WHERE kernel = ? AND address IS NOT NULL LIMIT 1"
        return bool(self._select(query, (number,)))

    def _select(self, query: str, words: tuple[object, ...]) -> list[Row]:
        with self.index.open(write=False) as connection:
            if connection is not None:
                return connection.execute(query, words).fetchall()
        raise MissingError(f"cannot read {self.index.path}", hint="export LKM_CACHE=/some/writable/directory")

    def _ready(self, kernel: Kernel) -> int:
        """The number of a kernel in the index, made or renewed where it must be."""
        place, stamp = place_of(kernel), _stamp(kernel)
        with self.index.open(write=False) as connection:
            if connection is not None:
                try:
                    row = connection.execute(
                        "SELECT number FROM kernels WHERE place = ? AND stamp = ?", (place, stamp)
                    ).fetchone()
                except sqlite3.OperationalError:
                    row = None  # nothing was kept yet
                if row is not None:
                    return int(row[0])
        return self._store(kernel, place, stamp)

    def _store(self, kernel: Kernel, place: str, stamp: str) -> int:
        found = list(_collect(kernel, self.index, self._read_map))
        with self.index.open(write=True) as connection:
            if connection is None:
                raise MissingError(
                    f"cannot write {self.index.path}", hint="export LKM_CACHE=/some/writable/directory"
                )
            connection.executescript(_TABLES)
            connection.execute("BEGIN IMMEDIATE")
            old = connection.execute("SELECT number FROM kernels WHERE place = ?", (place,)).fetchone()
            if old is not None:
                connection.execute("DELETE FROM symbols WHERE kernel = ?", old)
                connection.execute("DELETE FROM kernels WHERE number = ?", old)
            cursor = connection.execute("INSERT INTO kernels (place, stamp) VALUES (?, ?)", (place, stamp))
            number = cursor.lastrowid or 0
            rows = sorted((number, name, at, *rest) for at, (name, *rest) in enumerate(found))
            connection.executemany("INSERT INTO symbols VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
            connection.execute("COMMIT")
            return number
        raise MissingError(f"cannot write {self.index.path}", hint="lkm doctor")


def _stamp(kernel: Kernel) -> str:
    """What tells whether anything that the symbols are made from was changed."""
    paths = [kernel.image, _system_map(kernel)]
    if kernel.build is not None:
        paths.append(kernel.build / "Module.symvers")
    return f"{_FORMAT} {stamp_files(paths)} {stamp_modules(kernel)}"


def _system_map(kernel: Kernel) -> Path | None:
    places = []
    if kernel.build is not None:
        places.append(kernel.build / "System.map")
    if kernel.image is not None:
        places += [kernel.image.parent / f"System.map-{kernel.release}", kernel.image.parent / "System.map"]
    if kernel.modules is not None:
        places.append(kernel.modules / "System.map")
    # Debian's own is a line of text in place of a map.
    return next((path for path in places if path.is_file() and path.stat().st_size > 4096), None)


def parse_map(text: str, *, name: str = "System.map") -> list[MapSymbol]:
    """System.map, or /proc/kallsyms: address, type letter, name; those of modules (`[name]`) are left out.

    Raises `BadInputError` naming the line.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if len(words) == 4 and words[3].startswith("["):
            continue
        try:
            address, letter, symbol = words
            found.append(MapSymbol(int(address, 16), letter, symbol))
        except ValueError as error:
            raise BadInputError(f"{name}: line {number} is not one of a symbol map: {line[:60]!r}") from error
    return found


def read_map(kernel: Kernel, vmlinux: bytes | None = None) -> list[MapSymbol] | None:
    """The kernel's own symbols with their addresses, None where neither System.map nor the image has them.

    `vmlinux` is the unpacked image, where it is at hand already.  Raises `BadInputError` for damaged files.
    """
    path = _system_map(kernel)
    if path is not None:
        try:
            found = parse_map(path.read_text(encoding="utf-8", errors="replace"), name=str(path))
        except OSError as error:
            raise BadInputError(f"cannot read {path}: {error.strerror}") from error
        if len(found) >= _FEWEST_LINES:
            return found
    if vmlinux is None and kernel.image is not None:
        vmlinux = unpack_image(kernel.image)
    return read_kallsyms(vmlinux) if vmlinux is not None else None


def _collect(kernel: Kernel, index: Index, ask: MapReader | None) -> Iterator[tuple[object, ...]]:
    """(name, owner, type, address, export, namespace, crc, users) of every symbol."""
    vmlinux = unpack_image(kernel.image) if kernel.image is not None else None
    symvers = kernel.build / "Module.symvers" if kernel.build is not None else None
    listed = read_symvers(symvers) if symvers is not None and symvers.is_file() else []
    tree = None
    if kernel.modules is not None:
        tree, _ = fresh_tree(index, kernel.modules, bad=lambda error: None)
    exports = read_image_exports(vmlinux, name=str(kernel.image)) if vmlinux is not None else []
    exports = exports or [row for row in listed if row.owner == VMLINUX]
    users = _users(tree) if tree is not None else {}
    versions = any(row.crc for row in exports)
    left = {row.name: row for row in exports}
    for address, letter, name in read_map(kernel, vmlinux) or (ask(kernel) if ask else None) or []:
        # A local symbol may have the name of an exported one.
        row = left.pop(name, None) if letter.isupper() else None
        yield (
            name,
            VMLINUX,
            letter,
            _signed(address),
            *_export(row, versions),
            users.get(name, "") if row else "",
        )
    for row in left.values():
        yield (row.name, VMLINUX, "", None, *_export(row, versions), users.get(row.name, ""))
    for row in _module_exports(listed, tree):
        owner = module_name(row.owner)
        yield (row.name, owner, "", None, *_export(row, bool(row.crc)), users.get(row.name, ""))


def _export(row: ExportRow | None, versions: bool) -> tuple[int, str, int | None]:
    if row is None:
        return 0, "", None
    return 2 if row.gpl_only else 1, row.namespace, row.crc if versions else None


def _module_exports(listed: list[ExportRow], tree: Tree | None) -> Iterator[ExportRow]:
    found = [row for row in listed if row.owner != VMLINUX]
    if found or tree is None:
        yield from found
        return
    for entry in tree.entries:
        if entry.exports:
            for export in read_module(tree.path(entry)).exports:
                yield ExportRow(export.name, entry.name, export.crc or 0, export.gpl_only, export.namespace)


def _users(tree: Tree) -> dict[str, str]:
    """For each imported name the modules that use it, separated by blanks."""
    found: list[list[str]] = [[] for _ in tree.names]
    for entry in tree.entries:
        for number in array("I", entry.imports):
            found[number].append(entry.name)
    return {
        name.decode("utf-8", "replace"): " ".join(sorted(users))
        for name, users in zip(tree.names, found, strict=True)
    }


def _signed(address: int) -> int:
    """As SQLite keeps 64 bits; the order of addresses of the kernel's half is kept."""
    return address - (1 << 64) if address >> 63 else address


def _symbol(row: Row, kernel: str) -> KernelSymbol:
    _, name, _, owner, letter, address, export, namespace, crc, users = row
    return KernelSymbol(
        name,
        kernel,
        owner,
        letter,
        export > 0,
        export == 2,
        namespace,
        crc,
        None if address is None else address & (1 << 64) - 1,
        tuple(users.split()),
    )


def find_in_modules(kernel: Kernel, name: str, index: Index | None = None) -> list[KernelSymbol]:
    """Modules that define `name` for themselves only: it is looked for in the symbol table of each.

    Takes a fraction of a second for a thousand uncompressed modules, seconds for compressed ones.  Damaged
    modules are passed over.
    """
    if kernel.modules is None:
        return []
    tree, _ = fresh_tree(index or Index(), kernel.modules, bad=lambda error: None)
    wanted = b"\0" + name.encode("utf-8", "surrogateescape") + b"\0"
    found = []
    for entry in tree.entries:
        try:
            elf = read_module(tree.path(entry)).elf
            strings = elf.read_named(".strtab") or b""
        except BadInputError:
            continue
        if wanted not in strings:
            continue
        exported = set(split_texts(entry.exports))
        for symbol in elf.symbols:
            if symbol.name == name and 0 < symbol.section < len(elf.rows):
                letter = module_type(symbol.type, elf.rows[symbol.section], symbol.binding)
                is_export = name.encode() in exported
                found.append(
                    KernelSymbol(name, kernel.name, entry.name, letter, is_export, False, "", None, None)
                )
    return found


def module_type(kind: int, section: tuple[int, ...], binding: int) -> str:
    """The letter nm(1) gives a symbol, by its section's flags; lower case for a local one."""
    flags, is_zero = section[2], section[1] == 8
    if binding == 2:
        return "W" if kind == STT_FUNC else "V"
    letter = "T" if flags & 4 else "B" if is_zero else "D" if flags & 1 else "R" if flags & 2 else "N"
    return letter if binding else letter.lower()
