# SPDX-License-Identifier: MIT
"""A few sections of a usual object file, found with as little work as will do.

For thousands of modules in a row: the section table is searched as bytes, not taken apart.  Only 64-bit
little-endian files are usual; all others, and every doubt, are for `lkm.elf.Elf`, which checks everything.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from lkm.elf.number import SHT_PROGBITS, SHT_STRTAB, SHT_SYMTAB

# What reading a file that is not as it seems may raise: it is then read in the careful way.
UNUSUAL = (struct.error, IndexError, OverflowError, OSError, MemoryError)
_USUAL = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<18xH20xQ10xHHH")  # e_machine, e_shoff, e_shentsize, e_shnum, e_shstrndx
_PLACE = struct.Struct("<QQ")  # of a row: offset and size
_INFO = struct.Struct("<I")
_AHEAD = 1024  # bytes before the section table, where the linker puts the section names
_NAMES_LIMIT = 1 << 22  # bytes of section names; real modules have a few thousand
_SECTION_LIMIT = 1 << 26


class Quick:
    """A usual file.  `read(size, offset)` gives bytes, fewer at the end of the file, as os.pread does.

    `machine`: e_machine.  `names`: the section names, each after a NUL.
    """

    __slots__ = ("_read", "_table", "machine", "names")

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        """Raises one of `UNUSUAL` for a file of another kind."""
        head = read(64, 0)
        if not head.startswith(_USUAL):
            raise IndexError
        self.machine, offset, row_size, count, names_index = _HEADER.unpack(head)
        if row_size != 64 or not 0 < names_index < count or offset < _AHEAD:
            raise IndexError
        self._read = read
        data = read(count * 64 + _AHEAD, offset - _AHEAD)
        self._table = table = data[_AHEAD:]
        place, size = _PLACE.unpack_from(table, names_index * 64 + 24)
        if size > _NAMES_LIMIT:
            raise IndexError
        start = place - offset + _AHEAD
        self.names = data[start : start + size] if 0 <= start <= _AHEAD - size else read(size, place)

    def _row(self, name: bytes, kind: int) -> int:
        at = self.names.find(name) + 1
        if at == 0:
            raise IndexError
        # sh_name and sh_type: sh_name alone is found in too many places where no row begins.
        key = (kind << 32 | at).to_bytes(8, "little")
        table = self._table
        row = table.find(key, 64)
        while row & 63:
            row = table.find(key, row + 1) if row >= 0 else _absent()
        return row

    def place(self, name: bytes, kind: int = SHT_PROGBITS) -> tuple[int, int]:
        """Offset and size of a section in the file; `name` has a NUL before and after it."""
        place, size = _PLACE.unpack_from(self._table, self._row(name, kind) + 24)
        if size > _SECTION_LIMIT:
            raise IndexError
        return place, size

    def undefined_symbols(self) -> tuple[int, int, int, int]:
        """Offset and size of the part of the symbol table that is not local, and those of its names."""
        row = self._row(b"\0.symtab\0", SHT_SYMTAB)
        place, size = _PLACE.unpack_from(self._table, row + 24)
        local = _INFO.unpack_from(self._table, row + 44)[0] * 24
        if not local <= size <= _SECTION_LIMIT:
            raise IndexError
        return place + local, size - local, *self.place(b"\0.strtab\0", SHT_STRTAB)

    def contents(self, name: bytes) -> bytes:
        """The bytes of a section."""
        place, size = self.place(name)
        data = self._read(size, place)
        if len(data) != size:
            raise IndexError
        return data


def _absent() -> int:
    raise IndexError
