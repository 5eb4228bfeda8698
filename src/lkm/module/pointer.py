# SPDX-License-Identifier: MIT
"""Following pointers in a module's data before it is loaded: they are relocations still."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lkm.elf import Elf
from lkm.elf.number import SHN_ABS, SHN_UNDEF, SHT_NOBITS, SHT_REL, SHT_RELA, Machine

_LONGEST_TEXT = 1 << 16
_FEW = 256  # look-ups in one section that are searched for


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pointer leads: `symbol` of another file ("" for none), or `offset` in section `section`."""

    symbol: str
    section: int
    offset: int

    def plus(self, size: int) -> Place:
        """The place so many bytes further."""
        return Place(self.symbol, self.section, self.offset + size)


class Pointers:
    """The data of one module, pointers followed through its relocations."""

    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self.size = elf.header.bits // 8
        self._word = elf.order + ("Q" if self.size == 8 else "I")
        self._data: dict[int, bytes | None] = {}
        self._tables: dict[int, list[tuple[bytes, bool]]] = {}
        self._asked: dict[int, int] = {}
        self._rows: dict[int, dict[bytes, tuple[bytes, int, bool]]] = {}

    def read(self, place: Place, size: int) -> bytes | None:
        """`size` bytes at a place of this module; None where it has not that many."""
        rows = self.elf.rows
        if place.symbol or not 0 < place.section < len(rows) or place.offset < 0:
            return None
        row = rows[place.section]
        if place.offset + size > row[5]:
            return None
        if row[1] == SHT_NOBITS:
            return bytes(size)
        return self.elf.source.read(row[4] + place.offset, size, f"section {place.section}")

    def text(self, place: Place) -> str | None:
        """The C string at a place; None where there is none that ends."""
        rows = self.elf.rows
        if place.symbol or not 0 < place.section < len(rows):
            return None
        rest = rows[place.section][5] - place.offset
        data = self.read(place, min(rest, _LONGEST_TEXT)) if rest > 0 else None
        if data is None or b"\0" not in data:
            return None
        return data[: data.index(b"\0")].decode("utf-8", "surrogateescape")

    def follow(self, place: Place) -> Place | None:
        """Where the pointer that lies at `place` leads; None for NULL."""
        found = self._relocation(place)
        if found is None:
            return None
        index, addend = found
        symbol = self.elf.symbol(index)
        if symbol.section == SHN_UNDEF:
            return Place(symbol.name, 0, addend)
        if symbol.section == SHN_ABS:
            return None
        return Place("", symbol.section, symbol.value + addend)

    def symbol_at(self, place: Place) -> str:
        """The name of the symbol a pointer at `place` refers to, whether defined here or elsewhere, or ""."""
        found = self._relocation(place)
        return self.elf.symbol(found[0]).name if found else ""

    def _relocation(self, place: Place) -> tuple[int, int] | None:
        """(symbol index, addend) of the relocation for the word at `place`."""
        key = struct.pack(self._word, place.offset & ((1 << 8 * self.size) - 1))
        found = self._find_row(place.section, key)
        if found is None:
            return None
        data, at, rela = found
        (info,) = struct.unpack_from(self._word, data, at + self.size)
        if rela:
            signed = self.elf.order + ("q" if self.size == 8 else "i")
            (addend,) = struct.unpack_from(signed, data, at + 2 * self.size)
        else:
            raw = self.read(place, self.size)
            addend = struct.unpack(self._word, raw)[0] if raw else 0
        return self._symbol_index(info), addend

    def _find_row(self, section: int, key: bytes) -> tuple[bytes, int, bool] | None:
        """(table, offset in it, whether it is RELA) of the first row whose first word is `key`.

        The few rows that are asked for are searched as bytes; where more are, all are taken apart once.
        """
        asked = self._asked[section] = self._asked.get(section, 0) + 1
        if asked > _FEW:
            if section not in self._rows:
                self._rows[section] = {
                    data[at : at + self.size]: (data, at, rela)
                    for data, rela in reversed(self._relocations_of(section))
                    for at in reversed(range(0, len(data) - self._row_size(rela) + 1, self._row_size(rela)))
                }
            return self._rows[section].get(key)
        for data, rela in self._relocations_of(section):
            row_size = self._row_size(rela)
            at = data.find(key)
            while at >= 0 and at % row_size:
                at = data.find(key, at + 1)
            if at >= 0 and at + row_size <= len(data):
                return data, at, rela
        return None

    def _row_size(self, rela: bool) -> int:
        return self.size * (3 if rela else 2)

    def _symbol_index(self, info: int) -> int:
        header = self.elf.header
        if header.bits == 32:
            return info >> 8
        if header.machine == Machine.MIPS and header.little:
            return info & 0xFFFFFFFF
        return info >> 32

    def _relocations_of(self, section: int) -> list[tuple[bytes, bool]]:
        if section not in self._tables:
            self._tables[section] = [
                (self.elf.read_section(self.elf.section(index)), row[1] == SHT_RELA)
                for index, row in enumerate(self.elf.rows)
                if row[1] in {SHT_REL, SHT_RELA} and row[7] == section
            ]
        return self._tables[section]
