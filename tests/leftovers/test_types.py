# SPDX-License-Identifier: MIT
"""Type information, made by hand."""

from __future__ import annotations

import struct

from lkm.leftovers.types import find_members

STRUCT, UNION, POINTER, ARRAY, INTEGER = 4, 5, 2, 3, 1


class Types:
    """BTF in the making: each `add` is the next number."""

    def __init__(self) -> None:
        self.types = b""
        self.strings = b"\0"

    def name(self, text: str) -> int:
        if not text:
            return 0
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text) - 1

    def add(self, kind: int, name: str, size: int, *rows: tuple[int, ...], flag: int = 0) -> None:
        count = len(rows) if kind in (STRUCT, UNION) else 0
        self.types += struct.pack("<III", self.name(name), flag << 31 | kind << 24 | count, size)
        for row in rows:
            self.types += struct.pack(f"<{len(row)}I", *row)

    def data(self) -> bytes:
        sizes = (0, len(self.types), len(self.types), len(self.strings))
        return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, *sizes) + self.types + self.strings


def made() -> Types:
    types = Types()
    types.add(INTEGER, "long", 8, (0x40,))  # 1
    types.add(UNION, "", 8, (types.name("first"), 1, 0), (types.name("second"), 1, 0))  # 2
    types.add(STRUCT, "probe", 16, (types.name("next"), 4, 0), (types.name("dev"), 1, 64))  # 3
    types.add(POINTER, "", 3)  # 4
    types.add(ARRAY, "", 0, (4, 1, 255))  # 5
    rows = (types.name("lock"), 1, 0), (0, 2, 64), (types.name("probes"), 5, 128)
    types.add(STRUCT, "map", 2056, *rows)  # 6
    return types


def test_members_and_those_of_nameless_parts() -> None:
    found = find_members(made().data(), ["map", "no_such"])
    assert found == {"map": {"": 2056, "lock": 0, "first": 8, "second": 8, "probes": 16}}


def test_what_a_member_is_made_of() -> None:
    found = find_members(made().data(), ["map.probes", "map.lock", "map.no_such"])
    assert found == {"map.probes": {"": 16, "next": 0, "dev": 8}}


def test_bit_fields() -> None:
    types = made()
    types.add(STRUCT, "bits", 4, (types.name("a"), 1, 3 << 24), (types.name("b"), 1, 1 << 24 | 35), flag=1)
    assert find_members(types.data(), ["bits"]) == {"bits": {"": 4, "a": 0, "b": 4}}


def test_what_is_no_type_information_has_none() -> None:
    data = made().data()
    for bad in (b"", b"\0" * 40, data[:20], b"\x9f\xeb\x02" + data[3:]):
        assert find_members(bad, ["map"]) == {}
    for cut in range(24, len(data), 7):
        find_members(data[:cut], ["map", "probe"])
