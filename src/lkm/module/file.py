# SPDX-License-Identifier: MIT
"""Module files: their names, and their bytes whether compressed or not.

The compression is told by the first bytes, not by the suffix (as libkmod-file.c does it).
"""

from __future__ import annotations

import zlib
from pathlib import Path

from lkm.elf import BytesSource, FileSource, Source, open_source
from lkm.errors import BadInputError, MissingError

SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")
SIZE_LIMIT = (
    1 << 30
)  # bytes unpacked; the biggest known modules, with debugging information, have some 400 MB
_MEMORY_LIMIT = 256 << 20  # bytes an xz or zstd stream may ask for to be unpacked; `xz -9` asks for 65 MiB
# A frame object has no limit on what it gives at once: four bytes may stand for 128 KiB, so these for 64 MiB.
_ZSTD_CHUNK = 2048

_GZIP, _XZ, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"


def module_name(file_name: str) -> str:
    """The name a module file's name stands for: to the first dot, dashes as underscores.

    Source: kmod, shared/util.c `path_to_modname`; the kernel folds them alike (KBUILD_MODNAME).
    """
    return file_name.rpartition("/")[2].partition(".")[0].replace("-", "_")


def is_module_file(file_name: str) -> bool:
    """Whether the name ends as a module's does (`.ko`, `.ko.gz`, `.ko.xz`, `.ko.zst`)."""
    return file_name.endswith(SUFFIXES)


def open_module(path: Path | str, *, limit: int = SIZE_LIMIT) -> Source:
    """The file, read in pieces where it is not compressed, unpacked into memory where it is.

    Raises `BadInputError` where it cannot be read, is damaged, or unpacks to more than `limit` bytes,
    `MissingError` where it is zstd and the Python package for that is not installed.
    """
    source = open_source(path)
    start = source.read(0, min(6, source.size))
    kind = _compression(start)
    if not kind:
        return source
    try:
        return BytesSource(_unpack(source, kind, limit), name=source.name)
    finally:
        source.close()


def read_module_bytes(path: Path | str, *, limit: int = SIZE_LIMIT) -> bytes:
    """All bytes of a module file, unpacked; raises what `open_module` raises."""
    source = open_module(path, limit=limit)
    if isinstance(source, FileSource):
        try:
            if source.size > limit:
                raise BadInputError(f"{path} has {source.size} bytes, the limit is {limit}")
            return source.read(0, source.size)
        finally:
            source.close()
    return source.read(0, source.size)


def _compression(start: bytes) -> str:
    for kind, magic in (("gzip", _GZIP), ("xz", _XZ), ("zstd", _ZSTD)):
        if start.startswith(magic):
            return kind
    return ""


def _unpack(source: Source, kind: str, limit: int) -> bytes:
    """One stream, or several after another (xz and zstd allow it, and pixz makes such files)."""
    packed = source.read(0, source.size)
    if kind == "zstd":
        return unpack_zstd(packed, source.name, limit)
    if kind == "xz":
        import lzma  # 4 ms that uncompressed modules need not pay

        errors: tuple[type[Exception], ...] = (lzma.LZMAError, MemoryError)
    else:
        errors = (zlib.error,)
    out: list[bytes] = []
    total = 0
    rest = packed
    while rest:
        try:
            if kind == "xz":
                inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)
                data = inner.decompress(rest, limit - total + 1)
                done, rest = inner.eof, inner.unused_data
            else:
                stream = zlib.decompressobj(wbits=31)
                data = stream.decompress(rest, limit - total + 1)
                done, rest = stream.eof, stream.unused_data
        except errors as error:
            raise BadInputError(f"{source.name}: damaged {kind} file: {error}") from error
        out.append(data)
        total += len(data)
        if total > limit:
            raise BadInputError(f"{source.name} unpacks to more than {limit} bytes")
        if not done:
            raise BadInputError(f"{source.name}: truncated {kind} file ({len(packed)} bytes)")
        rest = rest.lstrip(b"\0") if kind == "xz" else rest  # stream padding
    return b"".join(out)


def unpack_zstd(packed: bytes, name: str, limit: int) -> bytes:
    """A zstd stream unpacked; raises what `open_module` raises.

    zstd came into the standard library with Python 3.14.
    """
    try:
        import zstandard
    except ImportError:
        return _unpack_zstd_standard(packed, name, limit)
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MEMORY_LIMIT)
    out: list[bytes] = []
    total = 0
    at = 0
    try:
        while at < len(packed):
            frame = unpacker.decompressobj()
            while not frame.eof:
                if at >= len(packed):
                    raise BadInputError(f"{name}: truncated zstd file ({len(packed)} bytes)")
                out.append(frame.decompress(packed[at : at + _ZSTD_CHUNK]))
                at += _ZSTD_CHUNK
                total += len(out[-1])
                if total > limit:
                    raise BadInputError(f"{name} unpacks to more than {limit} bytes")
            at = min(at, len(packed)) - len(frame.unused_data)
    except zstandard.ZstdError as error:
        raise BadInputError(f"{name}: damaged zstd file: {error}") from error
    return b"".join(out)


def _unpack_zstd_standard(packed: bytes, name: str, limit: int) -> bytes:
    import importlib

    try:
        zstd = importlib.import_module("compression.zstd")
    except ImportError as error:
        raise MissingError(
            f"{name} is compressed with zstd, and this Python cannot unpack that",
            hint="pip install zstandard",
        ) from error
    out: list[bytes] = []
    total = 0
    rest = packed
    options = {zstd.DecompressionParameter.window_log_max: _MEMORY_LIMIT.bit_length() - 1}
    while rest:
        inner = zstd.ZstdDecompressor(options=options)
        try:
            out.append(inner.decompress(rest, limit - total + 1))
        except zstd.ZstdError as error:
            raise BadInputError(f"{name}: damaged zstd file: {error}") from error
        total += len(out[-1])
        if total > limit:
            raise BadInputError(f"{name} unpacks to more than {limit} bytes")
        if not inner.eof:
            raise BadInputError(f"{name}: truncated zstd file ({len(packed)} bytes)")
        rest = inner.unused_data
    return b"".join(out)
