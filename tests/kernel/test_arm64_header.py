# SPDX-License-Identifier: MIT
"""The arm64 header, made here field by field and packed in each way; `file` says the same."""

from __future__ import annotations

import gzip
import lzma
import random
import struct
import subprocess
from pathlib import Path

import pytest
import zstandard

from lkm.errors import BadInputError
from lkm.kernel.arm64_header import parse_arm64_header, read_arm64_header
from lkm.kernel.image import read_header
from lkm.kernel.payload import Packing
from lkm.show.image import file_words, image_json, image_rows


def image(*, flags: int = 0b1010, size: int = 4 << 20, code: bytes = b"MZ\0\x91") -> bytes:
    return struct.pack("<4s4xQQQ24x4sI", code, 0, size, flags, b"ARM\x64", 64) + bytes(4000)


def zboot(packed: bytes, name: bytes) -> bytes:
    head = struct.pack("<4s4sII8x24s4xI", b"MZ\0\0", b"zimg", 64, len(packed), name, 64)
    return head.ljust(64, b"\0") + packed + b"the program that unpacks it"


@pytest.mark.parametrize(
    ("flags", "order", "page", "anywhere"),
    [(0b1010, False, 4096, True), (0b0100, False, 16384, False), (0b1111, True, 65536, True)],
)
def test_fields(flags: int, order: bool, page: int, anywhere: bool, tmp_path: Path) -> None:
    path = tmp_path / "Image"
    path.write_bytes(image(flags=flags))
    header = read_arm64_header(path)
    assert header is not None and header == read_header(path)
    assert (header.big_endian, header.page_size, header.anywhere) == (order, page, anywhere)
    assert (header.image_size, header.text_offset, header.efi_stub) == (4 << 20, 0, True)
    said = subprocess.run(["file", "-b", path], capture_output=True, text=True, check=True).stdout.strip()
    if page != 65536:  # libmagic 5.44 tests single bits of a number and calls 64K three names at once
        assert file_words(header) == said


def test_before_3_17_nothing_is_said() -> None:
    header = parse_arm64_header(image(size=0, flags=0, code=b"\0\0\0\x14"))
    assert header is not None
    assert (header.text_offset, header.page_size, header.efi_stub) == (0x80000, 0, False)


def test_packed() -> None:
    header = parse_arm64_header(gzip.compress(image()))
    assert header is not None
    assert (header.packing, header.zboot, header.image_size) == (Packing.GZIP, False, 4 << 20)
    ways = {
        Packing.GZIP: gzip.compress,
        Packing.XZ: lzma.compress,
        Packing.ZSTD: zstandard.ZstdCompressor().compress,
    }
    for packing, pack in ways.items():
        header = parse_arm64_header(zboot(pack(image()), packing.encode()))
        assert header is not None
        assert (header.packing, header.zboot, header.image_size) == (packing, True, 4 << 20)
        assert "EFI program that unpacks" in dict(image_rows(header))["kind"]
        assert image_json(header)["kind"] == "arm64"


def test_what_is_none(tmp_path: Path) -> None:
    for data in (b"", b"text", b"MZ" + bytes(100), gzip.compress(b"text" * 99), zboot(b"\x89LZO", b"lzo")):
        path = tmp_path / "file"
        path.write_bytes(data)
        assert read_arm64_header(path) is None


def test_damaged_ones() -> None:
    packed = gzip.compress(image())
    with pytest.raises(BadInputError, match="cut short"):
        parse_arm64_header(zboot(packed, b"gzip")[:80])
    with pytest.raises(BadInputError, match="damaged"):
        parse_arm64_header(zboot(packed[:12] + b"\xff\xff\xff" + packed[15:], b"gzip"))
    with pytest.raises(BadInputError, match="cut short"):
        parse_arm64_header(image()[:60])
    chance = random.Random(5)
    good = zboot(packed, b"gzip")
    for _ in range(500):
        data = bytearray(good)
        for _ in range(3):
            data[chance.randrange(100)] = chance.randrange(256)
        try:
            parse_arm64_header(bytes(data[: chance.randrange(len(data))]))
        except BadInputError as error:
            assert error.hint
