# SPDX-License-Identifier: MIT
"""What the header of an arm64 kernel image says to the boot loader, packed or not.

Documentation/arch/arm64/booting.rst, "Call the kernel image"; the packed EFI program (`vmlinuz.efi`):
drivers/firmware/efi/libstub/zboot-header.S.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError
from lkm.kernel.payload import Packing, damage, find_packing, unpack

_SIZE = 64
_PIECE = 1 << 20  # of an Image.gz: holds its header by far
_PAGES = (0, 4096, 16384, 65536)
_MAGIC = b"ARM\x64"


@dataclass(frozen=True, slots=True)
class Arm64Header:
    """The header of an Image; sizes in bytes.

    `packing`: how the file packs the Image: Image.gz, or a packed EFI program (`zboot`).
    `image_size`: memory that it takes with its zeroed data; 0 before Linux 3.17.  `page_size` 0: not said.
    `anywhere`: loaded at any 2 MiB boundary, else as near to the start of memory as there is room.
    `efi_stub`: an EFI program, too.
    """

    packing: Packing
    zboot: bool
    text_offset: int
    image_size: int
    big_endian: bool
    page_size: int
    anywhere: bool
    efi_stub: bool
    file_size: int


def is_arm64_header(head: bytes) -> bool:
    """Whether `head` (the first 64 bytes) is the header of an unpacked arm64 Image."""
    return head[56:60] == _MAGIC


def read_arm64_header(path: Path) -> Arm64Header | None:
    """The header of the arm64 image at `path`; None for another kind of file.

    Raises `BadInputError` where it cannot be read or is damaged.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_SIZE)
            if not (is_arm64_header(head) or _is_zboot(head) or find_packing(head) is Packing.GZIP):
                return None
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return parse_arm64_header(view, source=str(path))
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror}") from error


def parse_arm64_header(image: bytes | mmap.mmap, *, source: str = "the image") -> Arm64Header | None:
    """The header of `image`: an Image, an Image.gz or a packed EFI program; None where it is none of these.

    None, too, for a packed one that cannot be unpacked here.  Raises `BadInputError` for a damaged one.
    """
    zboot = _is_zboot(image)
    head = image[:_SIZE]
    if is_arm64_header(head) and not zboot:
        packing = Packing.NONE
    else:
        packed = _zboot_payload(image, source) if zboot else image[:_PIECE]
        packing = find_packing(packed) or Packing.NONE
        if packing is Packing.NONE or not (zboot or packing is Packing.GZIP):
            return None
        try:
            unpacked = unpack(packed, _SIZE)
        except damage() as error:
            raise BadInputError(
                f"{source}: damaged kernel image ({error})", hint="fetch or build it again"
            ) from error
        if unpacked is None or not is_arm64_header(unpacked):
            return None  # another machine's packed program, or any other file packed with gzip
        head = unpacked
    if len(head) < _SIZE:
        raise BadInputError(f"{source}: cut short ({len(head)} bytes)", hint="fetch or build it again")
    text_offset, size, flags = struct.unpack_from("<QQQ", head, 8)
    return Arm64Header(
        packing=packing,
        zboot=zboot,
        text_offset=text_offset if size else 0x80000,  # as booting.rst says of those before 3.17
        image_size=size,
        big_endian=flags & 1 != 0,
        page_size=_PAGES[flags >> 1 & 3],
        anywhere=flags >> 3 & 1 != 0,
        efi_stub=zboot or head[:2] == b"MZ",
        file_size=len(image),
    )


def _is_zboot(head: bytes | mmap.mmap) -> bool:
    return head[:2] == b"MZ" and head[4:8] == b"zimg"


def _zboot_payload(image: bytes | mmap.mmap, source: str) -> bytes:
    if len(image) < _SIZE:
        raise BadInputError(f"{source}: cut short ({len(image)} bytes)", hint="fetch or build it again")
    offset, size = struct.unpack_from("<II", image, 8)
    if offset + size > len(image):
        raise BadInputError(
            f"{source}: cut short ({len(image)} bytes, its header speaks of {offset + size})",
            hint="fetch or build it again",
        )
    return image[offset : offset + size]
