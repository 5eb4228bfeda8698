# SPDX-License-Identifier: MIT
"""The kernel image: which release and machine it is for, and the vmlinux packed inside a bzImage.

Layout of a bzImage: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".  What only unpacking
needs is imported there: a known kernel is found without it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from lkm.errors import BadInputError

# Largest vmlinux that is unpacked: allyesconfig without debug information stays below this.
MAX_UNPACKED = 1 << 30
# Largest bzImage that is read.
MAX_PACKED = 1 << 28

_HEADER_SIZE = 0x268  # the setup header up to and including init_size
_BANNER = re.compile(rb"Linux version (\d+\.\d+[^\s\x00-\x20\x7f-\xff]{0,80}) ")
_RELEASE = re.compile(r"\d+\.\d+[!-~]{0,80}")
_ELF_MACHINES = {3: "i686", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_LZ4_MAGIC = 0x184C2102
_LZ4_BLOCK = 8 << 20
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
    payload, size = _find_payload(image, data)
    unpack = next((unpack for magic, unpack in _UNPACKERS.items() if payload.startswith(magic)), None)
    if unpack is None:
        return None
    try:
        vmlinux = unpack(payload, size + 1)
    except _errors() as error:
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
        offset = struct.unpack_from("<H", head, 0x20E)[0] + 0x200
        with image.open("rb") as stream:
            stream.seek(offset)
            words = stream.read(128).split(b"\0")[0].decode("ascii", "replace").split()
        if offset > 0x200 and words and _RELEASE.fullmatch(words[0]):
            return words[0]
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
    """The packed bytes and the size they unpack to (appended as a little-endian u32 by the build)."""
    (protocol,) = struct.unpack_from("<H", data, 0x206)
    if protocol < 0x208:
        raise BadInputError(f"{image}: boot protocol {protocol >> 8}.{protocol & 255:02} is too old (2.08)")
    sectors = data[0x1F1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (sectors + 1) * 512 + offset
    if length < 8 or start + length > len(data):
        raise BadInputError(
            f"{image}: cut short ({len(data)} bytes, its header speaks of {start + length})",
            hint="fetch or build it again",
        )
    payload = data[start : start + length]
    (size,) = struct.unpack_from("<I", payload, length - 4)
    if size > MAX_UNPACKED:
        raise BadInputError(f"{image}: unpacks to more than {MAX_UNPACKED >> 20} MiB")
    return payload, size


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


def _errors() -> tuple[type[Exception], ...]:
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


# By the first bytes of the payload; lzo (89 4c 5a 4f) has no reader here.
_UNPACKERS: dict[bytes, Callable[[bytes, int], bytes | None]] = {
    b"\x1f\x8b": _gunzip,
    b"\xfd7zXZ\x00": _unxz,
    b"\x5d\x00\x00": _unlzma,
    b"BZh": _bunzip2,
    b"\x02\x21\x4c\x18": _unlz4,
    b"\x28\xb5\x2f\xfd": _unzstd,
}
