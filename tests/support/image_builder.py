# SPDX-License-Identifier: MIT
"""Kernel images that are nothing but a header."""

from __future__ import annotations

import struct


def fake_image(release: str, *, size: int = 2 << 20) -> bytes:
    """A bzImage header (protocol 2.15) that names `release`; it is as big as Debian's smallest would be."""
    setup = bytearray(size)
    setup[0x1F1] = 4
    setup[0x1FE:0x200] = b"\x55\xaa"
    setup[0x202:0x206] = b"HdrS"
    setup[0x400 : 0x400 + len(release) + 1] = release.encode() + b" "
    struct.pack_into("<H", setup, 0x206, 0x20F)
    struct.pack_into("<H", setup, 0x20E, 0x200)
    struct.pack_into("<H", setup, 0x236, 1)
    return bytes(setup)
