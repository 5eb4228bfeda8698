# SPDX-License-Identifier: MIT
"""A section of debug information: read in pieces, relocated as it is read, unpacked where it is compressed.

A module is not linked to addresses (ET_REL): its sections are given addresses here, one after another, and
what relocations say is worked out for the values that are looked at, not for all of them.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cached_property

from lkm.elf import BytesSource, Elf, Section, Source
from lkm.elf.number import ET_REL, SHF_ALLOC, SHF_COMPRESSED, SHT_NOBITS, SHT_REL, SHT_RELA
from lkm.errors import BadInputError

UNPACK_LIMIT = 256 << 20  # bytes of one compressed section
_STRING_CHUNK = 256
_STRING_LIMIT = 1 << 20
_FIRST = 0x1000  # where addresses begin: 0 is what is not there
_ELFCOMPRESS_ZLIB, _ELFCOMPRESS_ZSTD = 1, 2


def place_sections(elf: Elf) -> Mapping[int, int]:
    """An address for each section that is in memory, by its index; the file's own where it is linked."""
    if elf.header.type != ET_REL:
        return {index: row[3] for index, row in enumerate(elf.rows) if row[2] & SHF_ALLOC}
    places, at = {}, _FIRST
    for index, row in enumerate(elf.rows):
        if row[2] & SHF_ALLOC:
            at = -(-at // 64) * 64
            places[index] = at
            at += row[5] + 1
    return places


class Part:
    """One section; offsets are within it.  Raises `BadInputError` for what lies outside."""

    def __init__(self, elf: Elf, section: Section, places: Mapping[int, int]) -> None:
        self._elf = elf
        self._section = section
        self._places = places
        self._source: Source = elf.source
        self._start = section.offset
        self.size = section.size
        if section.type == SHT_NOBITS:
            raise BadInputError(f"{elf.source.name}: section {section.name} is not in the file")
        if section.flags & SHF_COMPRESSED:
            self._source = BytesSource(_unpack(elf, section), name=f"{elf.source.name} ({section.name})")
            self._start, self.size = 0, self._source.size

    def read(self, at: int, size: int) -> bytes:
        """`size` bytes at `at`, as they lie there."""
        if at < 0 or size < 0 or at + size > self.size:
            name = self._section.name
            raise BadInputError(f"{self._elf.source.name}: {name} has no {size} bytes at {at:#x}")
        return self._source.read(self._start + at, size, self._section.name)

    def string(self, at: int) -> str:
        """The text at `at`, to its NUL."""
        found, size = b"", _STRING_CHUNK
        while len(found) < _STRING_LIMIT:
            chunk = self.read(at, min(size, self.size - at))
            text, end, _ = chunk.partition(b"\0")
            found += text
            if end or not chunk:
                return found.decode("utf-8", "replace")
            at += len(chunk)
        raise BadInputError(f"{self._elf.source.name}: {self._section.name} has a text without an end")

    def value(self, at: int, size: int) -> int:
        """The number of `size` bytes at `at`, relocated."""
        little = self._elf.header.little
        number = int.from_bytes(self.read(at, size), "little" if little else "big")
        return self.relocated(at, number)

    def relocated(self, at: int, value: int) -> int:
        """What stands at `at` once it is relocated, where the file has `value` there."""
        offsets, table = self._relocations
        index = bisect_left(offsets, at)
        if index == len(offsets) or offsets[index] != at:
            return value
        symbol, addend = table(index)
        return self._symbol_address(symbol) + (value if addend is None else addend)

    def has_relocation(self, at: int) -> bool:
        """Whether a relocation says what stands at `at`."""
        offsets = self.relocated_places
        index = bisect_left(offsets, at)
        return index < len(offsets) and offsets[index] == at

    @property
    def relocated_places(self) -> list[int]:
        """The offsets that relocations are for, in rising order."""
        return self._relocations[0]

    def _symbol_address(self, index: int) -> int:
        symbol = self._elf.symbol(index)
        return self._places.get(symbol.section, 0) + symbol.value

    @cached_property
    def _relocations(self) -> tuple[list[int], Callable[[int], tuple[int, int | None]]]:
        """Offsets in rising order, and what gives the symbol and addend of the one with an index."""
        elf = self._elf
        none: list[int] = []
        if elf.header.type != ET_REL:
            return none, lambda _: (0, 0)
        index = next(
            (
                i
                for i, row in enumerate(elf.rows)
                if row[1] in {SHT_RELA, SHT_REL} and row[7] == self._section.index
            ),
            None,
        )
        if index is None:
            return none, lambda _: (0, 0)
        table = elf.section(index)
        data = elf.read_section(table)
        rela = table.type == SHT_RELA
        wide = elf.header.bits == 64
        words = 3 if rela else 2
        numbers = array("Q" if wide else "I")
        numbers.frombytes(data[: len(data) // (numbers.itemsize * words) * numbers.itemsize * words])
        if elf.header.little != (sys.byteorder == "little"):
            numbers.byteswap()
        offsets, infos, addends = numbers[::words], numbers[1::words], numbers[2::words] if rela else None
        order: list[int] | None = None
        plain = offsets.tolist()
        if plain != sorted(plain):
            order = sorted(range(len(plain)), key=plain.__getitem__)
            plain = [plain[one] for one in order]
        shift, half, full = (32, 1 << 63, 1 << 64) if wide else (8, 1 << 31, 1 << 32)

        def look(index: int) -> tuple[int, int | None]:
            row = index if order is None else order[index]
            if addends is None:
                return infos[row] >> shift, None
            addend = addends[row]
            return infos[row] >> shift, addend - full if addend >= half else addend

        return plain, look


def _unpack(elf: Elf, section: Section) -> bytes:
    """A compressed section (gABI, "Section Compression")."""
    order = "<" if elf.header.little else ">"
    form = struct.Struct(order + ("IIQQ" if elf.header.bits == 64 else "III"))
    data = elf.read_section(section)
    if len(data) < form.size:
        raise BadInputError(f"{elf.source.name}: {section.name} is cut off")
    kind, *rest = form.unpack_from(data)
    size = rest[-2]
    if size > UNPACK_LIMIT:
        raise BadInputError(f"{elf.source.name}: {section.name} unpacks to {size} bytes")
    body = data[form.size :]
    if kind == _ELFCOMPRESS_ZLIB:
        try:
            found = zlib.decompressobj().decompress(body, size + 1)
        except zlib.error as error:
            raise BadInputError(f"{elf.source.name}: {section.name} is damaged: {error}") from error
    elif kind == _ELFCOMPRESS_ZSTD:
        from lkm.module.file import unpack_zstd

        found = unpack_zstd(body, f"{elf.source.name} ({section.name})", size)
    else:
        raise BadInputError(f"{elf.source.name}: {section.name} is compressed in an unknown way ({kind})")
    if len(found) != size:
        raise BadInputError(f"{elf.source.name}: {section.name} unpacks to {len(found)} bytes, not {size}")
    return found
