# SPDX-License-Identifier: MIT
"""Small ELF files made to order: any class and byte order, for tests only."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Piece:
    """A section to be: `relocations` are (offset, type, symbol index, addend)."""

    name: str
    data: bytes = b""
    type: int = 1
    flags: int = 2
    entry_size: int = 0
    zeros: int | None = None  # the size of a NOBITS section
    relocations: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass
class Name:
    """A symbol to be: `section` is the name of a piece, None for undefined, a number as it is."""

    name: str
    section: str | int | None = None
    value: int = 0
    size: int = 0
    binding: int = 1
    type: int = 0


def build_elf(
    pieces: Sequence[Piece],
    names: Sequence[Name] = (),
    *,
    bits: int = 64,
    little: bool = True,
    machine: int = 62,
    kind: int = 1,
    rela: bool = True,
) -> bytes:
    """A relocatable file with these sections and symbols (the first symbol is row 1 of the table)."""
    order = "<" if little else ">"
    word = "Q" if bits == 64 else "I"
    index_of = {"": 0}
    for number, piece in enumerate(pieces, 1):
        index_of[piece.name] = number
    rows: list[tuple[str, int, int, bytes, int, int, int, int]] = []
    for piece in pieces:
        size = piece.zeros if piece.zeros is not None else len(piece.data)
        rows.append(
            (
                piece.name,
                8 if piece.zeros is not None else piece.type,
                piece.flags,
                piece.data,
                size,
                0,
                0,
                piece.entry_size,
            )
        )
    symbol_table = len(pieces) + sum(1 for piece in pieces if piece.relocations) + 1
    for piece in pieces:
        if not piece.relocations:
            continue
        data = b""
        for offset, rtype, symbol, addend in piece.relocations:
            info = (symbol << 32 | rtype) if bits == 64 else (symbol << 8 | rtype)
            data += struct.pack(order + word * 2, offset, info)
            if rela:
                data += struct.pack(order + word.lower(), addend)
        prefix = ".rela" if rela else ".rel"
        rows.append(
            (
                prefix + piece.name,
                4 if rela else 9,
                0x40,
                data,
                len(data),
                symbol_table,
                index_of[piece.name],
                0,
            )
        )
    strings = b"\0"
    table = struct.pack(order + "IBBHQQ" if bits == 64 else order + "IIIBBH", 0, 0, 0, 0, 0, 0)
    for name in names:
        place = (
            0
            if name.section is None
            else name.section
            if isinstance(name.section, int)
            else index_of[name.section]
        )
        info = name.binding << 4 | name.type
        if bits == 64:
            table += struct.pack(order + "IBBHQQ", len(strings), info, 0, place, name.value, name.size)
        else:
            table += struct.pack(order + "IIIBBH", len(strings), name.value, name.size, info, 0, place)
        strings += name.name.encode() + b"\0"
    rows.append((".symtab", 2, 0, table, len(table), symbol_table + 1, 1, 0))
    rows.append((".strtab", 3, 0, strings, len(strings), 0, 0, 0))
    section_names = b"\0" + b"".join(row[0].encode() + b"\0" for row in rows) + b".shstrtab\0"
    rows.append((".shstrtab", 3, 0, section_names, len(section_names), 0, 0, 0))
    header_size = 64 if bits == 64 else 52
    body = b""
    form = order + ("IIQQQQIIQQ" if bits == 64 else "IIIIIIIIII")
    section_table = struct.pack(form, *([0] * 10))
    at = 1
    for title, rtype, flags, data, size, link, info, entry in rows:
        while (header_size + len(body)) % 8:
            body += b"\0"
        section_table += struct.pack(
            form, at, rtype, flags, 0, header_size + len(body), size, link, info, 8, entry
        )
        body += data
        at += len(title) + 1
    header = b"\x7fELF" + bytes([bits // 32, 1 if little else 2, 1]) + b"\0" * 9
    header += struct.pack(
        order + ("HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"),
        kind, machine, 1, 0, 0, header_size + len(body), 0, header_size, 0, 0,
        64 if bits == 64 else 40, len(rows) + 1, len(rows),
    )  # fmt: skip
    return header + body + section_table


def build_module(
    name: str = "sample",
    *,
    information: Sequence[str] = ("license=GPL",),
    pieces: Sequence[Piece] = (),
    names: Sequence[Name] = (),
    bits: int = 64,
    little: bool = True,
    machine: int = 62,
    rela: bool = True,
) -> bytes:
    """A file that has what makes it a module: `.modinfo` and `struct module` with a name."""
    pointer = bits // 8
    this = bytes(3 * pointer) + name.encode().ljust(64 - pointer, b"\0") + bytes(256)
    modinfo = b"".join(text.encode() + b"\0" for text in information)
    own = [Piece(".modinfo", modinfo), Piece(".gnu.linkonce.this_module", this, flags=3)]
    return build_elf([*own, *pieces], names, bits=bits, little=little, machine=machine, rela=rela)
