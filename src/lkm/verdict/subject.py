# SPDX-License-Identifier: MIT
"""A module file as the kernel's loader looks at it: raw, believing each number only once it was checked.

`lkm.module` reads well-formed files and says what is wrong with others; here a file has to be judged check by
check, each of them with what the kernel would see at that moment, so nothing is refused on reading.
"""

from __future__ import annotations

import struct
from array import array
from functools import cached_property
from typing import NamedTuple

from lkm.elf.number import SHF_ALLOC, SHT_NOBITS, SHT_SYMTAB

THIS_MODULE = ".gnu.linkonce.this_module"
_HEADERS = {64: struct.Struct("<16xHHI8x8xQ4x6xHHH"), 32: struct.Struct("<16xHHI4x4xI4x6xHHH")}
_ROWS = {64: struct.Struct("<IIQQQQIIQQ"), 32: struct.Struct("<IIIIIIIIII")}
_SYMBOL = struct.Struct("<IBBHQQ")


class Row(NamedTuple):
    """A row of the section table."""

    name_at: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


class Undefined(NamedTuple):
    """A row of the symbol table without a section: what the kernel has to find."""

    number: int
    name: str
    weak: bool


class Subject:
    """The bytes of a module, with `length` of them left to look at once its signature is taken off.

    The layout is the kernel's own: little-endian, of `bits`.  Everything after `rows` may be asked for only
    once the checks before it have passed.
    """

    def __init__(self, data: bytes, *, bits: int = 64) -> None:
        self.data = data
        self.length = len(data)
        self.bits = bits
        self.header_size = 64 if bits == 64 else 52
        self.row_size = _ROWS[bits].size
        # Where this_module is, and whether only allocated sections were looked at: set by the rules.
        self.info_index = 0

    @cached_property
    def header(self) -> tuple[int, int, int, int, int, int, int]:
        """(e_type, e_machine, e_version, e_shoff, e_shentsize, e_shnum, e_shstrndx)."""
        fields: tuple[int, int, int, int, int, int, int] = _HEADERS[self.bits].unpack_from(self.data)
        return fields

    @cached_property
    def rows(self) -> list[Row]:
        """The section table."""
        _, _, _, offset, _, count, _ = self.header
        size = self.row_size * count
        return list(map(Row._make, _ROWS[self.bits].iter_unpack(self.data[offset : offset + size])))

    @cached_property
    def names(self) -> list[bytes]:
        """The name of each section; b"" where it lies outside the table of names."""
        row = self.rows[self.header[6]]
        table = self.data[row.offset : row.offset + row.size]
        return [table[at : table.find(b"\0", at)] if at < len(table) else b"" for at, *_ in self.rows]

    @cached_property
    def _loaded(self) -> dict[bytes, int]:
        """The first section of each name that takes memory."""
        rows, last = self.rows, len(self.rows) - 1
        names = self.names
        return {names[at]: at for at in range(last, 0, -1) if rows[at].flags & SHF_ALLOC}

    @cached_property
    def _any(self) -> dict[bytes, int]:
        """The first section of each name."""
        names = self.names
        return {names[at]: at for at in range(len(names) - 1, 0, -1)}

    def find(self, name: str, *, any_flags: bool = False) -> int:
        """The first section of that name that takes memory (or any), 0 where there is none (find_sec)."""
        return (self._any if any_flags else self._loaded).get(name.encode(), 0)

    def count(self, name: str) -> int:
        """How many sections have that name."""
        return self.names[1:].count(name.encode())

    def contents(self, index: int) -> bytes:
        """The bytes of a section, as far as they are in the file; b"" for NOBITS and for section 0."""
        row = self.rows[index]
        if not index or row.type == SHT_NOBITS:
            return b""
        return self.data[row.offset : row.offset + row.size]

    @cached_property
    def information(self) -> list[tuple[str, str]]:
        """`.modinfo`, in its order (get_next_modinfo)."""
        if not self.info_index:
            return []
        texts = [
            raw.decode("utf-8", "surrogateescape") for raw in self.contents(self.info_index).split(b"\0")
        ]
        return [
            (key, value) for key, equals, value in (text.partition("=") for text in texts if text) if equals
        ]

    @cached_property
    def _values(self) -> dict[str, str]:
        return dict(reversed(self.information))

    def value(self, key: str) -> str | None:
        """The first value of a key of `.modinfo`."""
        return self._values.get(key)

    def values(self, key: str) -> list[str]:
        """All values of a key."""
        return [value for name, value in self.information if name == key]

    @cached_property
    def module_index(self) -> int:
        """The section with `struct module`, 0 where there is none."""
        return self.find(THIS_MODULE) or self.find(THIS_MODULE, any_flags=True)

    @cached_property
    def own_name(self) -> str:
        """The name inside `struct module`: after the state and two list pointers."""
        pointer = self.bits // 8
        data = self.contents(self.module_index)[3 * pointer : 3 * pointer + 64 - pointer]
        return data.partition(b"\0")[0].decode("utf-8", "replace")

    @property
    def told_name(self) -> str:
        """What early messages call it: `.modinfo`'s name, else `struct module`'s."""
        found = self.value("name")
        return self.own_name if found is None else found

    @cached_property
    def symbol_index(self) -> int:
        """The first symbol table, 0 where there is none."""
        return next((index for index, row in enumerate(self.rows) if index and row.type == SHT_SYMTAB), 0)

    @cached_property
    def symbols(self) -> bytes:
        """The raw symbol table, whole rows only."""
        data = self.contents(self.symbol_index)
        return data[: len(data) // 24 * 24]

    @cached_property
    def strings(self) -> bytes:
        """The names of the symbols."""
        link = self.rows[self.symbol_index].link
        return self.contents(link) if link < len(self.rows) else b""

    def symbol(self, index: int) -> tuple[int, int, int, int, int, int]:
        """(name, info, other, section, value, size) of a row."""
        fields: tuple[int, int, int, int, int, int] = _SYMBOL.unpack_from(self.symbols, 24 * index)
        return fields

    @cached_property
    def _strings_at(self) -> int:
        return self.rows[self.rows[self.symbol_index].link].offset

    def symbol_name(self, name_at: int) -> str:
        """A name out of the string table, whose size kernels before 6.13 do not look at."""
        start = self._strings_at + name_at
        end = self.data.find(b"\0", start)
        return self.data[start : end if end >= 0 else None].decode("utf-8", "replace")

    @cached_property
    def places(self) -> array[int]:
        """The section number of each symbol."""
        return array("H", self.symbols)[3::12]

    @cached_property
    def undefined(self) -> list[Undefined]:
        """The symbols to be found elsewhere, in the table's order."""
        data, start = self.data, self._strings_at
        name_at, kinds = array("I", self.symbols)[0::6], self.symbols[4::24]
        found = []
        for index in [at for at, place in enumerate(self.places) if not place]:
            first = start + name_at[index]
            end = data.find(b"\0", first)
            name = data[first : end if end >= 0 else None].decode("utf-8", "replace")
            found.append(Undefined(index, name, kinds[index] >> 4 == 2))
        return found[1:]

    @cached_property
    def versions(self) -> dict[str, int]:
        """CRC of each symbol by `__versions`; the first row of a name counts."""
        found: dict[str, int] = {}
        data = self.contents(self.find("__versions"))
        for at in range(0, len(data) // 64 * 64, 64):
            name = data[at + 8 : at + 64].partition(b"\0")[0].decode("utf-8", "replace")
            found.setdefault(name, int.from_bytes(data[at : at + 8], "little"))
        return found

    @cached_property
    def extended_versions(self) -> dict[str, int]:
        """The same by `__version_ext_crcs` and `__version_ext_names` (since 6.14)."""
        crcs = self.contents(self.find("__version_ext_crcs"))
        names = self.contents(self.find("__version_ext_names")).split(b"\0")
        numbers = struct.unpack(f"<{len(crcs) // 4}I", crcs[: len(crcs) // 4 * 4])
        found: dict[str, int] = {}
        for number, name in zip(numbers, names, strict=False):
            found.setdefault(name.decode("utf-8", "replace"), number)
        return found
