# SPDX-License-Identifier: MIT
"""What the header of a kernel image says, for a person: rows of a label and a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lkm.show.info import printable
from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.kernel.arm64_header import Arm64Header
    from lkm.kernel.setup_header import SetupHeader

Row = tuple[str, str]


def image_rows(header: SetupHeader | Arm64Header) -> list[Row]:
    """Label and text of all that the header says; the label is "" where a row goes on."""
    from lkm.kernel.setup_header import SetupHeader

    return _x86_rows(header) if isinstance(header, SetupHeader) else _arm64_rows(header)


def image_json(header: SetupHeader | Arm64Header) -> dict[str, Any]:
    """The fields of the header as they are, after `kind` and what the program `file` says."""
    from dataclasses import asdict

    from lkm.kernel.setup_header import SetupHeader

    kind = "x86" if isinstance(header, SetupHeader) else "arm64"
    return {"kind": kind, "file": file_words(header), **asdict(header)}


def file_words(header: SetupHeader | Arm64Header) -> str:
    """What `file` (libmagic, magic/Magdir/linux) says of the image, `swap_dev` that is none and all."""
    from lkm.kernel.setup_header import VIDEO_MODES, SetupHeader

    if not isinstance(header, SetupHeader):
        order = "big" if header.big_endian else "little"
        pages = f", {header.page_size >> 10}K pages" if header.page_size else ""
        return f"Linux kernel ARM64 boot executable Image, {order}-endian{pages}"
    parts = [f"Linux kernel x86 boot executable {'bzImage' if header.loaded_high else 'zImage'}"]
    if header.version:
        parts.append(f"version {printable(header.version)}")
    parts.append("RO-rootFS" if header.root_read_only else "RW-rootFS")
    # libmagic takes these for signed numbers and says nothing of others than positive ones
    if 0 < header.root_dev < 0x8000:
        parts.append(f"root_dev {header.root_dev:#X}")
    if 0 < header.swap_dev < 0x8000:
        parts.append(f"swap_dev {header.swap_dev:#X}")
    if 0 < header.ram_size < 0x8000:
        parts.append(f"RAMdisksize {header.ram_size} KB")
    if header.video_mode in VIDEO_MODES or 0 < header.video_mode < 0x8000:
        parts.append(header.video)
    return ", ".join(parts)


def _x86_rows(header: SetupHeader) -> list[Row]:
    rows = [
        ("version", printable(header.version) or "not said"),
        ("boot protocol", f"{header.protocol}, {'bzImage' if header.loaded_high else 'zImage'}"),
        ("sizes", f"{format_size(header.file_size)}: {_parts(header)}"),
    ]
    if header.payload is not None:
        packing = header.payload.packing.value if header.payload.packing is not None else "an unknown way"
        rows.append(
            (
                "payload",
                f"{format_size(header.payload.size)} at {header.payload.offset:#x}, {packing}, "
                f"unpacks to {format_size(header.payload.unpacked)}",
            )
        )
    rows.append(("memory to start", f"{format_size(header.init_size)} in one piece"))
    rows.append(("loaded", _place(header)))
    root = "read-only" if header.root_read_only else "read-write"
    device = f"device {header.root_dev:#x}" if header.root_dev else "no device"
    rows += [
        ("root", f"{root}, {device} (the command line decides)"),
        ("video mode", header.video),
        ("command line", f"up to {header.command_line_size} characters"),
        ("initrd", f"below {header.initrd_max + 1:#x}"),
        ("can", ", ".join(flag.value for flag in header.xloadflags) or "nothing beyond the protocol"),
        ("EFI", _efi(header)),
        ("file says", file_words(header)),
    ]
    if header.swap_dev:
        rows.append(
            (
                "",
                f"its swap_dev {header.swap_dev:#X} is the upper half of the kernel's size: "
                f"{header.swap_dev} MiB and a part",
            )
        )
    return rows


def _parts(header: SetupHeader) -> str:
    kernel = f"{format_size(header.kernel_size)}" if header.kernel_size else "not said"
    return (
        f"setup {header.setup_size} bytes ({header.setup_sectors} sectors and a boot sector), kernel {kernel}"
    )


def _place(header: SetupHeader) -> str:
    prefers = f"prefers {header.preferred_address:#x}, " if header.preferred_address else ""
    moves = "anywhere at" if header.relocatable else "not relocatable, at"
    least = f", at least {format_size(header.min_alignment)}" if header.min_alignment else ""
    return f"{prefers}{moves} {format_size(header.alignment)} boundaries{least}"


def _efi(header: SetupHeader) -> str:
    if not header.efi_stub:
        return "no: EFI firmware needs a boot loader to start it"
    handover = f", handover at {header.handover_offset:#x}" if header.handover_offset else ""
    return f"is an EFI program (EFI stub){handover}"


def _arm64_rows(header: Arm64Header) -> list[Row]:
    kind = "Image"
    if header.zboot:
        kind = f"EFI program that unpacks an Image ({header.packing.value})"
    elif header.packing.value != "none":
        kind = f"Image packed with {header.packing.value}: the boot loader unpacks it"
    pages = f"{header.page_size >> 10} KiB" if header.page_size else "not said"
    where = "any 2 MiB boundary" if header.anywhere else "the 2 MiB boundary nearest to the start of memory"
    return [
        ("kind", f"arm64, {kind}"),
        ("sizes", f"{format_size(header.file_size)}, takes {format_size(header.image_size)} of memory"),
        ("loaded", f"{header.text_offset:#x} above {where}"),
        ("pages", pages),
        ("byte order", "big-endian" if header.big_endian else "little-endian"),
        ("EFI", "is an EFI program (EFI stub)" if header.efi_stub else "no EFI stub"),
    ]
