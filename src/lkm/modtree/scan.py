# SPDX-License-Identifier: MIT
"""What depmod needs of one module, read in as few steps as will do.

A modules directory has thousands of modules, so this is the hot path: a handful of preads, sections found
by searching the raw table, names kept as bytes.  Whatever is unusual (32 bits, big-endian, compressed,
damaged) goes through `lkm.elf`, which checks everything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from lkm.elf.number import Machine
from lkm.elf.quick import UNUSUAL, Quick
from lkm.elf.source import BytesSource, FileSource, Source
from lkm.errors import BadInputError
from lkm.module import open_module

if TYPE_CHECKING:
    from lkm.elf import Elf

_ALIAS = re.compile(rb"\0alias=([^\0]*)")
_SOFTDEP = re.compile(rb"\0softdep=([^\0]*)")
_WEAKDEP = re.compile(rb"\0weakdep=([^\0]*)")
# struct modversion_info: a long CRC, then the name to the end of 64 bytes.
_VERSION_NAME = re.compile(rb"(?s).{8}(.{56})")
# A row of the symbol table: u32 name, u8 info (global or weak), u8 other, u16 section 0, u64 value, u64 size.
# The second branch takes any other row whole, so that all matches begin at a row.
_UNDEFINED = re.compile(rb"(?s)(.{4})[\x10-\x2f].\0\0.{16}|.{24}")
_NAMES_WITH_DOTS = (Machine.PPC, Machine.PPC64)
_READ_OVER = 1 << 14  # bytes between two sections that cost less than another read


class Facts(NamedTuple):
    """What a module offers and needs.  A named tuple: 4,000 frozen dataclasses take 8 ms longer to make.

    `aliases`, `softdeps`, `weakdeps`: the values in `.modinfo`, and `exports`: names, each followed by a
    NUL, so that a whole directory's are stored and read back at once.  `imports`: undefined names;
    those out of `__versions` are still padded with NULs to 56 bytes.  `ordered`: whether they are in the
    symbol table's order, which is what the order in `modules.dep` comes from.
    """

    aliases: bytes
    softdeps: bytes
    weakdeps: bytes
    exports: bytes
    imports: list[bytes]
    ordered: bool


def split_texts(joined: bytes) -> list[bytes]:
    """The texts of which each is followed by a NUL."""
    return joined.split(b"\0")[:-1]


def join_texts(texts: Iterable[bytes]) -> bytes:
    """The reverse of `split_texts`; the texts have no NUL."""
    return b"\0".join([*texts, b""])


def scan_file(path: str) -> Facts:
    """The facts of the module file `path`; raises `BadInputError` where it is damaged or no module."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"cannot read {path}: {reason}") from error
    try:
        facts = _scan_usual(partial(os.pread, fd))
    except UNUSUAL:
        facts = None
    finally:
        os.close(fd)
    return facts if facts is not None else scan_source(open_module(path))


def _scan_usual(read: Callable[[int, int], bytes]) -> Facts | None:
    """For usual files; None, or one of `UNUSUAL`, for all others and in every doubt."""
    quick = Quick(read)
    names = quick.names
    if quick.machine in _NAMES_WITH_DOTS or b"__version_ext_names\0" in names:
        return None
    exports = quick.contents(b"\0__ksymtab_strings\0") if b"\0__ksymtab_strings\0" in names else b""
    if b"\0__versions\0" not in names:
        if b"__kcrctab" in names:
            return None
        imports = list(dict.fromkeys(_undefined(quick, read)))
        own = _modinfo(quick.contents(b"\0.modinfo\0"))
        return Facts(*own, _all_texts(exports), imports, True)
    information_at, information_size = quick.place(b"\0.modinfo\0")
    versions_at, versions_size = quick.place(b"\0__versions\0")
    between = versions_at - information_at
    if information_size <= between < _READ_OVER:  # one read is cheaper than two
        data = read(between + versions_size, information_at)
        information, versions = data[:information_size], data[between:]
    else:
        information = read(information_size, information_at)
        versions = read(versions_size, versions_at)
    exported = _exports(exports) if exports else b""
    if len(versions) != versions_size or versions_size & 63 or exported is None:
        return None
    return Facts(*_modinfo(information), exported, _VERSION_NAME.findall(versions), False)


def _all_texts(strings: bytes) -> bytes:
    """All that is not empty of `__ksymtab_strings`, namespaces included (see `exported_names`)."""
    return join_texts([text for text in strings.split(b"\0") if text])


def _undefined(quick: Quick, read: Callable[[int, int], bytes]) -> Iterator[bytes]:
    """Names of the undefined rows of a symbol table, in its order; raises one of `UNUSUAL`."""
    table_at, table_size, strings_at, strings_size = quick.undefined_symbols()
    table, strings = read(table_size, table_at), read(strings_size, strings_at)
    if len(table) != table_size:
        raise IndexError
    for raw in _UNDEFINED.findall(table):
        if raw:
            at = int.from_bytes(raw, "little")
            end = strings.find(b"\0", at)
            if end < 0:
                raise IndexError
            yield strings[at:end]


def _modinfo(data: bytes) -> tuple[bytes, bytes, bytes]:
    data = b"\0" + data
    return (
        join_texts(_ALIAS.findall(data)) if b"\0alias=" in data else b"",
        join_texts(_SOFTDEP.findall(data)) if b"\0softdep=" in data else b"",
        join_texts(_WEAKDEP.findall(data)) if b"\0weakdep=" in data else b"",
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
        except UNUSUAL:
            facts = None
        if facts is not None:
            return facts
    # Rarely needed: imported when it is.
    from lkm.elf import parse_elf
    from lkm.module.versions import read_versions

    elf = parse_elf(source)
    information = elf.read_named(".modinfo")
    if information is None:
        raise BadInputError(f"{source.name}: no section .modinfo")
    imports = {_plain(symbol.name): None for symbol in elf.undefined}
    imports |= {_plain(name): None for name in read_versions(elf)}
    return Facts(*_modinfo(information), join_texts(exported_names(elf)), list(imports), True)


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


def read_import_order(path: str) -> Iterator[bytes]:
    """The undefined names of the module file `path` in the order of its symbol table.

    Raises `BadInputError` where the file is damaged, or was changed since it was scanned.
    """
    source = open_module(path)  # compressed ones, too
    try:
        read = partial(os.pread, source.fd) if isinstance(source, FileSource) else _reader(source)
        yield from _undefined(Quick(read), read)
    except UNUSUAL as error:
        raise BadInputError(f"{path}: changed while it was read") from error
    finally:
        if isinstance(source, FileSource):
            source.close()


def _reader(source: Source) -> Callable[[int, int], bytes]:
    """Bytes of a source as os.pread gives them: fewer at its end."""
    return lambda size, offset: source.read(offset, max(0, min(size, source.size - offset)))
