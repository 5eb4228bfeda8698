# SPDX-License-Identifier: MIT
"""What depmod needs of one module, read in as few steps as will do.

A modules directory has thousands of modules, so this is the hot path: a handful of preads, sections found
by searching the raw table, names kept as bytes.  Whatever is unusual (32 bits, big-endian, compressed,
damaged) goes through `lkm.elf`, which checks everything.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from lkm.elf import BytesSource, Elf, Source, parse_elf
from lkm.elf.value import SHT_NOBITS
from lkm.errors import BadInputError
from lkm.module import open_module
from lkm.module.read import read_versions

_HEADER = struct.Struct("<QQQIHHHHHH")  # from e_entry on
_ROW = struct.Struct("<IIQQQQIIQQ")
_USUAL = b"\x7fELF\x02\x01"
_ALIAS = re.compile(rb"(?<![^\0])alias=([^\0]*)")
_SOFTDEP = re.compile(rb"(?<![^\0])softdep=([^\0]*)")
_WEAKDEP = re.compile(rb"(?<![^\0])weakdep=([^\0]*)")
# struct modversion_info: a long CRC, then the name to the end of 64 bytes.
_VERSION_NAME = re.compile(rb"(?s).{8}(.{56})")
# A row of the symbol table: u32 name, u8 info (global or weak), u8 other, u16 section 0, u64 value, u64 size.
# The second branch takes any other row whole, so that all matches begin at a row.
_UNDEFINED = re.compile(rb"(?s)(.{4})[\x10-\x2f].\0\0.{16}|.{24}")
_NAMES_LIMIT = 1 << 22  # bytes of section names on the fast path; real ones have a few thousand
_SYMBOLS_LIMIT = 1 << 28
_SECTION_LIMIT = 1 << 26  # bytes of a section on the fast path
_NAMES_WITH_DOTS = (b"\x14\0", b"\x15\0")  # PowerPC


_UNUSUAL = (struct.error, IndexError, OverflowError, OSError, MemoryError)


class Facts(NamedTuple):
    """What a module offers and needs.  A named tuple: 4,000 frozen dataclasses take 8 ms longer to make.

    `aliases`, `softdeps`, `weakdeps`: the values in `.modinfo`, and `exports`: names, each followed by a
    NUL, so that a whole directory's are stored and read back at once.  `imports`: undefined names;
    those out of `__versions` are still padded with NULs to 56 bytes.  `symbols`: offset and
    size of the undefined part of the symbol table and of its strings, () where `imports` has the
    symbol table's order already, which is what the order in `modules.dep` comes from.
    """

    aliases: bytes
    softdeps: bytes
    weakdeps: bytes
    exports: bytes
    imports: list[bytes]
    symbols: tuple[int, ...]


def split_texts(joined: bytes) -> list[bytes]:
    """The texts of which each is followed by a NUL."""
    return joined.split(b"\0")[:-1]


def join_texts(texts: Iterable[bytes]) -> bytes:
    """The reverse of `split_texts`; the texts have no NUL."""
    return b"".join([text + b"\0" for text in texts])


def scan_file(path: str) -> Facts:
    """The facts of the module file `path`; raises `BadInputError` where it is damaged or no module."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"cannot read {path}: {reason}") from error
    try:
        facts = _scan_usual(partial(os.pread, fd))
    except _UNUSUAL:
        facts = None
    finally:
        os.close(fd)
    return facts if facts is not None else scan_source(open_module(path))


def _scan_usual(read: Callable[[int, int], bytes]) -> Facts | None:
    """For 64-bit little-endian objects; None, or one of `_UNUSUAL`, for all others and in every doubt.

    `read` gives so many bytes at an offset, fewer at the end, as os.pread.
    """
    head = read(64, 0)
    if not head.startswith(_USUAL) or head[18:20] in _NAMES_WITH_DOTS:
        return None
    _, _, offset, _, _, _, _, row_size, count, names_index = _HEADER.unpack_from(head, 24)
    if row_size != 64 or not 0 < names_index < count or offset > 1 << 62:
        return None
    table = read(count * 64, offset)
    row = _ROW.unpack_from(table, names_index * 64)
    if row[5] > _NAMES_LIMIT:
        return None
    names = read(row[5], row[4])

    def section(name: bytes) -> tuple[int, ...]:
        at = names.find(name) + 1
        if at == 0:
            raise IndexError
        key = at.to_bytes(4, "little")
        row_at = table.find(key, 64)
        while row_at & 63:
            row_at = table.find(key, row_at + 1)
        if row_at < 0:
            raise IndexError
        return _ROW.unpack_from(table, row_at)

    def contents(row: tuple[int, ...]) -> bytes:
        size = row[5]
        if row[1] == SHT_NOBITS or size > _SECTION_LIMIT:
            raise IndexError
        data = read(size, row[4])
        if len(data) != size:
            raise IndexError
        return data

    information = _modinfo(contents(section(b"\0.modinfo\0")))
    symbols, strings = section(b"\0.symtab\0"), section(b"\0.strtab\0")
    local = symbols[7] * 24  # sh_info: how many local symbols come first
    if local > symbols[5] or b"__version_ext_names\0" in names:
        return None
    exports = contents(section(b"\0__ksymtab_strings\0")) if b"__ksymtab_strings\0" in names else b""
    places = (symbols[4] + local, symbols[5] - local, strings[4], strings[5])
    if b"\0__versions\0" not in names:
        if b"__kcrctab" in names:
            return None
        imports = _undefined(read(places[1], places[0]), contents(strings))
        return Facts(*information, _all_texts(exports), list(dict.fromkeys(imports)), ())
    versions = contents(section(b"\0__versions\0"))
    exported = _exports(exports)
    if len(versions) & 63 or exported is None:
        return None
    return Facts(*information, exported, _VERSION_NAME.findall(versions), places)


