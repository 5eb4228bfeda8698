# SPDX-License-Identifier: MIT
"""CRCs of the symbols that a module uses (CONFIG_MODVERSIONS)."""

from __future__ import annotations

import struct

from lkm.elf import Elf
from lkm.errors import BadInputError


def read_versions(elf: Elf) -> dict[str, int]:
    """CRC of each symbol a module uses, by name; empty without MODVERSIONS.

    Source: `struct modversion_info` (include/linux/module.h), and since 6.14 the extended form in
    `__version_ext_crcs` and `__version_ext_names` (kernel/module/version.c).  Raises `BadInputError`.
    """
    found: dict[str, int] = {}
    data = elf.read_named("__versions")
    if data is not None:
        long_size = elf.header.bits // 8
        form = struct.Struct(f"{elf.order}{'Q' if long_size == 8 else 'I'}{64 - long_size}s")
        if len(data) % form.size:
            raise BadInputError(f"{elf.source.name}: section __versions has {len(data)} bytes, no whole rows")
        for crc, name in form.iter_unpack(data):
            found[name.partition(b"\0")[0].decode("utf-8", "replace")] = crc & 0xFFFFFFFF
    crcs = elf.read_named("__version_ext_crcs")
    names = elf.read_named("__version_ext_names")
    if crcs is not None and names is not None:
        numbers = [number for (number,) in struct.iter_unpack(elf.order + "I", crcs[: len(crcs) & ~3])]
        for number, raw in zip(numbers, names.split(b"\0"), strict=False):
            found[raw.decode("utf-8", "replace")] = number
    return found
