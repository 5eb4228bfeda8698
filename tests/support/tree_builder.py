# SPDX-License-Identifier: MIT
"""Small modules directories made to order, and copies of real ones that may be written to."""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import zstandard
from elf_builder import Name, Piece, build_module

RELEASE = "6.1.0-test"
PACK = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress}


def module_bytes(
    name: str,
    *,
    exports: Sequence[str] = (),
    imports: Sequence[str] = (),
    aliases: Sequence[str] = (),
    information: Sequence[str] = (),
    versions: bool = True,
    bits: int = 64,
    little: bool = True,
) -> bytes:
    """A module that exports and imports these symbols, with MODVERSIONS (every CRC 0x1234) or without."""
    long_size = bits // 8
    order = "<" if little else ">"
    pieces = []
    if versions:
        rows = b"".join(
            struct.pack(order + ("Q" if bits == 64 else "I"), 0x1234)
            + one.encode().ljust(64 - long_size, b"\0")
            for one in ("module_layout", *imports)
        )
        pieces.append(Piece("__versions", rows))
    names = [Name(one) for one in imports]
    if exports:
        pieces.append(Piece("__ksymtab", bytes(12 * len(exports))))
        pieces.append(Piece("__ksymtab_strings", b"".join(one.encode() + b"\0\0" for one in exports)))
        names += [Name(f"__ksymtab_{one}", "__ksymtab", 12 * number) for number, one in enumerate(exports)]
        if versions:
            pieces.append(Piece("__kcrctab", struct.pack(order + "I", 0x1234) * len(exports)))
            names += [Name(f"__crc_{one}", "__kcrctab", 4 * number) for number, one in enumerate(exports)]
    words = ["license=GPL", *(f"alias={one}" for one in aliases), *information]
    return build_module(name, information=words, pieces=pieces, names=names, bits=bits, little=little)


def add_module(directory: Path, place: str, data: bytes) -> Path:
    """Writes a module file, compressed as its suffix says."""
    path = directory / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PACK.get(path.suffix, bytes)(data))
    return path


def modules_dir(root: Path, release: str = RELEASE) -> Path:
    """An empty modules directory below a root."""
    directory = root / "lib/modules" / release
    directory.mkdir(parents=True)
    return directory


def writable_copy(real: Path, root: Path) -> Path:
    """A directory whose modules are those of a real one (by a link), to write `modules.*` in."""
    directory = modules_dir(root, real.name)
    (directory / "kernel").symlink_to(real / "kernel")
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        if (real / name).exists():
            shutil.copyfile(real / name, directory / name)
    return directory