def _all_texts(strings: bytes) -> bytes:
    """All that is not empty of `__ksymtab_strings`, namespaces included (see `exported_names`)."""
    return join_texts([text for text in strings.split(b"\0") if text])


def _undefined(table: bytes, strings: bytes) -> list[bytes]:
    """Names of the undefined rows of a symbol table."""
    found = []
    for raw in _UNDEFINED.findall(table):
        if raw:
            at = int.from_bytes(raw, "little")
            end = strings.find(b"\0", at)
            if end < 0:
                raise IndexError
            found.append(strings[at:end])
    return found


def _modinfo(data: bytes) -> tuple[bytes, bytes, bytes]:
    return (
        join_texts(_ALIAS.findall(data)),
        join_texts(_SOFTDEP.findall(data)) if b"softdep=" in data else b"",
        join_texts(_WEAKDEP.findall(data)) if b"weakdep=" in data else b"",
    )


def _exports(strings: bytes) -> bytes | None:
    """The names in `__ksymtab_strings`: since 5.4 a symbol and its namespace by turns; None in doubt."""
    parts = strings.split(b"\0")
    if parts.pop() or len(parts) % 2:
        return None
    names = parts[0::2]
    return join_texts(names) if all(names) else None


def scan_source(source: Source) -> Facts:
    """The facts of any module, by the checked reader where it is unusual; raises `BadInputError`."""
    if isinstance(source, BytesSource):
        data = source.data
        try:
            facts = _scan_usual(lambda size, offset: data[offset : offset + size])
        except _UNUSUAL:
            facts = None
        if facts is not None:
            return facts
    elf = parse_elf(source)
    information = elf.read_named(".modinfo")
    if information is None:
        raise BadInputError(f"{source.name}: no section .modinfo")
    imports = {_plain(symbol.name): None for symbol in elf.undefined}
    imports |= {_plain(name): None for name in read_versions(elf)}
    return Facts(*_modinfo(information), join_texts(exported_names(elf)), list(imports), ())


def _plain(name: str) -> bytes:
    # On 64-bit PowerPC a function's code is `.name`; kmod takes it as `name` (depmod_symbol_find).
    return name.removeprefix(".").encode("utf-8", "surrogateescape")


def exported_names(elf: Elf) -> list[bytes]:
    """Names of the exported symbols, as kmod takes them.

    With MODVERSIONS, those with a `__crc_`; else all strings of `__ksymtab_strings`, which are
    the namespaces too (kmod, libkmod-elf.c `kmod_elf_get_symbols`).
    """
    strings = elf.read_named("__ksymtab_strings")
    if strings is None:
        return []
    with_crc = [_plain(symbol.name[6:]) for symbol in elf.symbols if symbol.name.startswith("__crc_")]
    return with_crc or [name for name in strings.split(b"\0") if name]


def read_import_order(path: str, places: tuple[int, ...]) -> Iterator[bytes]:
    """The undefined names of a module in the order of its symbol table.

    `places` as in `Facts.symbols`.  Raises `BadInputError` where the file is damaged or was changed.
    """
    offset, size, strings_offset, strings_size = places
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        table = os.pread(fd, min(size, _SYMBOLS_LIMIT), offset)
        strings = os.pread(fd, min(strings_size, _SYMBOLS_LIMIT), strings_offset)
    except (OSError, OverflowError) as error:
        raise BadInputError(f"{path}: cannot read the symbol table at offset {offset:#x}") from error
    finally:
        os.close(fd)
    if len(table) != size or len(strings) != strings_size:
        raise BadInputError(f"{path}: truncated: the symbol table at offset {offset:#x}")
    for raw in _UNDEFINED.findall(table):
        if raw:
            at = int.from_bytes(raw, "little")
            yield strings[at : strings.find(b"\0", at)]
