# SPDX-License-Identifier: MIT
"""Compilation units and their entries (DIEs): only those on the way to what is asked are taken apart.

Source: DWARF 5, sections 7.5 (units, abbreviations, forms), 2.16 and 2.17 (names, ranges of code).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from lkm.decode.dwarf.number import ADDRX, FIXED, OFFSETS, STRX, ULEB, At, Form
from lkm.errors import BadInputError

if TYPE_CHECKING:
    from lkm.decode.dwarf.debug import Debug

# What stands in a skip program for a field whose size its bytes tell; a number from 0 on is a size in bytes.
_STRING, _LEB, _BLOCK, _BLOCK1, _BLOCK2, _BLOCK4, _INDIRECT = -1, -2, -3, -4, -5, -6, -7
_VARIABLE = {
    Form.STRING: _STRING, Form.SDATA: _LEB, Form.BLOCK: _BLOCK, Form.EXPRLOC: _BLOCK,
    Form.BLOCK1: _BLOCK1, Form.BLOCK2: _BLOCK2, Form.BLOCK4: _BLOCK4, Form.INDIRECT: _INDIRECT,
    **dict.fromkeys(ULEB, _LEB),
}  # fmt: skip
_MOST_CHILDREN = 1 << 20


class Attribute(NamedTuple):
    """A value as it lies there: a number (addresses and offsets relocated), or a block's bytes."""

    form: int
    value: int
    block: bytes = b""


class Abbreviation(NamedTuple):
    """What entries of one code look like.

    `attributes`: (attribute, form, value of an implicit constant).  `skip`: how to get past them.
    `before_sibling`: how to get to where the next entry's place is told, None where it is not.
    """

    tag: int
    children: bool
    attributes: tuple[tuple[int, int, int], ...]
    skip: tuple[int, ...]
    before_sibling: tuple[int, ...] | None


class Entry(NamedTuple):
    """An entry: where it is in its unit, how it looks, where its attributes begin."""

    at: int
    shape: Abbreviation
    attributes_at: int


