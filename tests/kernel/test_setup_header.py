# SPDX-License-Identifier: MIT
"""The setup header: of a real kernel against `file` and the image itself, of made ones field by field."""

from __future__ import annotations

import random
import re
import struct
import subprocess
from pathlib import Path

import pytest
from image_builder import fake_image

from lkm.errors import BadInputError
from lkm.kernel import Kernel
from lkm.kernel.image import read_header, unpack_image
from lkm.kernel.payload import Packing
from lkm.kernel.setup_header import SetupHeader, XLoadFlag, parse_setup_header, read_setup_header
from lkm.show.image import file_words, image_json, image_rows

GOOD = fake_image("6.5.7-lkp", size=8192)


def change(offset: int, layout: str, *values: int, data: bytes = GOOD) -> bytes:
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, *values)
    return bytes(changed)


def check_with_file(header: SetupHeader, path: Path) -> None:
    """Holds our words against libmagic's, commas as ours: it leaves one at the end, and blanks before some.

    Since 5.46 there is another after `executable`, swap_dev, which is none, is gone, and all of the setup
    header follows, from its size on.
    """
    said = subprocess.run(["file", "-b", path], capture_output=True, text=True, check=True).stdout.strip()
    theirs, newer, _ = said.partition(", setup size ")
    ours = file_words(header)
    if newer:
        theirs = theirs.replace("executable, ", "executable ")
        ours = re.sub(", swap_dev 0X[0-9A-F]+", "", ours)
    assert ours == theirs.removesuffix(",").replace(" ,", ",")


def test_a_real_image_is_what_file_says(kernel: Kernel) -> None:
    assert kernel.image is not None
    header = read_setup_header(kernel.image)
    assert header is not None
    assert (header.release, header.arch) == (kernel.release, kernel.arch)
    check_with_file(header, kernel.image)
    # swap_dev is no device: it is the upper half of a size in paragraphs of 16 bytes
    assert header.swap_dev == header.kernel_size >> 20


def test_a_real_images_sizes_are_true(kernel: Kernel) -> None:
    assert kernel.image is not None
    header = read_setup_header(kernel.image)
    assert header is not None and header.payload is not None
    payload = header.payload
    assert header.setup_size < payload.offset
    assert payload.offset + payload.size <= header.setup_size + header.kernel_size <= header.file_size
    assert header.file_size == kernel.image.stat().st_size
    # the relocation table behind the ELF file is packed with it and trimmed by unpack_image()
    vmlinux = unpack_image(kernel.image)
    assert vmlinux is not None and len(vmlinux) <= payload.unpacked < header.init_size
    assert {XLoadFlag.KERNEL_64, XLoadFlag.ABOVE_4G} <= set(header.xloadflags)
    assert header.relocatable and header.alignment == 2 << 20 and header.efi_stub


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        pytest.param(0x1F2, "<H", 1, id="root-read-only"),
        pytest.param(0x1FC, "<H", 0x803, id="root-device"),
        pytest.param(0x1FA, "<H", 0xFFFF, id="normal-vga"),
        pytest.param(0x1FA, "<H", 0xFFFE, id="extended-vga"),
        pytest.param(0x1FA, "<H", 0xFFFD, id="ask"),
        pytest.param(0x1FA, "<H", 791, id="mode"),
        pytest.param(0x1FA, "<H", 0x8001, id="negative-mode"),
        pytest.param(0x1F4, "<I", 0x123, id="small-kernel"),
        pytest.param(0x211, "<B", 1, id="bzimage"),
        pytest.param(0x1F8, "<H", 9, id="ram-size"),
    ],
)
def test_every_field_that_file_knows(offset: int, layout: str, value: int, tmp_path: Path) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(change(offset, layout, value))
    header = read_setup_header(path)
    assert header is not None
    check_with_file(header, path)


