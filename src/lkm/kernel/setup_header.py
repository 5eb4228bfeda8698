# SPDX-License-Identifier: MIT
"""What the setup header of an x86 kernel image says to the boot loader.

Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"; what the build writes there:
arch/x86/boot/header.S.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lkm.errors import BadInputError
from lkm.kernel.payload import Packing, find_packing

_SECTOR = 512
_LEAST = 0x206 + 2  # up to and including the protocol's version
_LONGEST_VERSION = 1024


class XLoadFlag(StrEnum):
    """A bit of xloadflags, in the order of the bits (include/uapi/asm/bootparam.h, XLF_*)."""

    KERNEL_64 = "64-bit entry"
    ABOVE_4G = "can be loaded above 4 GiB"
    EFI_HANDOVER_32 = "32-bit EFI handover"
    EFI_HANDOVER_64 = "64-bit EFI handover"
    EFI_KEXEC = "kexec keeps EFI runtime services"
    LEVEL_5 = "starts on 5-level paging"
    LEVEL_5_ENABLED = "uses 5-level paging"
    MEM_ENCRYPTION = "memory encryption"


# Documentation/admin-guide/svga.rst; other values are a mode's number.
VIDEO_MODES = {0xFFFF: "Normal VGA", 0xFFFE: "Extended VGA", 0xFFFD: "Prompt for Videomode"}


@dataclass(frozen=True, slots=True)
class Payload:
    """The packed kernel: where it is in the file, its sizes in bytes; `packing` None for an unknown way.

    `unpacked`: what the build wrote behind it, the size it unpacks to.
    """

    offset: int
    size: int
    packing: Packing | None
    unpacked: int


@dataclass(frozen=True, slots=True)
class SetupHeader:
    """The setup header; sizes, addresses and alignments in bytes; 0 where the protocol has no such field.

    `protocol`: like `2.15`.  `version`: the text for a person, like `6.5.7-lkp (me@here) #2 SMP ...`.
    `setup_size`: boot sector and setup sectors.  `kernel_size`: the protected-mode part behind them.
    `root_dev`: a device number, deprecated.  `video_mode`: see `VIDEO_MODES`.  `init_size`: memory in one
    piece that the kernel needs until it knows the memory map.  `efi_stub`: the image is an EFI program, too.

    `swap_dev`: what `file` shows under that name, which no kernel since 2.6 has.  The two bytes at 0x1f6
    held the swap device until protocol 2.04 (Linux 2.6.14) made them the upper half of `syssize`, the size
    of the protected-mode part in 16-byte paragraphs.  So `swap_dev 0XC` says: 12 to 13 MiB.
    """

    protocol: str
    version: str
    setup_sectors: int
    setup_size: int
    kernel_size: int
    file_size: int
    root_read_only: bool
    root_dev: int
    swap_dev: int
    ram_size: int
    video_mode: int
    loaded_high: bool
    relocatable: bool
    alignment: int
    min_alignment: int
    preferred_address: int
    init_size: int
    command_line_size: int
    initrd_max: int
    xloadflags: tuple[XLoadFlag, ...]
    handover_offset: int
    kernel_info_offset: int
    payload: Payload | None
    efi_stub: bool

    @property
    def release(self) -> str:
        """What `uname -r` will say: the first word of the version."""
        return self.version.split(" ", 1)[0]

    @property
    def arch(self) -> str:
        """`x86_64` or `i686`."""
        return "x86_64" if XLoadFlag.KERNEL_64 in self.xloadflags else "i686"

    @property
    def video(self) -> str:
        """The video mode in words."""
        return VIDEO_MODES.get(self.video_mode, f"Video mode {self.video_mode}")


def is_setup_header(head: bytes | mmap.mmap) -> bool:
    """Whether a file that begins with `head` (the first 0x206 bytes) has a setup header."""
    return head[0x1FE:0x200] == b"\x55\xaa" and head[0x202:0x206] == b"HdrS"


def read_setup_header(path: Path) -> SetupHeader | None:
    """The setup header of the x86 image at `path`; None for another kind of file.

    Raises `BadInputError` where it cannot be read, is cut short or contradicts itself.
    """
    try:
        with path.open("rb") as stream:
            if not is_setup_header(stream.read(0x206)):
                return None
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return parse_setup_header(view, source=str(path))
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror}") from error


def parse_setup_header(image: bytes | mmap.mmap, *, source: str = "the image") -> SetupHeader:
    """The setup header of `image`, a whole bzImage or zImage; `source` names it in errors.

    Raises `BadInputError` where there is none, or it is cut short or contradicts itself.
    """
    if len(image) < _LEAST or not is_setup_header(image):
        raise BadInputError(f"{source}: not a kernel image (no setup header)")
    fields = _Fields(image, source)
    sectors = fields.get("<B", 0x1F1) or 4
    setup_size = (sectors + 1) * _SECTOR
    kernel_size = fields.get("<I", 0x1F4, since=0x204) * 16
    if setup_size + kernel_size > len(image):
        raise _cut_short(source, len(image), setup_size + kernel_size)
    flags = fields.get("<H", 0x236, since=0x20C)
    least = fields.get("<B", 0x235, since=0x20A)
    return SetupHeader(
        protocol=f"{fields.protocol >> 8}.{fields.protocol & 255:02}",
        version=_read_version(image, fields.get("<H", 0x20E), setup_size, source),
        setup_sectors=sectors,
        setup_size=setup_size,
        kernel_size=kernel_size,
        file_size=len(image),
        root_read_only=fields.get("<H", 0x1F2) != 0,
        root_dev=fields.get("<H", 0x1FC),
        swap_dev=fields.get("<H", 0x1F6),
        ram_size=fields.get("<H", 0x1F8),
        video_mode=fields.get("<H", 0x1FA),
        loaded_high=fields.get("<B", 0x211) & 1 != 0,
        relocatable=fields.get("<B", 0x234, since=0x205) != 0,
        alignment=fields.get("<I", 0x230, since=0x205),
        min_alignment=1 << least if 0 < least < 64 else 0,
        preferred_address=fields.get("<Q", 0x258, since=0x20A),
        init_size=fields.get("<I", 0x260, since=0x20A),
        command_line_size=fields.get("<I", 0x238, since=0x206, before=255),
        initrd_max=fields.get("<I", 0x22C, since=0x203, before=0x37FFFFFF),
        xloadflags=tuple(flag for bit, flag in enumerate(XLoadFlag) if flags >> bit & 1),
        handover_offset=fields.get("<I", 0x264, since=0x20B),
        kernel_info_offset=fields.get("<I", 0x268, since=0x20F),
        payload=_read_payload(image, fields, setup_size, source),
        efi_stub=image[:2] == b"MZ",
    )


class _Fields:
    """The header's fields, each there since its protocol."""

    def __init__(self, image: bytes | mmap.mmap, source: str) -> None:
        self._image, self._source = image, source
        self.protocol: int = struct.unpack_from("<H", image, 0x206)[0]

    def get(self, layout: str, offset: int, *, since: int = 0, before: int = 0) -> int:
        """The field at `offset`; what it was `before` the protocol `since` had it."""
        if self.protocol < since:
            return before
        end = offset + struct.calcsize(layout)
        if end > len(self._image):
            raise _cut_short(self._source, len(self._image), end)
        value: int = struct.unpack_from(layout, self._image, offset)[0]
        return value


