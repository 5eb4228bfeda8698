# SPDX-License-Identifier: MIT
"""The debug information of one object: from an address to its function, calls inlined there, lines."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from lkm.decode.dwarf.lines import LineTable, read_lines
from lkm.decode.dwarf.number import At, Tag
from lkm.decode.dwarf.part import Part, place_sections
from lkm.decode.dwarf.unit import Abbreviation, Attribute, Entry, Unit, parse_abbreviations
from lkm.elf import Elf
from lkm.errors import BadInputError

# What reading bytes that are not as they seem may raise.
DAMAGE = (IndexError, KeyError, ValueError, OverflowError, RecursionError, struct.error)
_MOST_UNITS = 1 << 17
_DEEPEST = 128
_SCOPES = {Tag.LEXICAL_BLOCK, Tag.INLINED_SUBROUTINE}


class Scope(NamedTuple):
    """What surrounds an address: a function, a block in it, or a call that was inlined there."""

    unit: Unit
    entry: Entry
    attributes: dict[int, Attribute]


class Site(NamedTuple):
    """A place in source: what it is in, its path as the compiler knew it, line and column (0: unknown)."""

    function: str
    path: str
    line: int
    column: int


class Debug:
    """All its parts are read when they are asked for."""

    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self.name = elf.source.name
        self.order = "<" if elf.header.little else ">"
        self.places = place_sections(elf)
        self._parts: dict[str, Part | None] = {}
        self._abbreviations: dict[tuple[int, int, int, int], dict[int, Abbreviation]] = {}
        self._units: dict[int, Unit] = {}

    def part(self, name: str) -> Part | None:
        """A section, or None where the object has none of that name."""
        if name not in self._parts:
            section = self.elf.find_section(name)
            self._parts[name] = None if section is None else Part(self.elf, section, self.places)
        return self._parts[name]

    def need(self, name: str) -> Part:
        """A section that must be there; raises `BadInputError` where it is not."""
        part = self.part(name)
        if part is None:
            raise BadInputError(f"{self.name} has no section {name}")
        return part

    @cached_property
    def info(self) -> Part:
        """Where the units are."""
        return self.need(".debug_info")

    def string(self, section: str, at: int) -> str:
        """A text of one of the sections of texts."""
        return self.need(section).string(at)

    def number(self, section: str, at: int, size: int) -> int:
        """A number of a section, relocated."""
        return self.need(section).value(at, size)

    def unit(self, start: int) -> Unit:
        """The unit that begins at `start` of .debug_info."""
        if start not in self._units:
            self._units[start] = Unit(self, start)
        return self._units[start]

    def units(self) -> Iterator[Unit]:
        """All units, in their order."""
        at = 0
        for _ in range(_MOST_UNITS):
            if at + 11 > self.info.size:
                return
            unit = self.unit(at)
            yield unit
            at = unit.end

    def unit_around(self, at: int) -> Unit | None:
        """The unit that holds a place in .debug_info."""
        return next((unit for unit in self.units() if unit.start <= at < unit.end), None)

    def abbreviations(self, unit: Unit) -> dict[int, Abbreviation]:
        """The abbreviation table of a unit."""
        part = self.need(".debug_abbrev")
        key = unit.abbreviations_at, unit.version, unit.address_size, unit.offset_size
        if key not in self._abbreviations:
            at = unit.abbreviations_at
            size = min(1 << 16, part.size - at)
            self._abbreviations[key] = parse_abbreviations(part.read(at, size), unit)
        return self._abbreviations[key]

    @cached_property
    def _aranges(self) -> list[tuple[int, int, int]]:
        """(first address, address after the last, unit) of .debug_aranges (DWARF 5, 6.1.2)."""
        part = self.part(".debug_aranges")
        found: list[tuple[int, int, int]] = []
        if part is None:
            return found
        data, at = part.read(0, part.size), 0
        relocates = bool(part.relocated_places)
        while at + 12 <= len(data):
            (length,) = struct.unpack_from(self.order + "I", data, at)
            if length == 0xFFFFFFFF or at + 4 + length > len(data):
                break
            end = at + 4 + length
            unit = part.value(at + 6, 4)
            size = data[at + 10]
            if size not in {4, 8}:
                break
            first = at + 12 + -12 % (2 * size)
            form = struct.Struct(self.order + ("QQ" if size == 8 else "II"))
            rows = data[first : first + (end - first) // form.size * form.size]
            for index, (begin, count) in enumerate(form.iter_unpack(rows)):
                if count:
                    where = first + index * form.size
                    low = part.relocated(where, begin) if relocates else begin
                    found.append((low, low + count, unit))
            at = end
        return found

    def find_unit(self, address: int) -> Unit | None:
        """The unit whose code holds an address."""
        for low, high, start in self._aranges:
            if low <= address < high:
                return self.unit(start)
        if self.part(".debug_aranges") is not None and self.info.size > 64 << 20:
            return None  # a whole kernel; every unit of it has its ranges there
        for unit in self.units():
            if unit.kind == 1 and any(low <= address < high for low, high in unit.ranges(unit.attributes)):
                return unit
        return None

    def ranges(self, unit: Unit, attribute: Attribute) -> list[tuple[int, int]]:
        """The addresses of a DW_AT_ranges."""
        from lkm.decode.dwarf.lists import read_ranges

        return read_ranges(self, unit, attribute)

    def lines(self, unit: Unit) -> LineTable | None:
        """The line table of a unit."""
        found = unit.lists.get(At.STMT_LIST)
        if isinstance(found, LineTable):
            return found
        attribute = unit.attributes.get(At.STMT_LIST)
        part = self.part(".debug_line")
        if attribute is None or part is None:
            return None
        directory = unit.string(unit.attributes.get(At.COMP_DIR))
        table = unit.lists[At.STMT_LIST] = read_lines(unit, part, attribute.value, directory)
        return table

    def scopes(self, unit: Unit, address: int) -> list[Scope]:
        """What surrounds an address: the function first, then the blocks and inlined calls in it."""
        for entry in unit.children(unit.root):
            if entry.shape.tag != Tag.SUBPROGRAM:
                continue
            names = {name for name, _, _ in entry.shape.attributes}
            if At.LOW_PC not in names and At.RANGES not in names:
                continue
            scope = _scope_around(unit, entry, address)
            if scope is not None:
                found = [scope]
                while len(found) < _DEEPEST and (inner := _inner_scope(found[-1], address)) is not None:
                    found.append(inner)
                return found
        return []

    def sites(self, unit: Unit, address: int, *, inlined: bool = True) -> tuple[Site, ...]:
        """The source lines of an address, the innermost inlined call first, the function itself last.

        `inlined` False: only the line of the instruction, without looking for functions.
        """
        table = self.lines(unit)
        row = table.find(address) if table is not None else None
        scopes = [
            scope
            for scope in (self.scopes(unit, address) if inlined else [])
            if scope.entry.shape.tag != Tag.LEXICAL_BLOCK
        ]
        if table is None or (row is None and not scopes):
            return ()
        path, line, column = (table.path(row.file), row.line, row.column) if row else ("", 0, 0)
        found = []
        for scope in reversed(scopes):
            found.append(Site(name_of(scope.unit, scope.attributes), path, line, column))
            values = scope.attributes
            path = table.path(values[At.CALL_FILE].value) if At.CALL_FILE in values else ""
            line = values[At.CALL_LINE].value if At.CALL_LINE in values else 0
            column = values[At.CALL_COLUMN].value if At.CALL_COLUMN in values else 0
        return tuple(found) or (Site("", path, line, column),)


def _scope_around(unit: Unit, entry: Entry, address: int) -> Scope | None:
    attributes = unit.read(entry)
    if any(low <= address < high for low, high in unit.ranges(attributes)):
        return Scope(unit, entry, attributes)
    return None


def _inner_scope(outer: Scope, address: int) -> Scope | None:
    for entry in outer.unit.children(outer.entry):
        if entry.shape.tag in _SCOPES:
            scope = _scope_around(outer.unit, entry, address)
            if scope is not None:
                return scope
    return None


def name_of(unit: Unit, attributes: dict[int, Attribute]) -> str:
    """The name of an entry, of the one it is an instance of where it has none itself."""
    for _ in range(8):
        if At.NAME in attributes:
            return unit.string(attributes[At.NAME])
        found = unit.reference(attributes.get(At.ABSTRACT_ORIGIN) or attributes.get(At.SPECIFICATION))
        if found is None:
            return ""
        unit, entry = found
        attributes = unit.read(entry)
    return ""
