# SPDX-License-Identifier: MIT
"""Images are made here: a small ELF file, packed as the kernel's build packs it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from lkm.errors import BadInputError
from lkm.kernel.image import has_pvh_entry, is_image, read_arch, read_release, unpack_image

RELEASE = "6.1.0-56-cloud-amd64"


def elf(*, pvh: bool = True, machine: int = 62) -> bytes:
    """A vmlinux: ELF header, one PT_NOTE segment, one section, text with the banner."""
    note = struct.pack("<III4sI", 4, 4, 18 if pvh else 6, b"Xen\0", 0x1000000)
    text = b"Linux version %s (nobody@nowhere) #1\n\0" % RELEASE.encode() + bytes(range(256)) * 64
    at_note, at_text = 64 + 56, 64 + 56 + len(note)
    at_sections = at_text + len(text)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        *(2, machine, 1, 0x1000000, 64, at_sections, 0, 64, 56, 1, 64, 1, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 4, 4, at_note, 0, 0, len(note), len(note), 4)
    section = struct.pack("<IIQQQQIIQQ", 0, 1, 0, 0, at_text, len(text), 0, 0, 1, 0)
    return header + segment + note + text + section


def bzimage(packed: bytes, size: int, *, protocol: int = 0x20F, flags: int = 1) -> bytes:
    """A bzImage of protocol 2.15 with `packed` as its payload, 16 bytes into the protected-mode part."""
    setup = bytearray(5 * 512)
    setup[0x1F1] = 4
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    version = f"{RELEASE} (builder@host) #1 SMP".encode() + b"\0"
    setup[0x400 : 0x400 + len(version)] = version
    struct.pack_into("<H", setup, 0x206, protocol)
    struct.pack_into("<H", setup, 0x20E, 0x200)
    struct.pack_into("<H", setup, 0x236, flags)
    payload = packed + struct.pack("<I", size)
    struct.pack_into("<II", setup, 0x248, 16, len(payload))
    return bytes(setup) + bytes(16) + payload + b"after the payload"


def lz4(data: bytes) -> bytes:
    return subprocess.run(["lz4", "-l", "-c", "-"], input=data, capture_output=True, check=True).stdout


def xz(data: bytes) -> bytes:
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 6}]
    return lzma.compress(data, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=filters)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": xz,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(data),
}


@pytest.fixture
def image(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        path = tmp_path / "image"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("packer", PACKERS)
def test_unpacks_and_trims_the_relocations(packer: str, image: Callable[[bytes], Path]) -> None:
    whole = elf() + b"\0\0\0\0relocations"
    assert unpack_image(image(bzimage(PACKERS[packer](whole), len(whole)))) == elf()


def test_unpacks_lz4_of_several_blocks(image: Callable[[bytes], Path]) -> None:
    whole = elf() + bytes(9 << 20)
    try:
        packed = lz4(whole)
    except FileNotFoundError:
        pytest.skip("no lz4 on this machine")
    assert unpack_image(image(bzimage(packed, len(whole)))) == elf()


def test_lzo_is_left_to_the_kernel_itself(image: Callable[[bytes], Path]) -> None:
    assert unpack_image(image(bzimage(b"\x89LZO" + bytes(100), 100))) is None


def test_vmlinux_is_returned_as_it_is(image: Callable[[bytes], Path]) -> None:
    path = image(elf() + b"tail")
    assert unpack_image(path) == elf() + b"tail"
    assert (read_release(path), read_arch(path)) == (RELEASE, "x86_64")


def test_release_and_arch_of_a_bzimage(image: Callable[[bytes], Path]) -> None:
    path = image(bzimage(b"", 0))
    assert (read_release(path), read_arch(path)) == (RELEASE, "x86_64")
    assert read_arch(image(bzimage(b"", 0, flags=0))) == "i686"
    assert is_image(path)


def test_arm64_image(image: Callable[[bytes], Path]) -> None:
    path = image(bytes(56) + b"ARM\x64" + bytes(600) + b"Linux version 6.12.1-arm64 (x)\n")
    assert (read_release(path), read_arch(path)) == ("6.12.1-arm64", "aarch64")
    assert unpack_image(path) is None


def test_pvh_entry() -> None:
    assert has_pvh_entry(elf())
    assert not has_pvh_entry(elf(pvh=False))
    assert not has_pvh_entry(b"\x7fELF")
    assert not has_pvh_entry(elf()[:100])


GOOD = bzimage(gzip.compress(elf()), len(elf()))


def flip(at: int) -> bytes:
    data = bytearray(GOOD)
    data[at] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(GOOD[:-60], "cut short", id="cut"),
        pytest.param(flip(5 * 512 + 16 + 60), "damaged", id="flipped-byte"),
        pytest.param(bzimage(gzip.compress(elf()), len(elf()) - 1), "damaged", id="longer-than-said"),
        pytest.param(bzimage(gzip.compress(elf()), len(elf()) + 9), "damaged", id="shorter-than-said"),
        pytest.param(bzimage(gzip.compress(bytes(99)), 99), "damaged", id="no-elf-inside"),
        pytest.param(bzimage(gzip.compress(elf()[:-1]), len(elf()) - 1), "damaged", id="elf-cut-short"),
        pytest.param(bzimage(b"\x1f\x8b" + bytes(50), 1 << 31), "more than 1024 MiB", id="bomb"),
        pytest.param(bzimage(b"BZh" + bytes(50), 100), "damaged", id="bad-bzip2"),
        pytest.param(bzimage(b"\xfd7zXZ\x00" + bytes(50), 100), "damaged", id="bad-xz"),
        pytest.param(bzimage(b"\x28\xb5\x2f\xfd" + bytes(50), 100), "damaged", id="bad-zstd"),
        pytest.param(bzimage(b"\x02\x21\x4c\x18\xff\xff\xff\x7f", 100), "damaged", id="bad-lz4"),
        pytest.param(bzimage(b"", 0, protocol=0x207), "too old", id="old-protocol"),
        pytest.param(b"#!/bin/sh\n" * 100, "not a kernel image", id="script"),
        pytest.param(b"", "not a kernel image", id="empty"),
    ],
)
def test_hostile_images(data: bytes, message: str, image: Callable[[bytes], Path]) -> None:
    with pytest.raises(BadInputError, match=message):
        unpack_image(image(data))


@pytest.mark.parametrize("data", [b"", b"text" * 300, elf().replace(b"Linux version", b"Linux versicle")])
def test_no_release(data: bytes, image: Callable[[bytes], Path]) -> None:
    with pytest.raises(BadInputError):
        read_release(image(data))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        unpack_image(tmp_path / "absent")
    assert not is_image(tmp_path / "absent")


def test_every_cut_is_an_error_or_nothing_worse(image: Callable[[bytes], Path]) -> None:
    for size in range(0, len(GOOD) - len(b"after the payload"), 97):
        with pytest.raises(BadInputError):
            unpack_image(image(GOOD[:size]))