def read_leb(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 70:
            raise ValueError("a number without an end")


def read_sleb(data: bytes, at: int) -> tuple[int, int]:
    """A signed LEB128 number, and where it ends."""
    begin = at
    result, at = read_leb(data, at)
    if data[at - 1] & 0x40:
        result -= 1 << 7 * (at - begin)
    return result, at


class Unit:
    """One compilation unit.  `start`: where it is in .debug_info; positions in it count from there."""

    def __init__(self, debug: Debug, start: int) -> None:
        self.debug = debug
        self.start = start
        self.order = debug.order
        info = debug.info
        head = info.read(start, min(48, info.size - start))
        (length,) = struct.unpack_from(self.order + "I", head)
        self.offset_size, at = (8, 12) if length == 0xFFFFFFFF else (4, 4)
        if self.offset_size == 8:
            (length,) = struct.unpack_from(self.order + "Q", head, 4)
        self.end = start + at + length
        (self.version,) = struct.unpack_from(self.order + "H", head, at)
        at += 2
        if not 2 <= self.version <= 5:
            raise BadInputError(f"{debug.name}: debug information of an unknown version ({self.version})")
        if self.version >= 5:
            self.kind, self.address_size = head[at], head[at + 1]
            at += 2
            self.abbreviations_at = info.value(start + at, self.offset_size)
            at += self.offset_size + {4: 8, 5: 8, 2: 8 + self.offset_size, 6: 8 + self.offset_size}.get(
                self.kind, 0
            )
        else:
            self.kind = 1
            self.abbreviations_at = info.value(start + at, self.offset_size)
            self.address_size = head[at + self.offset_size]
            at += self.offset_size + 1
        if self.address_size not in {4, 8}:
            raise BadInputError(f"{debug.name}: addresses of {self.address_size} bytes in debug information")
        self.first = at
        self.lists: dict[int, object] = {}  # what line programs and the like are kept by

    @cached_property
    def data(self) -> bytes:
        """Its bytes, the header included."""
        return self.debug.info.read(self.start, self.end - self.start)

    @cached_property
    def shapes(self) -> dict[int, Abbreviation]:
        """Its abbreviations by code."""
        return self.debug.abbreviations(self)

    @cached_property
    def root(self) -> Entry:
        """The entry of the unit itself."""
        entry = self.entry(self.first)
        if entry is None:
            raise BadInputError(f"{self.debug.name}: a unit of debug information is empty")
        return entry

    @cached_property
    def attributes(self) -> dict[int, Attribute]:
        """The unit's own attributes."""
        return self.read(self.root)

    @cached_property
    def base(self) -> int:
        """The address that its range and location lists count from."""
        low = self.attributes.get(At.LOW_PC)
        return self.address(low) if low else 0

    def entry(self, at: int) -> Entry | None:
        """The entry at `at`; None for the end of a row of children."""
        code, after = read_leb(self.data, at)
        if code == 0:
            return None
        shape = self.shapes.get(code)
        if shape is None:
            raise BadInputError(
                f"{self.debug.name}: debug information names an unknown abbreviation ({code})"
            )
        return Entry(at, shape, after)

    def children(self, parent: Entry) -> Iterator[Entry]:
        """The direct children of an entry."""
        if not parent.shape.children:
            return
        at = self._skip(parent.shape.skip, parent.attributes_at)
        data, shapes = self.data, self.shapes
        for _ in range(_MOST_CHILDREN):
            code = data[at]
            after = at + 1
            if code >= 0x80:
                code, after = read_leb(data, at)
            if code == 0:
                return
            shape = shapes[code]
            yield Entry(at, shape, after)
            at = self._after(at, shape, after)

    def _after(self, at: int, shape: Abbreviation, attributes_at: int) -> int:
        """Where what follows an entry and all below it begins."""
        if not shape.children:
            return self._skip(shape.skip, attributes_at)
        if shape.before_sibling is not None:
            place = self._skip(shape.before_sibling, attributes_at)
            (sibling,) = struct.unpack_from(self.order + "I", self.data, place)
            if at < sibling <= len(self.data):
                return int(sibling)
        at, depth = self._skip(shape.skip, attributes_at), 1
        data, shapes = self.data, self.shapes
        while depth:
            code, at = read_leb(data, at)
            if code == 0:
                depth -= 1
                continue
            shape = shapes[code]
            at = self._skip(shape.skip, at)
            depth += shape.children
        return at

    def _skip(self, program: tuple[int, ...], at: int) -> int:
        data = self.data
        for step in program:
            if step >= 0:
                at += step
            elif step == _STRING:
                at = data.index(0, at) + 1
            elif step == _LEB:
                while data[at] & 0x80:
                    at += 1
                at += 1
            elif step == _INDIRECT:
                form, at = read_leb(data, at)
                at = self._skip(compile_skip([form], self), at)
            else:
                at = self._after_block(step, at)
        return at

    def _after_block(self, step: int, at: int) -> int:
        if step == _BLOCK:
            size, at = read_leb(self.data, at)
            return at + size
        width = {_BLOCK1: 1, _BLOCK2: 2, _BLOCK4: 4}[step]
        return at + width + self._number(at, width)

    def _number(self, at: int, size: int) -> int:
        if at + size > len(self.data):
            raise BadInputError(f"{self.debug.name}: debug information ends within an entry")
        return int.from_bytes(self.data[at : at + size], "little" if self.order == "<" else "big")

    def read(self, entry: Entry) -> dict[int, Attribute]:
        """All attributes of an entry, by DW_AT_ number."""
        found, at = {}, entry.attributes_at
        for name, form, constant in entry.shape.attributes:
            found[name], at = self._read_one(form, constant, at)
        return found

    def _read_one(self, form: int, constant: int, at: int) -> tuple[Attribute, int]:
        data = self.data
        if form == Form.INDIRECT:
            form, at = read_leb(data, at)
        if form == Form.IMPLICIT_CONST:
            return Attribute(form, constant), at
        if form == Form.FLAG_PRESENT:
            return Attribute(form, 1), at
        if form == Form.STRING:
            end = data.index(0, at)
            return Attribute(form, 0, data[at:end]), end + 1
        if form == Form.SDATA:
            number, at = read_sleb(data, at)
            return Attribute(form, number), at
        if form in ULEB:
            number, at = read_leb(data, at)
            return Attribute(form, number), at
        if form in {Form.BLOCK, Form.EXPRLOC, Form.BLOCK1, Form.BLOCK2, Form.BLOCK4}:
            end = self._after_block(_VARIABLE[form], at)
            size_bytes = {Form.BLOCK1: 1, Form.BLOCK2: 2, Form.BLOCK4: 4}.get(form)
            begin = at + size_bytes if size_bytes else read_leb(data, at)[1]
            # Where the block lies tells what relocations say of the addresses in it.
            return Attribute(form, begin, data[begin:end]), end
        size = self._fixed(form)
        number = self._number(at, size)
        if form == Form.ADDR or form in OFFSETS or (form in {Form.DATA4, Form.DATA8} and self.version < 4):
            number = self.debug.info.relocated(self.start + at, number)
        return Attribute(form, number), at + size

    def _fixed(self, form: int) -> int:
        if form in OFFSETS or form == Form.REF_ADDR:
            return self.address_size if form == Form.REF_ADDR and self.version == 2 else self.offset_size
        if form == Form.ADDR:
            return self.address_size
        size = FIXED.get(form)
        if size is None:
            raise BadInputError(f"{self.debug.name}: debug information has an unknown form ({form:#x})")
        return size

    def string(self, attribute: Attribute | None) -> str:
        """The text that an attribute names; "" for None."""
        if attribute is None:
            return ""
        form, value, block = attribute
        if form == Form.STRING:
            return block.decode("utf-8", "replace")
        if form == Form.STRP:
            return self.debug.string(".debug_str", value)
        if form == Form.LINE_STRP:
            return self.debug.string(".debug_line_str", value)
        if form in STRX:
            base = self._own_base(At.STR_OFFSETS_BASE, 8 if self.offset_size == 4 else 16)
            place = base + value * self.offset_size
            return self.debug.string(
                ".debug_str", self.debug.number(".debug_str_offsets", place, self.offset_size)
            )
        return ""

    def address(self, attribute: Attribute) -> int:
        """The address that an attribute names."""
        if attribute.form in ADDRX:
            return self.indexed_address(attribute.value)
        return attribute.value

    def indexed_address(self, index: int) -> int:
        """A row of .debug_addr."""
        base = self._own_base(At.ADDR_BASE, 8 if self.offset_size == 4 else 16)
        return self.debug.number(".debug_addr", base + index * self.address_size, self.address_size)

    def _own_base(self, name: int, default: int) -> int:
        # Read alone: the unit's other attributes may need it.
        at = self.root.attributes_at
        for attribute, form, constant in self.root.shape.attributes:
            value, at = self._read_one(form, constant, at)
            if attribute == name:
                return value.value
        return default

    def list_base(self, name: int) -> int:
        """Where the tables of offsets of its range or location lists begin."""
        return self._own_base(name, 12 if self.offset_size == 4 else 20)

    def reference(self, attribute: Attribute | None) -> tuple[Unit, Entry] | None:
        """The entry that an attribute refers to, and its unit."""
        if attribute is None:
            return None
        if attribute.form == Form.REF_ADDR:
            unit = self.debug.unit_around(attribute.value)
            at = attribute.value - unit.start if unit else 0
        else:
            unit, at = self, attribute.value
        if unit is None or not unit.first <= at < len(unit.data):
            return None
        entry = unit.entry(at)
        return (unit, entry) if entry is not None else None

    def ranges(self, attributes: dict[int, Attribute]) -> list[tuple[int, int]]:
        """The code of an entry: (first address, address after the last)."""
        low, high = attributes.get(At.LOW_PC), attributes.get(At.HIGH_PC)
        if At.RANGES in attributes:
            return self.debug.ranges(self, attributes[At.RANGES])
        if low is None:
            return []
        begin = self.address(low)
        if high is None:
            return [(begin, begin + 1)]
        if high.form == Form.ADDR or high.form in ADDRX:
            return [(begin, self.address(high))]
        return [(begin, begin + high.value)]


def parse_abbreviations(data: bytes, unit: Unit) -> dict[int, Abbreviation]:
    """An abbreviation table, as `unit` sees it (sizes of addresses and offsets)."""
    found: dict[int, Abbreviation] = {}
    at = 0
    while at < len(data):
        code, at = read_leb(data, at)
        if code == 0:
            break
        tag, at = read_leb(data, at)
        children = bool(data[at])
        at += 1
        attributes = []
        while True:
            name, at = read_leb(data, at)
            form, at = read_leb(data, at)
            constant = 0
            if form == Form.IMPLICIT_CONST:
                constant, at = read_sleb(data, at)
            if not name and not form:
                break
            attributes.append((name, form, constant))
        forms = [form for _, form, _ in attributes]
        sibling = next(
            (
                index
                for index, (name, form, _) in enumerate(attributes)
                if name == At.SIBLING and form == Form.REF4
            ),
            None,
        )
        found[code] = Abbreviation(
            tag,
            children,
            tuple(attributes),
            compile_skip(forms, unit),
            None if sibling is None else compile_skip(forms[:sibling], unit),
        )
    return found


def compile_skip(forms: list[int], unit: Unit) -> tuple[int, ...]:
    """How to get past fields of these forms: sizes in bytes, added up, and what is told by the bytes."""
    program: list[int] = []
    for form in forms:
        step = _VARIABLE.get(form)
        if step is None:
            size = unit._fixed(form)
            if program and program[-1] >= 0:
                program[-1] += size
                continue
            step = size
        program.append(step)
    return tuple(program)
