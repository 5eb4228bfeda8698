# SPDX-License-Identifier: MIT
"""Types: what a pointer points to, which member lies at an offset.

Source: DWARF 5, chapter 5.
"""

from __future__ import annotations

from typing import NamedTuple

from lkm.decode.dwarf.number import At, Tag
from lkm.decode.dwarf.unit import Entry, Unit, read_leb

_SEE_THROUGH = {Tag.TYPEDEF, Tag.CONST, Tag.VOLATILE, Tag.RESTRICT, Tag.ATOMIC}
_COMPOSED = {Tag.STRUCTURE, Tag.UNION}
_DEEPEST = 32
_PLUS_UCONST = 0x23  # DW_OP_plus_uconst, how old compilers write a member's offset


class Type(NamedTuple):
    """A type's entry and the unit it is in."""

    unit: Unit
    entry: Entry

    @property
    def tag(self) -> int:
        """Its DW_TAG_ number."""
        return self.entry.shape.tag


class Member(NamedTuple):
    """A member of a struct or union; `name` is "" for one that has none, `offset` is in bytes."""

    name: str
    offset: int
    type: Type | None


def type_of(unit: Unit, entry: Entry) -> Type | None:
    """The type of a variable, member, pointer or the like; None for void."""
    found = unit.reference(unit.read(entry).get(At.TYPE))
    return None if found is None else Type(*found)


def resolve(given: Type | None) -> Type | None:
    """A type without its typedefs and qualifiers, a struct where it is defined."""
    for _ in range(_DEEPEST):
        if given is None or given.tag not in _SEE_THROUGH:
            break
        given = type_of(given.unit, given.entry)
    if given is not None and given.tag in _COMPOSED and At.DECLARATION in given.unit.read(given.entry):
        name = type_name(given)
        for entry in given.unit.children(given.unit.root):
            if entry.shape.tag == given.tag and entry.shape.children:
                attributes = given.unit.read(entry)
                if given.unit.string(attributes.get(At.NAME)) == name:
                    return Type(given.unit, entry)
    return given


def pointed_to(given: Type | None) -> Type | None:
    """What a pointer points to, or an array is made of; None for all else."""
    found = resolve(given)
    if found is None or found.tag not in {Tag.POINTER, Tag.ARRAY}:
        return None
    return resolve(type_of(found.unit, found.entry))


def is_pointer(given: Type | None) -> bool:
    """Whether it is a pointer."""
    found = resolve(given)
    return found is not None and found.tag == Tag.POINTER


def type_name(given: Type) -> str:
    """The name of a type, "" where it has none."""
    return given.unit.string(given.unit.read(given.entry).get(At.NAME))


def struct_name(given: Type | None) -> str:
    """`struct device_state`, `union …`, or ""."""
    found = resolve(given)
    if found is None or found.tag not in _COMPOSED:
        return ""
    name = type_name(found)
    word = "struct" if found.tag == Tag.STRUCTURE else "union"
    return f"{word} {name}" if name else ""


def byte_size(given: Type | None) -> int:
    """Bytes that a value of the type takes; 0 where it is not known."""
    found = resolve(given)
    for _ in range(_DEEPEST):
        if found is None:
            return 0
        size = found.unit.read(found.entry).get(At.BYTE_SIZE)
        if size is not None:
            return size.value
        if found.tag != Tag.ARRAY:
            return 0
        return byte_size(pointed_to(found)) * _array_length(found)
    return 0


def _array_length(array: Type) -> int:
    total = 1
    for entry in array.unit.children(array.entry):
        if entry.shape.tag == Tag.SUBRANGE:
            attributes = array.unit.read(entry)
            count, last = attributes.get(At.COUNT), attributes.get(At.UPPER_BOUND)
            if count is not None:
                total *= count.value
            elif last is not None and not last.block:
                total *= last.value + 1
            else:
                return 0
    return total


def members(given: Type | None) -> list[Member]:
    """The members of a struct or union, in their order."""
    found = resolve(given)
    if found is None or found.tag not in _COMPOSED:
        return []
    unit, rows = found.unit, []
    for entry in unit.children(found.entry):
        if entry.shape.tag != Tag.MEMBER:
            continue
        attributes = unit.read(entry)
        place = attributes.get(At.DATA_MEMBER_LOCATION)
        offset = 0
        if place is not None:
            offset = place.value
            if place.block:
                offset = read_leb(place.block, 1)[0] if place.block[0] == _PLUS_UCONST else 0
        target = unit.reference(attributes.get(At.TYPE))
        rows.append(
            Member(unit.string(attributes.get(At.NAME)), offset, None if target is None else Type(*target))
        )
    return rows


def find_member(given: Type | None, name: str) -> Member | None:
    """A member by its name; those of unnamed structs and unions within count as the outer one's."""
    for member in members(given):
        if member.name == name:
            return member
        if not member.name:
            inner = find_member(member.type, name)
            if inner is not None:
                return Member(name, member.offset + inner.offset, inner.type)
    return None


def member_path(given: Type | None, offset: int) -> str:
    """What lies `offset` bytes into a value: `name`, `pos.y`, `table[3].key`; "" where it is not known."""
    path, current = "", resolve(given)
    for _ in range(_DEEPEST):
        if current is None:
            return path
        if current.tag == Tag.ARRAY:
            inner = pointed_to(current)
            size = byte_size(inner)
            if not size:
                return path
            path += f"[{offset // size}]"
            offset, current = offset % size, inner
            continue
        rows = [row for row in members(current) if row.offset <= offset]
        within = [row for row in rows if offset < row.offset + max(byte_size(row.type), 1)]
        if not within:
            return path if not rows or offset == 0 else ""
        row = within[0]
        path += ("." if path and row.name else "") + row.name
        offset, current = offset - row.offset, resolve(row.type)
        if current is not None and current.tag not in {*_COMPOSED, Tag.ARRAY}:
            return path
    return path
