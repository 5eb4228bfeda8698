# SPDX-License-Identifier: MIT
"""Symbols that modules need and nothing defines, or that have another version: `depmod -e`.

Source: kmod, tools/depmod.c (`depmod_load_symvers`, `depmod_load_system_map`,
`depmod_load_module_dependencies`).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError
from lkm.modtree.graph import Graph
from lkm.module import read_module

# Made by the kernel's loader itself; on s390 and PowerPC as well.
_MADE_BY_THE_LOADER = (b"__this_module", b"_GLOBAL_OFFSET_TABLE_", b"TOC.")
_KSYMTAB = b"__ksymtab_"


@dataclass(frozen=True, slots=True)
class Unmet:
    """A symbol that a module needs: nowhere defined, or (`other_version`) with another CRC."""

    path: Path
    symbol: str
    other_version: bool = False

    def __str__(self) -> str:
        if self.other_version:
            return f"{self.path} disagrees about version of symbol {self.symbol}"
        return f"{self.path} needs unknown symbol {self.symbol}"


def read_symvers_crcs(path: Path) -> dict[bytes, int]:
    """The kernel's own symbols and their CRCs from a Module.symvers; raises `BadInputError`."""
    found = {}
    for number, line in enumerate(_lines(path), 1):
        words = line.split()
        if len(words) < 3 or words[2] != b"vmlinux":
            continue
        try:
            found[words[1]] = int(words[0], 16)
        except ValueError as error:
            raise BadInputError(f"{path}: line {number}: {words[0]!r} is no symbol version") from error
    return found


def read_map_exports(path: Path) -> dict[bytes, int]:
    """The kernel's exported symbols from a System.map, each with CRC 0; raises `BadInputError`."""
    found = {}
    for number, line in enumerate(_lines(path), 1):
        words = line.split(b" ", 2)
        if len(words) != 3:
            raise BadInputError(f"{path}: line {number} is not one of a System.map: {line[:60]!r}")
        if words[2].startswith(_KSYMTAB):
            found[words[2].removeprefix(_KSYMTAB).rstrip()] = 0
    return found


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error


def find_unmet(graph: Graph, kernel: dict[bytes, int], *, versions: bool) -> list[Unmet]:
    """What the modules of a graph need and neither the kernel nor a module has.

    `kernel`: its symbols and their CRCs.  `versions`: whether CRCs are compared as well.  Symbols
    that may be missing (weak ones) are left out.  Raises `BadInputError` for a damaged module.
    """
    tree = graph.tree
    known = {*kernel, *graph.owners, *_MADE_BY_THE_LOADER}
    missing = {number for number, name in enumerate(tree.names) if name not in known}
    crcs = _crcs(graph, kernel) if versions else {}
    found = []
    for entry in tree.entries:
        unknown = [tree.names[number] for number in array("I", entry.imports) if number in missing]
        if not unknown and not versions:
            continue
        module = read_module(tree.path(entry))
        weak = {one.name.encode("utf-8", "surrogateescape") for one in module.imports if one.weak}
        found += [Unmet(module.path, name.decode("utf-8", "replace")) for name in unknown if name not in weak]
        if versions:
            needed = {one.name: one.crc or 0 for one in module.imports} | module.versions
            for symbol, crc in needed.items():
                name = symbol.encode("utf-8", "surrogateescape")
                if name in crcs and crcs[name] != crc and name not in weak:
                    found.append(Unmet(module.path, symbol, other_version=True))
    return found


def _crcs(graph: Graph, kernel: dict[bytes, int]) -> dict[bytes, int]:
    crcs = {**kernel, **dict.fromkeys(_MADE_BY_THE_LOADER, 0)}
    for entry in graph.tree.entries:
        if entry.exports:
            for export in read_module(graph.tree.path(entry)).exports:
                crcs[export.name.encode("utf-8", "surrogateescape")] = export.crc or 0
    return crcs
