# SPDX-License-Identifier: MIT
"""Altering a module byte by byte: 64-bit little-endian, for tests only.

New contents are put at the end of the file and the row of the section points there: nothing else moves.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_ROW = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")
_FIELDS = ("name", "type", "flags", "address", "offset", "size", "link", "info", "align", "entry_size")
_HEADER = {"type": (16, "H"), "machine": (18, "H"), "version": (20, "I"), "shoff": (40, "Q"),
           "shentsize": (58, "H"), "shnum": (60, "H"), "shstrndx": (62, "H")}  # fmt: skip
MARKER = b"~Module signature appended~\n"


class Editor:
    """A module being altered; `data` is what came of it."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(unsigned(data))

    def header(self, field: str, value: int | None = None) -> int:
        """A field of the ELF header, after it was set."""
        at, form = _HEADER[field]
        if value is not None:
            struct.pack_into("<" + form, self.data, at, value)
        return int(struct.unpack_from("<" + form, self.data, at)[0])

    def _row_at(self, index: int) -> int:
        return self.header("shoff") + 64 * index

    def row(self, index: int) -> dict[str, int]:
        """A row of the section table."""
        return dict(zip(_FIELDS, _ROW.unpack_from(self.data, self._row_at(index)), strict=True))

    def set_row(self, index: int, **fields: int) -> Editor:
        """Changes fields of a row."""
        values = self.row(index) | fields
        _ROW.pack_into(self.data, self._row_at(index), *(values[name] for name in _FIELDS))
        return self

    def name(self, index: int) -> str:
        """A section's name."""
        table = self.row(self.header("shstrndx"))
        at = table["offset"] + self.row(index)["name"]
        return self.data[at : self.data.index(b"\0", at)].decode()

    def find(self, name: str) -> int:
        """The index of a section; raises `LookupError`."""
        for index in range(1, self.header("shnum")):
            if self.name(index) == name:
                return index
        raise LookupError(name)

    def has(self, name: str) -> bool:
        """Whether there is such a section."""
        try:
            self.find(name)
        except LookupError:
            return False
        return True

    def contents(self, index: int) -> bytes:
        """A section's bytes."""
        row = self.row(index)
        return bytes(self.data[row["offset"] : row["offset"] + row["size"]])

    def set_contents(self, index: int, data: bytes) -> Editor:
        """New bytes for a section, at the end of the file."""
        self.data += bytes(-len(self.data) % 16)
        offset = len(self.data)
        self.data += data
        return self.set_row(index, offset=offset, size=len(data))

    def rename_section(self, index: int, name: str) -> Editor:
        """Another name for a section."""
        strings = self.header("shstrndx")
        table = self.contents(strings)
        self.set_contents(strings, table + name.encode() + b"\0")
        return self.set_row(index, name=len(table))

    def information(self, change: Callable[[list[bytes]], list[bytes]]) -> Editor:
        """Changes the texts of `.modinfo`."""
        index = self.find(".modinfo")
        texts = [text for text in self.contents(index).split(b"\0") if text]
        return self.set_contents(index, b"".join(text + b"\0" for text in change(texts)))

    def set_information(self, key: str, value: str | None) -> Editor:
        """Another value for a key of `.modinfo`; None takes the key out."""
        new = [] if value is None else [f"{key}={value}".encode()]
        start = f"{key}=".encode()
        return self.information(lambda texts: [*new, *(one for one in texts if not one.startswith(start))])

    def add_information(self, text: str) -> Editor:
        """One more text."""
        return self.information(lambda texts: [*texts, text.encode()])

    def set_name(self, name: str) -> Editor:
        """The name it is loaded under."""
        at = self.row(self.find(".gnu.linkonce.this_module"))["offset"] + 24
        self.data[at : at + 56] = name.encode().ljust(56, b"\0")
        return self.set_information("name", name)

    def change_versions(self, change: Callable[[str, int], tuple[str, int] | None]) -> Editor:
        """Another name and CRC for each row of `__versions`; None takes it out."""
        index = self.find("__versions")
        data = self.contents(index)
        rows = b""
        for at in range(0, len(data), 64):
            crc = int.from_bytes(data[at : at + 8], "little")
            found = change(data[at + 8 : at + 64].rstrip(b"\0").decode(), crc)
            if found is not None:
                rows += found[1].to_bytes(8, "little") + found[0].encode().ljust(56, b"\0")
        return self.set_contents(index, rows)

    def symbol_table(self) -> int:
        """The index of the symbol table."""
        return next(index for index in range(1, self.header("shnum")) if self.row(index)["type"] == 2)

    def symbols(self) -> list[tuple[int, str, tuple[int, ...]]]:
        """(index, name, row) of every symbol."""
        table = self.symbol_table()
        strings = self.contents(self.row(table)["link"])
        found = []
        for index, row in enumerate(_SYMBOL.iter_unpack(self.contents(table))):
            found.append((index, strings[row[0] : strings.index(b"\0", row[0])].decode(), row))
        return found

    def set_symbol(self, index: int, row: tuple[int, ...]) -> Editor:
        """Another row in the symbol table."""
        at = self.row(self.symbol_table())["offset"] + 24 * index
        _SYMBOL.pack_into(self.data, at, *row)
        return self

    def rename_symbol(self, old: str, new: str) -> Editor:
        """Another name for a symbol."""
        strings_at = self.row(self.symbol_table())["link"]
        strings = self.contents(strings_at)
        self.set_contents(strings_at, strings + new.encode() + b"\0")
        for index, name, row in self.symbols():
            if name == old:
                self.set_symbol(index, (len(strings), *row[1:]))
        return self

    def undefined(self) -> list[str]:
        """The names that are to be found elsewhere."""
        return [name for index, name, row in self.symbols() if index and row[3] == 0 and name]

    def relocation(
        self, section: str, index: int, change: Callable[[int, int, int], tuple[int, int, int]]
    ) -> Editor:
        """Changes one relocation: (offset, info, addend)."""
        at = self.row(self.find(section))["offset"] + 24 * index
        _RELA.pack_into(self.data, at, *change(*_RELA.unpack_from(self.data, at)))
        return self

    def poke(self, section: str, offset: int, data: bytes) -> Editor:
        """Writes into a section where it lies."""
        at = self.row(self.find(section))["offset"] + offset
        self.data[at : at + len(data)] = data
        return self

    def add_section(self, name: str, data: bytes, **fields: int) -> Editor:
        """One more section; the section table moves to the end of the file."""
        count = self.header("shnum")
        strings = self.header("shstrndx")
        names = self.contents(strings)
        self.set_contents(strings, names + name.encode() + b"\0")
        self.data += bytes(-len(self.data) % 16)
        offset = len(self.data)
        self.data += data + bytes(-len(data) % 16)
        table = self.data[self.header("shoff") : self.header("shoff") + 64 * count]
        self.header("shoff", len(self.data))
        self.data += table + bytes(64)
        self.header("shnum", count + 1)
        values = {"name": len(names), "type": 1, "flags": 2, "offset": offset, "size": len(data), "align": 1}
        return self.set_row(count, **(dict.fromkeys(_FIELDS, 0) | values | fields))

    def bytes(self) -> bytes:
        """What came of it."""
        return bytes(self.data)


def unsigned(data: bytes) -> bytes:
    """The module without its signature."""
    if not data.endswith(MARKER):
        return data
    (size,) = struct.unpack_from(">I", data, len(data) - len(MARKER) - 4)
    return data[: len(data) - len(MARKER) - 12 - size]


def sign(
    data: bytes, body: bytes, *, kind: int = 2, size: int | None = None, first: bytes = b"\0\0"
) -> bytes:
    """The module with something after it that has the form of a signature."""
    length = len(body) if size is None else size
    return data + body + first + bytes([kind, 0, 0, 0, 0, 0]) + struct.pack(">I", length) + MARKER
