# SPDX-License-Identifier: MIT
"""The kernel's own symbols for gdb: vmlinux of an own build, else an ELF file made from the image.

The file made has the image's symbol map (kallsyms) as a symbol table, its sections without their bytes
(gdb reads the guest's memory), and its unwinding tables as `.debug_frame`.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.elf import Elf, open_source, parse_elf
from lkm.elf.number import (
    ET_EXEC,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_PROGBITS,
    SHT_STRTAB,
    SHT_SYMTAB,
)
from lkm.errors import BadInputError, LkmError, MissingError
from lkm.guest.agent import fingerprint
from lkm.guest.gdb.orc import build_debug_frame
from lkm.guest.identity import file_identity, find_image
from lkm.kernel.image import unpack_image
from lkm.kernel.kallsyms import MapSymbol
from lkm.kernel.symbols import read_map
from lkm.paths import cache_dir, make_dir

if TYPE_CHECKING:
    from lkm.kernel import Kernel

LOADER = "do_init_module"  # kernel/module/main.c: kept out of line as a place for breakpoints
_BANNER = "linux_banner"
_FORMAT = 3
_KEPT = 8  # files in the cache
_TEXT = frozenset("tTwW")
_FUNCTION, _OBJECT = 2, 1  # symbol types; all are global
_X86_64 = 62
_KEPT_FLAGS = SHF_WRITE | SHF_ALLOC | SHF_EXECINSTR


@dataclass(frozen=True, slots=True)
class KernelSymbols:
    """A file for gdb's `file`, and the address of the function that calls a module's init.

    `lines`: whether it has debugging information, so that the kernel's source lines are known.
    """

    path: Path
    loader: int
    lines: bool


def find_own_symbols(kernel: Kernel, read_memory: Callable[[int, int], bytes]) -> KernelSymbols | None:
    """vmlinux of the kernel's build directory, where it is the one that runs in the guest; else None.

    `read_memory(address, size)`: the guest's memory.  The banner tells: it has the build's number and time.
    """
    path = kernel.build / "vmlinux" if kernel.build is not None else None
    if path is None or not path.is_file():
        return None
    try:
        elf = parse_elf(open_source(path))
        banner = elf.symbols_named(_BANNER)
        if not banner:
            return None
        section = elf.section(banner[0].section)
        text = elf.source.read(section.offset + banner[0].value - section.address, 256).split(b"\0")[0]
        if not text or read_memory(banner[0].value, len(text)) != text:
            return None
        return KernelSymbols(path, _find_loader(elf, path), elf.find_section(".debug_info") is not None)
    except BadInputError:
        return None


def make_symbols(kernel: Kernel, read_guest: Callable[[], list[MapSymbol]]) -> KernelSymbols:
    """The file made from the kernel's image, once; it stays in the cache.

    `read_guest` reads the guest's /proc/kallsyms, where the image cannot be read.  Raises `MissingError`
    where the kernel has no map of its symbols.
    """
    identity = repr((_FORMAT, file_identity(find_image(kernel)))).encode()
    path = symbols_dir() / f"vmlinux-{kernel.release}-{fingerprint(identity)}"
    if not path.is_file():
        data = _build(kernel, read_guest)
        make_dir(path.parent)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(data)
        part.rename(path)
        _keep_newest(path.parent)
    return KernelSymbols(path, _find_loader(parse_elf(open_source(path)), path), lines=False)


def symbols_dir() -> Path:
    """Where such files lie."""
    return cache_dir() / "gdb" / "symbols"


def remove_symbols() -> int:
    """Removes them; bytes that this freed."""
    freed = 0
    for path in symbols_dir().glob("*"):
        freed += path.stat().st_size
        path.unlink(missing_ok=True)
    return freed


def _keep_newest(directory: Path) -> None:
    files = sorted(directory.glob("vmlinux-*"), key=lambda path: path.stat().st_mtime)
    for path in [*files[:-_KEPT], *(part for part in directory.glob(".vmlinux-*") if not _is_written(part))]:
        path.unlink(missing_ok=True)


def _is_written(part: Path) -> bool:
    return Path("/proc", part.suffix.removeprefix(".")).exists()


def _find_loader(elf: Elf, path: Path) -> int:
    found = elf.symbols_named(LOADER)
    if not found:
        raise MissingError(
            f"{path}: no symbol {LOADER} (CONFIG_MODULES, CONFIG_KALLSYMS)", hint="lkm run --kernel debian"
        )
    return found[0].value


def _build(kernel: Kernel, read_guest: Callable[[], list[MapSymbol]]) -> bytes:
    image = None
    try:
        image = unpack_image(find_image(kernel))
        symbols = read_map(kernel, image)
    except LkmError:
        symbols = None
    symbols = symbols or read_guest()
    if not symbols:
        raise MissingError(f"{kernel.name}: no map of its symbols (CONFIG_KALLSYMS)", hint="lkm map")
    return build_symbol_file(symbols, parse_elf(image, name=kernel.name) if image else None)


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    type: int
    flags: int
    address: int
    size: int
    data: bytes = b""
    link: int = 0
    info: int = 0
    entry_size: int = 0


def build_symbol_file(symbols: Sequence[MapSymbol], image: Elf | None) -> bytes:
    """An ELF file (x86_64) with these symbols; sections and unwinding tables are those of `image`."""
    ordered = sorted({(one.address, one.name): one for one in symbols}.values(), key=lambda one: one.address)
    parts = _find_parts(ordered, image)
    table, strings, count = _build_table(ordered, parts)
    if frame := _read_orc(image):
        parts.append(_Part(".debug_frame", SHT_PROGBITS, 0, 0, len(frame), frame))
    link = len(parts) + 2  # behind the empty section and the symbols' own
    parts.append(_Part(".symtab", SHT_SYMTAB, 0, 0, len(table), table, link=link, info=1, entry_size=24))
    parts.append(_Part(".strtab", SHT_STRTAB, 0, 0, len(strings), strings))
    assert count
    return _lay_out(parts)


def _find_parts(ordered: Sequence[MapSymbol], image: Elf | None) -> list[_Part]:
    """The sections in memory, by address; one for all code where there is no image."""
    if image is not None and any(section.address for section in image.sections):
        return sorted(
            (
                _Part(one.name, SHT_NOBITS, one.flags & _KEPT_FLAGS, one.address, one.size)
                for one in image.sections
                if one.flags & SHF_ALLOC and one.address >> 63 and one.size
            ),
            key=lambda part: part.address,
        )
    code = [one.address for one in ordered if one.type in _TEXT and one.address >> 63]
    if not code:
        return []
    return [_Part(".text", SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, code[0], code[-1] - code[0] + 4096)]


def _build_table(ordered: Sequence[MapSymbol], parts: Sequence[_Part]) -> tuple[bytes, bytes, int]:
    """`.symtab` and `.strtab`; symbols outside all sections, per-CPU ones, are left out."""
    starts = [part.address for part in parts]
    table, strings, count = bytearray(24), bytearray(b"\0"), 0
    ends = [one.address for one in ordered[1:]] + [0]
    for symbol, end in zip(ordered, ends, strict=True):
        place = bisect_right(starts, symbol.address) - 1
        if place < 0 or symbol.address > parts[place].address + parts[place].size:
            continue
        kind = _FUNCTION if symbol.type in _TEXT else _OBJECT
        size = max(end - symbol.address, 0) if end - symbol.address < 1 << 24 else 0
        table += struct.pack("<IBBHQQ", len(strings), 16 | kind, 0, place + 1, symbol.address, size)
        strings += symbol.name.encode() + b"\0"
        count += 1
    return bytes(table), bytes(strings), count


def _read_orc(image: Elf | None) -> bytes:
    if image is None:
        return b""
    table, places = image.find_section(".orc_unwind"), image.find_section(".orc_unwind_ip")
    if table is None or places is None:
        return b""
    return build_debug_frame(image.read_section(table), image.read_section(places), places.address)


def _lay_out(parts: Sequence[_Part]) -> bytes:
    names = bytearray(b"\0")
    out, rows = bytearray(64), bytearray(64)
    for part in [*parts, _Part(".shstrtab", SHT_STRTAB, 0, 0, 0)]:
        name = len(names)
        names += part.name.encode() + b"\0"
        data = bytes(names) if part.name == ".shstrtab" else part.data
        size = part.size or len(data)
        out += bytes(-len(out) % 8)
        rows += struct.pack(
            "<IIQQQQIIQQ", name, part.type, part.flags, part.address, len(out), size,
            part.link, part.info, 8, part.entry_size,
        )  # fmt: skip
        out += data
    out += bytes(-len(out) % 8)
    count = len(parts) + 2
    out[:64] = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack(
            "<HHIQQQIHHHHHH", ET_EXEC, _X86_64, 1, 0, 0, len(out), 0, 64, 0, 0, 64, count, count - 1
        )
    )
    return bytes(out + rows)
