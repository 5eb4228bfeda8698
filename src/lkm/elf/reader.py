# SPDX-License-Identifier: MIT
"""Reading ELF: each part when it is asked for, and checked before it is believed."""

from __future__ import annotations

import struct
from functools import cached_property

from lkm.elf.number import (
    SHN_UNDEF,
    SHN_XINDEX,
    SHT_NOBITS,
    SHT_REL,
    SHT_RELA,
    SHT_STRTAB,
    SHT_SYMTAB,
    SHT_SYMTAB_SHNDX,
    Machine,
)
from lkm.elf.source import BytesSource, FileSource, Source
from lkm.elf.value import Header, Relocation, Section, Symbol
from lkm.errors import BadInputError

ZEROS_LIMIT = 64 << 20  # bytes of NOBITS that are ever made up; per-CPU and .bss of real kernels stay below

_HEADER = {64: "HHIQQQIHHHHHH", 32: "HHIIIIIHHHHHH"}
_SECTION = {64: "IIQQQQIIQQ", 32: "IIIIIIIIII"}
_SYMBOL = {64: "IBBHQQ", 32: "IIIBBH"}


class Elf:
    """An ELF file, its parts read when they are asked for and kept.

    Every part raises `BadInputError` naming the file and the offset where it is cut off or lies.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.header = _parse_header(source)
        self.order = "<" if self.header.little else ">"

    @cached_property
    def rows(self) -> list[tuple[int, ...]]:
        """The section table as it lies there.

        Each row: name, type, flags, address, offset, size, link, info, alignment, entry size.
        """
        header = self.header
        form = struct.Struct(self.order + _SECTION[header.bits])
        size = form.size * header.section_count
        return list(form.iter_unpack(self.source.read(header.section_offset, size, "the section table")))

    @cached_property
    def names(self) -> list[str]:
        """The name of each section."""
        if not self.rows:
            return []
        index = self.header.names_index
        if index >= len(self.rows):
            raise self._bad(f"section {index}, named as the one with the names, is not in the table")
        row = self.rows[index]
        strings = self.source.read(row[4], row[5], "the section names")
        return [self._string(strings, row[0], "the name of a section") for row in self.rows]

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The section table; index 0 is the empty one."""
        return tuple(
            Section(index, name, *row[1:])
            for index, (name, row) in enumerate(zip(self.names, self.rows, strict=True))
        )

    def find_section(self, name: str) -> Section | None:
        """The first section of that name, or None."""
        try:
            index = self.names.index(name, 1)
        except ValueError:
            return None
        return self.section(index)

    def section(self, index: int) -> Section:
        """The section with that index; raises `BadInputError` where there is none."""
        if not 0 <= index < len(self.rows):
            raise self._bad(f"section {index} is not in the table of {len(self.rows)}")
        return Section(index, self.names[index], *self.rows[index][1:])

    def read_section(self, section: Section) -> bytes:
        """The bytes of a section; zeros for NOBITS (raises `BadInputError` above 64 MiB of them)."""
        if section.type == SHT_NOBITS:
            if section.size > ZEROS_LIMIT:
                raise self._bad(f"section {section.name} claims {section.size} bytes")
            return bytes(section.size)
        return self.source.read(section.offset, section.size, f"section {section.name}")

    def read_named(self, name: str) -> bytes | None:
        """The bytes of the first section of that name, or None where there is none.

        Raises `BadInputError` also where the section has a size but no bytes in the file (NOBITS).
        """
        section = self.find_section(name)
        if section is not None and section.type == SHT_NOBITS and section.size:
            raise self._bad(f"section {name} claims {section.size} bytes and has none in the file")
        return None if section is None else self.read_section(section)

    @cached_property
    def _symbol_table(self) -> tuple[bytes, struct.Struct, bytes, list[int]]:
        """The raw table, how a row is packed, its names, and section indexes too big for a row."""
        index = next((i for i, row in enumerate(self.rows) if row[1] == SHT_SYMTAB), None)
        form = struct.Struct(self.order + _SYMBOL[self.header.bits])
        if index is None:
            return b"", form, b"", []
        table = self.section(index)
        strings_section = self.section(table.link)
        if strings_section.type != SHT_STRTAB:
            raise self._bad(f"section {table.link}, linked from the symbol table, holds no strings")
        data = self.read_section(table)
        if len(data) % form.size:
            raise self._bad(f"the symbol table at {table.offset:#x} has {len(data)} bytes, no whole rows")
        return data, form, self.read_section(strings_section), self._wide_indexes(index)

    @property
    def symbol_count(self) -> int:
        """Rows of the symbol table, the empty first one included; 0 where it was stripped."""
        data, form, _, _ = self._symbol_table
        return len(data) // form.size

    def symbol(self, index: int) -> Symbol:
        """One row of the symbol table; raises `BadInputError` where there is none."""
        data, form, _, _ = self._symbol_table
        if not 0 <= index < len(data) // form.size:
            raise self._bad(f"symbol {index} is not in the table of {len(data) // form.size}")
        return self._symbol(index, form.unpack_from(data, index * form.size))

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbol table (SHT_SYMTAB); empty where it was stripped."""
        data, form, _, _ = self._symbol_table
        return tuple(self._symbol(number, row) for number, row in enumerate(form.iter_unpack(data)))

    @cached_property
    def undefined(self) -> tuple[Symbol, ...]:
        """The named symbols that another file has to define, in the table's order."""
        data, form, _, _ = self._symbol_table
        place = 3 if self.header.bits == 64 else 5
        return tuple(
            self._symbol(number, row)
            for number, row in enumerate(form.iter_unpack(data))
            if row[place] == SHN_UNDEF and row[0]
        )

    def symbols_named(self, name: str) -> list[Symbol]:
        """The symbols of that name; the others are not taken apart."""
        data, form, strings, _ = self._symbol_table
        wanted = name.encode("utf-8", "surrogateescape") + b"\0"
        offsets = set()
        at = strings.find(wanted)
        while at >= 0:  # linkers let a name lie in the end of a longer one
            offsets.add(at)
            at = strings.find(wanted, at + 1)
        rows = enumerate(form.iter_unpack(data)) if offsets else ()
        return [self._symbol(number, row) for number, row in rows if row[0] in offsets]

    def _symbol(self, number: int, row: tuple[int, ...]) -> Symbol:
        if self.header.bits == 64:
            name, info, other, place, value, size = row
        else:
            name, value, size, info, other, place = row
        _, _, strings, wide = self._symbol_table
        if place == SHN_XINDEX and number < len(wide):
            place = wide[number]
        text = self._string(strings, name, f"the name of symbol {number}")
        return Symbol(number, text, value, size, info >> 4, info & 15, other & 3, place)

    def relocations(self, section: Section) -> tuple[Relocation, ...]:
        """What the REL and RELA sections that belong to `section` (their sh_info) say, in their order."""
        found: list[Relocation] = []
        for index, row in enumerate(self.rows):
            if row[1] in {SHT_REL, SHT_RELA} and row[7] == section.index:
                found += self.read_relocations(self.section(index))
        return tuple(found)

    def read_relocations(self, table: Section) -> list[Relocation]:
        """The rows of one REL or RELA section."""
        data = self.read_section(table)
        is_64, rela = self.header.bits == 64, table.type == SHT_RELA
        form = struct.Struct(self.order + (("QQq" if rela else "QQ") if is_64 else ("IIi" if rela else "II")))
        if len(data) % form.size:
            raise self._bad(f"section {table.name} at {table.offset:#x} has {len(data)} bytes, no whole rows")
        found = []
        # MIPS in 64 bits splits r_info into a u32 symbol and four bytes, in file order (MIPS64 ABI 2.9.1).
        mips = is_64 and self.header.machine == Machine.MIPS and self.header.little
        for offset, info, *addend in form.iter_unpack(data):
            if mips:
                symbol, kind = info & 0xFFFFFFFF, info >> 56
            elif is_64:
                symbol, kind = info >> 32, info & 0xFFFFFFFF
            else:
                symbol, kind = info >> 8, info & 0xFF
            found.append(Relocation(offset, kind, symbol, addend[0] if addend else None))
        return found

    def _wide_indexes(self, table: int) -> list[int]:
        for index, row in enumerate(self.rows):
            if row[1] == SHT_SYMTAB_SHNDX and row[6] == table:
                data = self.read_section(self.section(index))
                return [number for (number,) in struct.iter_unpack(self.order + "I", data[: len(data) & ~3])]
        return []

    def _string(self, strings: bytes, offset: int, what: str) -> str:
        end = strings.find(b"\0", offset)
        if end < 0:
            raise self._bad(f"{what} (offset {offset:#x} in its string table) has no end")
        return strings[offset:end].decode("utf-8", "replace")

    def _bad(self, text: str) -> BadInputError:
        return BadInputError(f"{self.source.name}: {text}")


