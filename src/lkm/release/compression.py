# SPDX-License-Identifier: MIT
"""The ways a tar is compressed: told by its first bytes, undone piece by piece, and what ends it wrongly."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lkm.errors import BadInputError, MissingError

# Bytes read at once from a file, and at most handed on at once: what keeps a pipe and two processors busy.
CHUNK = 1 << 20


class Compression(StrEnum):
    """How a tar is compressed, as its file name says it."""

    NONE = "tar"
    XZ = "xz"
    GZIP = "gz"
    BZIP2 = "bz2"
    ZSTD = "zst"


# The first bytes of each format's files.
_MAGIC = (
    (b"\xfd7zXZ\x00", Compression.XZ),
    (b"\x1f\x8b\x08", Compression.GZIP),
    (b"BZh", Compression.BZIP2),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
)


class TruncatedError(BadInputError):
    """The compressed data ends before its end: a download that broke off."""


class TrailingError(BadInputError):
    """Something follows the end of the compressed data."""


class CorruptError(BadInputError):
    """The compressed data contradicts itself, its checksums say."""


class TooBigError(BadInputError):
    """There is more in it than is reasonable."""


class Readable(Protocol):
    """What bytes can be read from, in order."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...


class _Zlib:
    """zlib's decompressor with the manners of lzma's and bz2's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum
        self._had_room = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and self._had_room

    def decompress(self, data: bytes, max_length: int = CHUNK) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._had_room = len(out) < max_length
        return out


class _Zstd:
    """zstandard's decompressor, which has no limit of its own: what it gives too much is kept for later."""

    def __init__(self) -> None:
        try:
            import zstandard
        except ImportError:
            raise MissingError(
                "this Python cannot read .zst files", hint="pip install zstandard, or take the .xz"
            ) from None
        self._error = zstandard.ZstdError
        # 2^27: the longest distance that zstd itself takes without being told to (`--long`).
        self._inner = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        self._ready = b""
        self._input = b""

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof) and not self._ready

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._input

    @property
    def needs_input(self) -> bool:
        return not self._ready and not self._input

    def decompress(self, data: bytes, max_length: int = CHUNK) -> bytes:
        self._input += data
        # A small piece at a time: it may be as much as 2^15 times as long when it comes out.
        while not self._ready and self._input and not self._inner.eof:
            piece, self._input = self._input[:4096], self._input[4096:]
            try:
                self._ready = self._inner.decompress(piece)
            except self._error as error:
                raise ValueError(str(error)) from None
        out, self._ready = self._ready[:max_length], self._ready[max_length:]
        return out


def find_compression(start: bytes) -> Compression:
    """How a file with these first bytes is compressed; what is not known counts as not compressed."""
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), Compression.NONE)


def is_tarball(path: Path) -> bool:
    """Whether a file begins as a tar does, or as one that is compressed; raises `OSError`."""
    with path.open("rb") as stream:
        start = stream.read(512)
    # POSIX and GNU both write `ustar` there, in the header of the first member.
    return find_compression(start) is not Compression.NONE or start[257:262] == b"ustar"


def _new_decompressor(kind: Compression) -> _Decompressor:
    if kind is Compression.XZ:
        # Debian's and kernel.org's largest need 65 MiB; memory is not an archive's to choose.
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=512 << 20)
    if kind is Compression.BZIP2:
        return bz2.BZ2Decompressor()
    return _Zlib() if kind is Compression.GZIP else _Zstd()


def read_tar(stream: Readable, *, limit: int, name: str) -> Iterator[bytes]:
    """The tar in a compressed file, in pieces of at most `CHUNK` bytes; what is not compressed as it is.

    Raises `TruncatedError`, `TrailingError`, `CorruptError`, and `TooBigError` beyond `limit` bytes, each
    naming the file `name`.  As xz(1) does, several streams in a row and padding of zeros are one file.
    """
    data = stream.read(CHUNK)
    kind = find_compression(data)
    given = 0
    pieces = _read_plain(stream, data) if kind is Compression.NONE else _read(stream, data, kind, name)
    for piece in pieces:
        given += len(piece)
        if given > limit:
            raise TooBigError(
                f"{name} holds more than {limit >> 20} MiB; no kernel's sources do",
                hint="if it is what you want, unpack it by hand",
            )
        yield piece


def _read_plain(stream: Readable, data: bytes) -> Iterator[bytes]:
    while data:
        yield data
        data = stream.read(CHUNK)


def _read(stream: Readable, data: bytes, kind: Compression, name: str) -> Iterator[bytes]:
    while data:
        inner = _new_decompressor(kind)
        try:
            while not inner.eof:
                if inner.needs_input and not data:
                    data = stream.read(CHUNK)
                    if not data:
                        raise TruncatedError(
                            f"{name} breaks off: the {kind.value} data has no end",
                            hint="the download is not whole; fetch it again",
                        )
                piece, data = inner.decompress(data, CHUNK), b""
                if piece:
                    yield piece
        except (lzma.LZMAError, zlib.error, OSError, ValueError, EOFError) as error:
            raise CorruptError(
                f"{name} is damaged: {str(error)[:1].lower()}{str(error)[1:]}",
                hint="it is not what was packed; fetch it again",
            ) from None
        data = inner.unused_data
        while data is not None and not (data := data.lstrip(b"\0")):
            if not (data := stream.read(CHUNK)):
                return
        data += stream.read(CHUNK) if len(data) < 6 else b""
        if find_compression(data) is not kind:
            raise TrailingError(
                f"{name} goes on after its end: {kind.value} data, and then something else",
                hint="it is not what was packed; fetch it again",
            )
