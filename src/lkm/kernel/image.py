# SPDX-License-Identifier: MIT
"""The kernel image: which release and machine it is for, and the vmlinux packed inside a bzImage.

What its header says to a boot loader is read in setup_header.py and arm64_header.py.  These, and what only
unpacking needs, are imported where they are used: a known kernel is found without them.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.errors import BadInputError

if TYPE_CHECKING:
    from lkm.kernel.arm64_header import Arm64Header
    from lkm.kernel.setup_header import SetupHeader

# Largest vmlinux that is unpacked: allyesconfig without debug information stays below this.
MAX_UNPACKED = 1 << 30
# Largest bzImage that is read.
MAX_PACKED = 1 << 28

_HEADER_SIZE = 0x268  # the setup header up to and including init_size
_BANNER = re.compile(rb"Linux version (\d+\.\d+[^\s\x00-\x20\x7f-\xff]{0,80}) ")
_RELEASE = re.compile(r"\d+\.\d+[!-~]{0,80}")
_ELF_MACHINES = {3: "i686", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_XEN_NOTE_PHYS32_ENTRY = 18  # include/xen/interface/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY


def unpack_image(image: Path) -> bytes | None:
    """The vmlinux (ELF, bytes) that the bzImage `image` carries, without what is appended to it.

    An `image` that is a vmlinux already is returned as it is.  None where it cannot be unpacked here:
    another kind of image (arm64), packed with lzo, or with lz4 or zstd where no library for it is found;
    boot `image` itself then.  Raises `BadInputError` where the image is damaged or no kernel at all.
    """
    data = _read_image(image, MAX_PACKED)
    if _is_elf(data):
        return data
    if not _is_bzimage(data):
        return None
    from lkm.kernel.payload import damage, unpack

    payload, size = _find_payload(image, data)
    try:
        vmlinux = unpack(payload, size + 1)
    except damage() as error:
        raise BadInputError(
            f"{image}: damaged kernel image ({error})", hint="fetch or build it again"
        ) from error
    if vmlinux is None:
        return None
    if len(vmlinux) != size or not _is_elf(vmlinux):
        raise BadInputError(
            f"{image}: damaged kernel image (its payload unpacks to {len(vmlinux)} bytes, not {size})",
            hint="fetch or build it again",
        )
    # The build appends the relocation table to the ELF file (arch/x86/boot/compressed/Makefile).
    return vmlinux[: _elf_size(image, vmlinux)]


def read_release(image: Path) -> str:
    """The release of a kernel image as `uname -r` would give it, like `6.1.0-56-cloud-amd64`.

    From the setup header of a bzImage, else from the banner (`init/version-timestamp.c`) of a vmlinux or
    an unpacked arm64 Image.  Raises `BadInputError` where `image` is not a kernel image.
    """
    head = _read_head(image)
    if _is_bzimage(head):
        from lkm.kernel.setup_header import read_setup_header

        header = read_setup_header(image)
        if header is not None and _RELEASE.fullmatch(header.release):
            return header.release
        raise BadInputError(f"{image}: its header names no kernel release")
    if _is_elf(head) or _is_arm64(head):
        import mmap

        with image.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
            found = _BANNER.search(view)
            if found:
                return found[1].decode("ascii")
        raise BadInputError(f"{image}: holds no kernel (no 'Linux version' in it)")
    raise BadInputError(
        f"{image}: not a kernel image", hint="give a bzImage (arch/x86/boot/bzImage, vmlinuz) or vmlinux"
    )


def read_arch(image: Path) -> str:
    """The machine a kernel image is for, as `uname -m` names it (`x86_64`, `aarch64`, ...).

    Raises `BadInputError` where `image` is not a kernel image or for a machine unknown here.
    """
    head = _read_head(image)
    if _is_bzimage(head):
        # xloadflags bit 0, XLF_KERNEL_64 (protocol 2.12)
        return "x86_64" if struct.unpack_from("<H", head, 0x236)[0] & 1 else "i686"
    if _is_arm64(head):
        return "aarch64"
    if _is_elf(head):
        machine = struct.unpack_from("<H", head, 18)[0]
        if machine in _ELF_MACHINES:
            return _ELF_MACHINES[machine]
        raise BadInputError(f"{image}: for an unknown machine (ELF e_machine {machine})")
    raise BadInputError(f"{image}: not a kernel image")


def read_header(image: Path) -> SetupHeader | Arm64Header | None:
    """What the header of `image` says to a boot loader; None for an image without one (a vmlinux).

    Raises `BadInputError` where `image` cannot be read or its header is damaged.
    """
    from lkm.kernel.arm64_header import read_arm64_header
    from lkm.kernel.setup_header import read_setup_header

    return read_setup_header(image) or read_arm64_header(image)


def is_image(path: Path) -> bool:
    """Whether `path` is a file that begins like a kernel image (bzImage, vmlinux or arm64 Image)."""
    try:
        head = _read_head(path)
    except BadInputError:
        return False
    return _is_bzimage(head) or _is_elf(head) or _is_arm64(head)


def has_pvh_entry(vmlinux: bytes) -> bool:
    """Whether QEMU can start this 64-bit ELF vmlinux directly (`CONFIG_PVH`: the note PHYS32_ENTRY)."""
    if len(vmlinux) < 64 or vmlinux[4] != 2:
        return False
    offset, size, count = _table(vmlinux, 32, 54)
    for start in range(offset, offset + size * count, size or 1):
        if start + 56 > len(vmlinux):
            return False
        kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", vmlinux, start)
        if kind == 4 and _has_note(vmlinux[at : at + min(length, 1 << 16)]):  # PT_NOTE
            return True
    return False


def _has_note(notes: bytes) -> bool:
    at = 0
    while at + 12 <= len(notes):
        name_size, value_size, kind = struct.unpack_from("<III", notes, at)
        if kind == _XEN_NOTE_PHYS32_ENTRY and notes[at + 12 : at + 16] == b"Xen\0":
            return True
        at += 12 + (name_size + 3 & ~3) + (value_size + 3 & ~3)
    return False


def _read_head(image: Path) -> bytes:
    try:
        with image.open("rb") as stream:
            return stream.read(_HEADER_SIZE)
    except OSError as error:
        raise BadInputError(f"{image}: {error.strerror}") from error


def _read_image(image: Path, limit: int) -> bytes:
    try:
        with image.open("rb") as stream:
            head = stream.read(_HEADER_SIZE)
            if _is_elf(head):
                limit = MAX_UNPACKED
            data = head + stream.read(limit)
    except OSError as error:
        raise BadInputError(f"{image}: {error.strerror}") from error
    if len(data) > limit:
        raise BadInputError(f"{image}: too big for a kernel image (over {limit >> 20} MiB)")
    if not (_is_elf(data) or _is_bzimage(data) or _is_arm64(data)):
        raise BadInputError(f"{image}: not a kernel image", hint="give a bzImage (vmlinuz) or a vmlinux")
    return data


def _is_bzimage(data: bytes) -> bool:
    return len(data) >= _HEADER_SIZE and data[0x1FE:0x200] == b"\x55\xaa" and data[0x202:0x206] == b"HdrS"


def _is_elf(data: bytes) -> bool:
    return len(data) >= 64 and data.startswith(b"\x7fELF")


def _is_arm64(data: bytes) -> bool:
    return data[56:60] == b"ARM\x64"  # Documentation/arch/arm64/booting.rst


def _find_payload(image: Path, data: bytes) -> tuple[bytes, int]:
    """The packed bytes and the size they unpack to."""
    from lkm.kernel.setup_header import parse_setup_header

    header = parse_setup_header(data, source=str(image))
    if header.payload is None:
        raise BadInputError(f"{image}: boot protocol {header.protocol} is too old (2.08)")
    payload = header.payload
    if payload.unpacked > MAX_UNPACKED:
        raise BadInputError(f"{image}: unpacks to more than {MAX_UNPACKED >> 20} MiB")
    return data[payload.offset : payload.offset + payload.size], payload.unpacked


def _table(elf: bytes, offset_at: int, entry_at: int) -> tuple[int, int, int]:
    """Offset, entry size and count of a header table of a 64-bit little-endian ELF file."""
    (offset,) = struct.unpack_from("<Q", elf, offset_at)
    size, count = struct.unpack_from("<HH", elf, entry_at)
    return offset, size, count


def _elf_size(image: Path, elf: bytes) -> int:
    """Bytes up to the end of the last header table, segment or section."""
    if elf[4] != 2 or elf[5] != 1:
        return len(elf)  # 32-bit: nothing is trimmed, no loader minds
    end = 64
    for offset_at, entry_at, layout, least, nobits in (
        (32, 54, "<8xQ16xQ", 56, None),
        (40, 58, "<4xI16xQQ", 64, 8),
    ):
        offset, size, count = _table(elf, offset_at, entry_at)
        if count and (size < least or offset + size * count > len(elf)):
            raise BadInputError(f"{image}: the vmlinux in it has a damaged header table")
        end = max(end, offset + size * count) if count else end
        for start in range(offset, offset + size * count, size or 1):
            values = struct.unpack_from(layout, elf, start)
            if nobits is None or values[0] != nobits:
                end = max(end, values[-2] + values[-1])
    if end > len(elf):
        raise BadInputError(f"{image}: the vmlinux in it is cut short")
    return end