def _read_version(image: bytes | mmap.mmap, pointer: int, setup_size: int, source: str) -> str:
    """The text at `pointer` behind the boot sector; "" where the header points to none."""
    if not pointer:
        return ""
    start = pointer + 0x200
    if start >= setup_size:
        raise BadInputError(
            f"{source}: damaged setup header (its version text is at {start:#x}, the setup ends at "
            f"{setup_size:#x})",
            hint="fetch or build it again",
        )
    text = image[start : min(setup_size, start + _LONGEST_VERSION)].split(b"\0")[0]
    return text.decode("utf-8", "replace").strip()


def _read_payload(image: bytes | mmap.mmap, fields: _Fields, setup_size: int, source: str) -> Payload | None:
    offset = fields.get("<I", 0x248, since=0x208)
    size = fields.get("<I", 0x24C, since=0x208)
    if not offset:
        return None
    start = setup_size + offset
    if start + size > len(image):
        raise _cut_short(source, len(image), start + size)
    if size < 4:  # the build's word for the unpacked size is the last of it
        raise BadInputError(
            f"{source}: damaged setup header (a payload of {size} bytes)", hint="fetch or build it again"
        )
    (unpacked,) = struct.unpack_from("<I", image, start + size - 4)
    packing = find_packing(image[start : start + 6])
    return Payload(start, size, packing, size if packing is Packing.NONE else unpacked)


def _cut_short(source: str, size: int, wanted: int) -> BadInputError:
    return BadInputError(
        f"{source}: cut short ({size} bytes, its header speaks of {wanted})", hint="fetch or build it again"
    )
