# SPDX-License-Identifier: MIT
"""What a dynamically linked program needs beside itself: its interpreter and its libraries.

Read from the files, never by running them (ldd(1) may): the program headers (elf(5)), the directories
they name, and glibc's cache (`cache.h`, format 1.1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lkm.errors import BadInputError, UsageError

_LIMIT = 64 << 20  # bytes of a program or library
_CACHE = Path("/etc/ld.so.cache")
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 15, 29
_DEFAULT = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")


@dataclass(frozen=True, slots=True)
class Library:
    """A file on this machine, and the path in the guest at which a program looks for it."""

    path: Path
    target: str


@dataclass(frozen=True, slots=True)
class _Dynamic:
    """What a program or library says of what it needs."""

    interpreter: str
    needed: tuple[str, ...]
    places: tuple[str, ...]


def find_libraries(path: Path) -> list[Library]:
    """The interpreter and all libraries of the program `path`; none for a static one or a script.

    With glibc's cache, which the interpreter in the guest reads as it does here.  Raises `BadInputError`
    where one is nowhere.
    """
    first = _read(path)
    if first is None or not (first.interpreter or first.needed):
        return []
    found: dict[str, Library] = {}
    if first.interpreter:
        found[first.interpreter.rpartition("/")[2]] = Library(Path(first.interpreter), first.interpreter)
    waiting = [(path, first)]
    while waiting:
        owner, dynamic = waiting.pop()
        for name in dynamic.needed:
            if name in found:
                continue
            library = _find(name, owner, dynamic.places + first.places)
            found[name] = library
            needs = _read(library.path)
            if needs is not None:
                waiting.append((library.path, needs))
    libraries = list(found.values())
    if _CACHE.exists():
        libraries.append(Library(_CACHE, str(_CACHE)))
    return libraries


def _find(name: str, owner: Path, places: tuple[str, ...]) -> Library:
    if "/" in name:
        return Library(Path(name), name)
    for place in places:
        at = place.replace("$ORIGIN", str(owner.parent)).replace("${ORIGIN}", str(owner.parent))
        if Path(at, name).is_file():
            return Library(Path(at, name), f"{at}/{name}")
    cached = _read_cache().get(name)
    if cached is not None and Path(cached).is_file():
        return Library(Path(cached), cached)
    for at in _default_places():
        if Path(at, name).is_file():
            return Library(Path(at, name), f"{at}/{name}")
    raise BadInputError(f"{owner} needs {name}, which is not on this machine", hint=f"ldd {owner}")


def _default_places() -> Iterator[str]:
    yield from _DEFAULT
    for at in ("/lib", "/usr/lib"):
        yield from (str(path) for path in sorted(Path(at).glob("*-linux-*")) if path.is_dir())


@lru_cache(maxsize=1)
def _read_cache() -> dict[str, str]:
    """Library name to path, from glibc's cache; empty where there is none.

    Header: magic[20], u32 entries, u32 string bytes, padding to 48; an entry: i32 flags, u32 name, u32
    path, u32, u64 hardware capabilities.  Flags 0x0303 are x86-64, 0x0a03 AArch64, 0x1003 RISC-V LP64D.
    """
    try:
        data = _CACHE.read_bytes()
    except OSError:
        return {}
    at = data.find(_CACHE_MAGIC)
    if at < 0:
        return {}
    found: dict[str, str] = {}
    base = at
    (count,) = struct.unpack_from("<I", data, at + 20)
    for index in range(min(count, (len(data) - base - 48) // 24)):
        flags, name, path, _, capabilities = struct.unpack_from("<iIIIQ", data, base + 48 + index * 24)
        if flags & 0xFF00 and flags & 0xFF == 3 and capabilities == 0:
            found.setdefault(_text(data, base + name), _text(data, base + path))
    return found


def _read(path: Path) -> _Dynamic | None:
    """What the ELF file says it needs; None for what is no 64-bit ELF file."""
    try:
        if path.stat().st_size > _LIMIT:
            return None
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if data[:6] != b"\x7fELF\x02\x01":
        return None
    try:
        return _parse(data)
    except (struct.error, ValueError) as error:
        raise BadInputError(f"{path}: damaged program") from error


def _parse(data: bytes) -> _Dynamic:
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    loads, interpreter, dynamic = [], "", b""
    for index in range(count):
        kind, _, at, address, _, length = struct.unpack_from("<IIQQQQ", data, offset + index * size)
        if kind == _PT_LOAD:
            loads.append((address, at, length))
        elif kind == _PT_INTERP:
            interpreter = _text(data, at)
        elif kind == _PT_DYNAMIC:
            dynamic = data[at : at + length]
    entries = list(struct.iter_unpack("<qQ", dynamic[: len(dynamic) // 16 * 16]))
    table = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    start = next((at + table - base for base, at, n in loads if table and base <= table < base + n), None)
    if start is None:
        return _Dynamic(interpreter, (), ())

    def texts(*tags: int) -> list[str]:
        return [_text(data, start + value) for tag, value in entries if tag in tags]

    places = [part for text in texts(_DT_RPATH, _DT_RUNPATH) for part in text.split(":") if part]
    return _Dynamic(interpreter, tuple(texts(_DT_NEEDED)), tuple(places))


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "surrogateescape")
