# SPDX-License-Identifier: MIT
"""Where in a kernel a boot is watched, and which function belongs to which initcall level.

All from the image itself: the symbol map, and the table of initcalls between `__initcall_start` and
`__initcall_end` (include/asm-generic/vmlinux.lds.h, INIT_CALLS), whose entries are named
`__initcall__kmod_MODULE__COUNTER_LINE_FUNCTION…` (include/linux/init.h, since 5.10).  Unpacking and reading
a map takes seconds, so what was found is kept in the cache.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.boot.stages import CONSOLE, INITRAMFS, INITRAMFS_END, LEVELS, STAGES
from lkm.elf import parse_elf
from lkm.errors import MissingError
from lkm.guest.agent import fingerprint
from lkm.guest.identity import file_identity
from lkm.kernel.image import unpack_image
from lkm.kernel.symbols import read_map
from lkm.paths import cache_dir, make_dir

if TYPE_CHECKING:
    from lkm.kernel import Kernel
    from lkm.kernel.kallsyms import MapSymbol

_FORMAT = 4
_KEPT = 16  # files in the cache
_ENTRY = re.compile(r"__initcall__kmod_(.+)__\d+_(\d+)_")
_AROUND = ("__init_begin", "__init_end", "_sinittext", "_einittext")
_MOST = 1 << 16  # initcalls; allyesconfig has a few thousand


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the table of initcalls: `address` of the function; `module`, `line` as in `Initcall`.

    `slot`: the address of the entry itself, which the kernel reads to call the function.
    """

    name: str
    level: str
    address: int
    module: str = ""
    line: int = 0
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Points:
    """`symbols`: address by name, of those that matter to a boot; `unpacked`: bytes of vmlinux; `entry`:
    the address of its first instruction; each 0 where it is not known."""

    symbols: Mapping[str, int] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    unpacked: int = 0
    entry: int = 0

    def address(self, begins: str) -> int | None:
        """Where a stage begins, for those that begin in the kernel proper; None where it is not known.

        Of a level the address of its first entry in the table, which is read as the level begins.
        """
        if not begins.startswith("level "):
            return self.symbols.get(begins)
        level = LEVELS[begins.removeprefix("level ")]
        return next((entry.slot for entry in self.entries if entry.level == level), 0) or None


def find_points(kernel: Kernel, image: Path) -> Points:
    """Those of `image`; empty for a kernel without a map of its symbols.

    Raises `BadInputError` for a damaged image.
    """
    build = kernel.build / "System.map" if kernel.build is not None else None
    parts = [_FORMAT, file_identity(image), file_identity(build) if build and build.is_file() else None]
    path = points_dir() / f"{fingerprint(json.dumps(parts).encode())}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(path.read_bytes())
        entries = tuple(Entry(**entry) for entry in known["entries"])
        return Points(known["symbols"], entries, known["unpacked"], known["entry"])
    found = _find(kernel, image)
    with suppress(OSError, MissingError):
        make_dir(path.parent)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(json.dumps(asdict(found)))
        part.rename(path)
        for old in sorted(path.parent.glob("*.json"), key=lambda one: one.stat().st_mtime)[:-_KEPT]:
            old.unlink(missing_ok=True)
    return found


def points_dir() -> Path:
    """Where they are kept."""
    return cache_dir() / "boot"


def _find(kernel: Kernel, image: Path) -> Points:
    vmlinux = unpack_image(image)
    symbols = read_map(kernel, vmlinux)
    size, entry = len(vmlinux or b""), parse_elf(vmlinux).header.entry if vmlinux else 0
    if not symbols:
        return Points(unpacked=size, entry=entry)
    wanted = {stage.begins for stage in (*STAGES, INITRAMFS)} | {INITRAMFS_END, *_AROUND}
    return Points(
        {symbol.name: symbol.address for symbol in symbols if symbol.name in wanted},
        tuple(read_entries(symbols, vmlinux)) if vmlinux is not None else (),
        size,
        entry,
    )


def read_entries(symbols: Iterable[MapSymbol], vmlinux: bytes) -> list[Entry]:
    """The initcalls of a vmlinux in the order of their calls, by level; empty where the table is not found.

    Each entry is an i32, the function's distance from it (CONFIG_HAVE_ARCH_PREL32_RELOCATIONS).
    """
    starts: dict[str, int] = {}
    functions: dict[int, str] = {}
    names: dict[int, str] = {}
    for symbol in symbols:
        if symbol.name.startswith(("__initcall", "__con_initcall")):
            if symbol.name.endswith(("_start", "_end")) and "kmod" not in symbol.name:
                starts[symbol.name] = symbol.address
            else:
                names[symbol.address] = symbol.name
        elif symbol.type in "tTwW":
            functions.setdefault(symbol.address, symbol.name)
    marks = [f"__initcall{level}_start" if level else "__initcall_start" for level in LEVELS]
    places = [starts.get(mark, 0) for mark in [*marks, "__initcall_end"]]
    found: list[Entry] = []
    if not all(places):
        return found
    ranges = [*zip(LEVELS.values(), places, places[1:], strict=False)]
    if "__con_initcall_start" in starts and "__con_initcall_end" in starts:
        ranges.insert(0, (CONSOLE, starts["__con_initcall_start"], starts["__con_initcall_end"]))
    read = _reader(vmlinux)
    for level, start, end in ranges:
        for at in range(start, min(end, start + 4 * _MOST), 4):
            data = read(at)
            if len(data) < 4:
                return []
            address = at + struct.unpack("<i", data)[0]
            about = _ENTRY.match(names.get(at, ""))
            name = functions.get(address, f"{address:#x}")
            module, line = (about[1], int(about[2])) if about else ("", 0)
            found.append(Entry(name, level, address, module, line, at))
    return found


def _reader(vmlinux: bytes) -> Callable[[int], bytes]:
    elf = parse_elf(vmlinux, name="vmlinux")
    section = elf.find_section(".init.data")
    data = elf.read_section(section) if section is not None else b""
    base = section.address if section is not None else 0

    def read(address: int) -> bytes:
        return data[address - base : address - base + 4] if address >= base else b""

    return read
