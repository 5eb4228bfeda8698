# SPDX-License-Identifier: MIT
"""Lists of addresses: the code of an entry, and where a variable is while the code runs.

Source: DWARF 5, sections 2.17.3, 7.25 (range lists), 2.6.2, 7.29 (location lists); DWARF 4, 2.17.3 and 2.6.2
for .debug_ranges and .debug_loc.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lkm.decode.dwarf.number import At, Form
from lkm.decode.dwarf.part import Part

if TYPE_CHECKING:
    from lkm.decode.dwarf.debug import Debug
    from lkm.decode.dwarf.unit import Attribute, Unit

_MOST_ROWS = 1 << 16
(_END, _BASE_X, _X_X, _X_LENGTH, _PAIR) = range(5)
_DEFAULT = 5  # only of locations; of ranges the numbers from here on are one less
_BASE, _START_END, _START_LENGTH = 6, 7, 8
_VIEW_PAIR = 9  # DW_LLE_GNU_view_pair


class _Cursor:
    """A place in a section that moves on as it is read."""

    def __init__(self, part: Part, at: int) -> None:
        self.part = part
        self.at = at

    def number(self, size: int) -> int:
        self.at += size
        return self.part.value(self.at - size, size)

    def leb(self) -> int:
        result = shift = 0
        while shift < 70:
            byte = self.part.read(self.at, 1)[0]
            self.at += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7
        raise ValueError("a number without an end")

    def block(self, size: int) -> bytes:
        self.at += size
        return self.part.read(self.at - size, size)


def read_ranges(debug: Debug, unit: Unit, attribute: Attribute) -> list[tuple[int, int]]:
    """What a DW_AT_ranges names: (first address, address after the last)."""
    if unit.version < 5:
        return [(low, high) for low, high, _ in _read_pairs(unit, debug.need(".debug_ranges"), attribute)]
    at = _place(unit, attribute, ".debug_rnglists", Form.RNGLISTX, At.RNGLISTS_BASE)
    cursor = _Cursor(debug.need(".debug_rnglists"), at)
    return [(low, high) for low, high, _ in _read_rows(unit, cursor, locations=False)]


def read_locations(debug: Debug, unit: Unit, attribute: Attribute) -> list[tuple[int, int, bytes]]:
    """What a location list says: (first address, address after the last, expression)."""
    if unit.version < 5:
        return list(_read_pairs(unit, debug.need(".debug_loc"), attribute, locations=True))
    at = _place(unit, attribute, ".debug_loclists", Form.LOCLISTX, At.LOCLISTS_BASE)
    return list(_read_rows(unit, _Cursor(debug.need(".debug_loclists"), at), locations=True))


def _place(unit: Unit, attribute: Attribute, section: str, indexed: int, base: int) -> int:
    if attribute.form != indexed:
        return attribute.value
    start = unit.list_base(base)
    size = unit.offset_size
    return start + unit.debug.number(section, start + attribute.value * size, size)


def _read_pairs(
    unit: Unit, part: Part, attribute: Attribute, *, locations: bool = False
) -> Iterator[tuple[int, int, bytes]]:
    """As before version 5: pairs of addresses, two zeros at the end."""
    cursor, size, base = _Cursor(part, attribute.value), unit.address_size, unit.base
    for _ in range(_MOST_ROWS):
        low_at, high_at = cursor.at, cursor.at + size
        low, high = cursor.number(size), cursor.number(size)
        # A zero that a relocation stands for is the first address of a section, no end.
        if not low and not high and not (part.has_relocation(low_at) or part.has_relocation(high_at)):
            return
        if low == (1 << 8 * size) - 1:
            base = high
            continue
        block = cursor.block(cursor.number(2)) if locations else b""
        # Addresses that relocations gave are whole; others count from the unit's base.
        start = 0 if part.has_relocation(low_at) else base
        yield start + low, start + high, block


def _read_rows(unit: Unit, cursor: _Cursor, *, locations: bool) -> Iterator[tuple[int, int, bytes]]:
    base, size = unit.base, unit.address_size
    for _ in range(_MOST_ROWS):
        kind = cursor.number(1)
        if not locations and kind >= _DEFAULT:
            kind += 1
        if kind == _END:
            return
        if kind == _BASE_X:
            base = unit.indexed_address(cursor.leb())
            continue
        if kind == _BASE:
            base = cursor.number(size)
            continue
        if kind == _VIEW_PAIR:
            cursor.leb(), cursor.leb()
            continue
        if kind == _X_X:
            low, high = unit.indexed_address(cursor.leb()), unit.indexed_address(cursor.leb())
        elif kind == _X_LENGTH:
            low = unit.indexed_address(cursor.leb())
            high = low + cursor.leb()
        elif kind == _PAIR:
            low, high = base + cursor.leb(), base + cursor.leb()
        elif kind == _DEFAULT:
            low, high = 0, 1 << 64
        elif kind == _START_END:
            low, high = cursor.number(size), cursor.number(size)
        elif kind == _START_LENGTH:
            low = cursor.number(size)
            high = low + cursor.leb()
        else:
            raise ValueError(f"a list of addresses with an unknown row ({kind})")
        yield low, high, cursor.block(cursor.leb()) if locations else b""
