# SPDX-License-Identifier: MIT
"""What a kernel image packs: how it is packed, by its first bytes, and unpacking it.

The ways are those of arch/x86/boot/compressed/Makefile and of drivers/firmware/efi/libstub/Makefile.zboot.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

_LZ4_MAGIC = 0x184C2102
_LZ4_BLOCK = 8 << 20


class Packing(StrEnum):
    """How a payload is packed, as CONFIG_KERNEL_* names it; NONE: an ELF file as it is."""

    NONE = "none"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    LZMA = "lzma"
    XZ = "xz"
    LZO = "lzo"
    LZ4 = "lz4"
    ZSTD = "zstd"


# Documentation/arch/x86/boot.rst, payload_offset; lzo: lib/decompress_unlzo.c.
_MAGIC = {
    b"\x7fELF": Packing.NONE,
    b"\x1f\x8b": Packing.GZIP,
    b"\xfd7zXZ\x00": Packing.XZ,
    b"\x5d\x00\x00": Packing.LZMA,
    b"BZh": Packing.BZIP2,
    b"\x02\x21\x4c\x18": Packing.LZ4,
    b"\x28\xb5\x2f\xfd": Packing.ZSTD,
    b"\x89LZO": Packing.LZO,
}


def find_packing(payload: bytes) -> Packing | None:
    """How `payload` (its first 6 bytes do) is packed; None for a way unknown here."""
    return next((packing for magic, packing in _MAGIC.items() if payload.startswith(magic)), None)


def unpack(payload: bytes, limit: int) -> bytes | None:
    """Up to `limit` bytes of what `payload` packs; None where no reader for it is found here (lzo).

    Raises what `damage()` names where the payload is damaged.
    """
    packing = find_packing(payload)
    if packing is Packing.NONE:
        return payload[:limit]
    unpacker = _UNPACKERS.get(packing) if packing is not None else None
    return unpacker(payload, limit) if unpacker is not None else None


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, /, max_length: int = ...) -> bytes: ...


def _drain(decompressor: _Decompressor, payload: bytes, limit: int) -> bytes:
    """Up to `limit` bytes, however small the pieces a decompressor hands out."""
    parts = [decompressor.decompress(payload, limit)]
    total = len(parts[0])
    while parts[-1] and total < limit and not decompressor.eof:
        parts.append(decompressor.decompress(b"", limit - total))
        total += len(parts[-1])
    return b"".join(parts) if len(parts) > 1 else parts[0]


def _gunzip(payload: bytes, limit: int) -> bytes:
    import zlib

    return zlib.decompressobj(wbits=31).decompress(payload, limit)


def _unxz(payload: bytes, limit: int) -> bytes:
    import lzma

    return _drain(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 29), payload, limit)


def _unlzma(payload: bytes, limit: int) -> bytes:
    import lzma

    return _drain(lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=1 << 29), payload, limit)


def _bunzip2(payload: bytes, limit: int) -> bytes:
    import bz2

    return _drain(bz2.BZ2Decompressor(), payload, limit)


def _unlz4(payload: bytes, limit: int) -> bytes | None:
    """The legacy frame that `lz4 -l` writes: blocks of a u32 size and up to 8 MiB unpacked.

    Through the system's liblz4 (apt and systemd bring it); None where there is none.
    """
    import ctypes

    try:
        unpack = ctypes.CDLL("liblz4.so.1").LZ4_decompress_safe
    except (OSError, AttributeError):
        return None
    out, at, end = bytearray(), 4, len(payload) - 4  # the build's u32 size is at the end
    block = ctypes.create_string_buffer(_LZ4_BLOCK)
    while at + 4 <= end and len(out) < limit:
        (size,) = struct.unpack_from("<I", payload, at)
        if size == _LZ4_MAGIC:  # frames may follow one another
            at += 4
            continue
        if at + 4 + size > end:
            raise ValueError("lz4 block cut short")
        written = unpack(payload[at + 4 : at + 4 + size], block, size, _LZ4_BLOCK)
        if written <= 0:
            raise ValueError("lz4 block damaged")
        out += memoryview(block)[:written]
        at += 4 + size
    return bytes(out)


def _unzstd(payload: bytes, limit: int) -> bytes | None:
    try:
        from compression import zstd  # type: ignore[import-not-found]  # Python 3.14
    except ImportError:
        try:
            import zstandard
        except ImportError:
            return None
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(payload) as reader:
            return reader.read(limit)
    return _drain(zstd.ZstdDecompressor(), payload, limit)


def damage() -> tuple[type[Exception], ...]:
    """What the readers raise for damaged data."""
    import lzma
    import zlib

    errors: list[type[Exception]] = [zlib.error, lzma.LZMAError, OSError, EOFError, ValueError]
    try:
        from compression import zstd

        errors.append(zstd.ZstdError)
    except ImportError:
        try:
            import zstandard

            errors.append(zstandard.ZstdError)
        except ImportError:
            pass
    return tuple(errors)


_UNPACKERS: dict[Packing, Callable[[bytes, int], bytes | None]] = {
    Packing.GZIP: _gunzip,
    Packing.XZ: _unxz,
    Packing.LZMA: _unlzma,
    Packing.BZIP2: _bunzip2,
    Packing.LZ4: _unlz4,
    Packing.ZSTD: _unzstd,
}