def test_fields() -> None:
    data = change(0x230, "<IBBHI", 1 << 24, 1, 21, 0b1101, 2047)
    data = change(0x258, "<QII", 1 << 24, 5 << 20, 0x190, data=data)
    data = change(0x248, "<II", 64, 1000, data=data)
    data = change(5 * 512 + 64, "<I", 0x184C2102, data=data)
    data = change(5 * 512 + 64 + 996, "<I", 123456, data=data)
    data = change(0x1F4, "<I", 300, data=data)
    header = parse_setup_header(data)
    assert (header.protocol, header.version, header.setup_sectors) == ("2.15", "6.5.7-lkp", 4)
    assert (header.setup_size, header.kernel_size, header.swap_dev) == (2560, 4800, 0)
    assert (header.alignment, header.min_alignment, header.relocatable) == (1 << 24, 1 << 21, True)
    assert header.xloadflags == (
        XLoadFlag.KERNEL_64,
        XLoadFlag.EFI_HANDOVER_32,
        XLoadFlag.EFI_HANDOVER_64,
    )
    assert (header.command_line_size, header.preferred_address) == (2047, 1 << 24)
    assert (header.init_size, header.handover_offset) == (5 << 20, 0x190)
    assert header.payload is not None
    assert (header.payload.packing, header.payload.offset) == (Packing.LZ4, 2560 + 64)
    assert (header.payload.size, header.payload.unpacked) == (1000, 123456)


def test_an_old_protocol_has_the_values_of_its_time() -> None:
    header = parse_setup_header(change(0x206, "<H", 0x202, data=change(0x1F4, "<I", 0xFFFFFFFF)))
    assert (header.protocol, header.kernel_size, header.command_line_size) == ("2.02", 0, 255)
    assert (header.initrd_max, header.init_size, header.payload) == (0x37FFFFFF, 0, None)
    assert header.arch == "i686" and header.swap_dev == 0xFFFF
    assert parse_setup_header(change(0x1F1, "<B", 0)).setup_sectors == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(GOOD[:0x250], "cut short", id="header-cut"),
        pytest.param(change(0x1F4, "<I", 1000), "8192 bytes, its header speaks of 18560", id="kernel-cut"),
        pytest.param(change(0x248, "<II", 64, 6000), "cut short", id="payload-cut"),
        pytest.param(change(0x248, "<II", 64, 3), "a payload of 3 bytes", id="no-payload"),
        pytest.param(change(0x20E, "<H", 0x9000), "its version text is at 0x9200", id="version-outside"),
        pytest.param(GOOD[:0x203], "no setup header", id="boot-sector"),
        pytest.param(b"", "no setup header", id="empty"),
    ],
)
def test_damaged_headers(data: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        parse_setup_header(data, source="vmlinuz")


def test_other_files_have_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"", b"text\n", b"\x7fELF" + bytes(1000), b"\x1f\x8b" + bytes(30), bytes(0x1000)):
        path.write_bytes(data)
        assert read_setup_header(path) is None
    with pytest.raises(BadInputError, match="No such file"):
        read_setup_header(tmp_path / "absent")


def test_whatever_the_header_holds_it_is_told_or_refused(tmp_path: Path) -> None:
    chance = random.Random(11)
    told = 0
    for _ in range(3000):
        data = bytearray(GOOD)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(0x1F1, 0x26C)] = chance.randrange(256)
        try:
            header = parse_setup_header(bytes(data[: chance.choice((8192, chance.randrange(8192)))]))
        except BadInputError as error:
            assert str(error).startswith("the image: ")
            continue
        told += 1
        assert image_json(header)["kind"] == "x86" and all(text for _, text in image_rows(header))
    assert told > 300


def test_control_characters_of_a_hostile_version_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(GOOD.replace(b"6.5.7-lkp", b"6\x1b[31m.5\x00"))
    header = read_header(path)
    assert header is not None
    assert not any("\x1b" in text for _, text in image_rows(header))