def parse_elf(data: bytes | int | Source, *, name: str = "") -> Elf:
    """ELF from bytes, an open file descriptor (which it then owns) or a `Source`.

    `name` is for messages.  Raises `BadInputError` where it is no ELF file or its header is bad; the
    other parts are checked as they are read.
    """
    if isinstance(data, bytes):
        return Elf(BytesSource(data, name=name or "<bytes>"))
    if isinstance(data, int):
        return Elf(FileSource(data, name=name))
    return Elf(data)


def _parse_header(source: Source) -> Header:
    start = source.read(0, min(64, source.size), "the ELF header")
    if start[:4] != b"\x7fELF":
        what = "it is empty" if not start else f"it starts with {start[:4].hex(' ')}, not 7f 45 4c 46"
        raise BadInputError(f"{source.name} is not an ELF file: {what}")
    if len(start) < 52:
        raise BadInputError(
            f"{source.name}: truncated: an ELF header takes 52 bytes, the file has {len(start)}"
        )
    if start[4] not in {1, 2} or start[5] not in {1, 2}:
        raise BadInputError(
            f"{source.name}: unknown ELF class {start[4]} or byte order {start[5]} at offset 0x4"
        )
    bits, little = 32 * start[4], start[5] == 1
    form = struct.Struct(("<" if little else ">") + _HEADER[bits])
    body = source.read(16, form.size, "the ELF header")
    (kind, machine, version, entry, phoff, shoff, flags, _, _, phnum, shentsize, shnum, shstrndx) = (
        form.unpack(body)
    )
    row = struct.Struct(("<" if little else ">") + _SECTION[bits])
    if shoff and shentsize != row.size:
        raise BadInputError(
            f"{source.name}: a row of the section table takes {shentsize} bytes, not {row.size}"
        )
    if not shoff:
        shnum = 0
    elif shnum == 0 or shstrndx == SHN_XINDEX:
        # Numbers too big for the header lie in section 0 (gABI, "extended section numbering").
        first = row.unpack(source.read(shoff, row.size, "the section table"))
        shnum = shnum or first[5]
        shstrndx = first[6] if shstrndx == SHN_XINDEX else shstrndx
    if shnum * row.size > source.size:
        raise BadInputError(
            f"{source.name}: truncated: {shnum} sections at offset {shoff:#x}, "
            f"the file has {source.size} bytes"
        )
    return Header(bits, little, kind, machine, version, entry, phoff, shoff, flags, phnum, shnum, shstrndx)
