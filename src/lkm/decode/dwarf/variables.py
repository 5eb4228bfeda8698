# SPDX-License-Identifier: MIT
"""Variables: which there are at an address, and which of them lives in a register there.

Source: DWARF 5, sections 2.5, 2.6 (expressions and locations), 7.7 (their numbers); the numbers of registers
from the processor supplements of the ABI: x86-64 psABI, figure 3.36; AArch64 DWARF, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lkm.decode.dwarf.debug import Debug, Scope, name_of
from lkm.decode.dwarf.lines import KERNEL_HEADER
from lkm.decode.dwarf.lists import read_locations
from lkm.decode.dwarf.number import At, Form, Tag
from lkm.decode.dwarf.types import Type
from lkm.decode.dwarf.unit import Attribute, Unit
from lkm.elf import Machine

_VARIABLES = {Tag.VARIABLE, Tag.FORMAL_PARAMETER}
_REG0, _REG31, _REGX = 0x50, 0x6F, 0x90  # DW_OP_reg0, DW_OP_reg31, DW_OP_regx
_ADDR = 0x03  # DW_OP_addr
_PARAMETER_REF = 0xFA  # DW_OP_GNU_parameter_ref: what a caller would have passed, had it not been taken away

REGISTERS = {
    Machine.X86_64: (
        "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ),
    Machine.AARCH64: (*(f"x{number}" for number in range(31)), "sp"),
}  # fmt: skip


class Variable(NamedTuple):
    """A variable or parameter.  `register`: where its value is at the address asked for, "" for elsewhere.

    `lost`: its value is nowhere there.  What a compiler took away from a copy of a function (`.isra`,
    `.constprop`, `.part`) or did not need where it put one in is so; other things are in its registers.
    """

    name: str
    type: Type | None
    register: str
    lost: bool = False


def variables_at(debug: Debug, scopes: list[Scope], address: int) -> Iterator[Variable]:
    """The variables at an address, those of the innermost scope first."""
    names = REGISTERS.get(debug.elf.header.machine, ())
    for scope in reversed(scopes):
        for entry in scope.unit.children(scope.entry):
            if entry.shape.tag not in _VARIABLES:
                continue
            attributes = scope.unit.read(entry)
            name = name_of(scope.unit, attributes)
            if name:
                block = _expression_at(scope.unit, attributes, address)
                number = _register(block)
                register = names[number] if 0 <= number < len(names) else ""
                lost = block[:1] in {b"", bytes([_PARAMETER_REF])} and At.CONST_VALUE not in attributes
                yield Variable(name, _type_of(scope.unit, attributes), register, lost)


def removed_parameters(debug: Debug, unit: Unit, names: set[str]) -> Iterator[Variable]:
    """The parameters of functions of a file with these names that a call may not have got as the source says.

    All of a function that was put in or copied somewhere (it is described apart from its code then), for it
    may have been here; of another one what is in no register where it begins.  Those of kernel headers are
    left out.
    """
    table = debug.lines(unit)
    for entry in unit.children(unit.root):
        if entry.shape.tag != Tag.SUBPROGRAM:
            continue
        attributes = unit.read(entry)
        if At.DECLARATION in attributes or unit.string(attributes.get(At.NAME)) not in names:
            continue
        file = attributes.get(At.DECL_FILE)
        if table is not None and file is not None and KERNEL_HEADER.search(table.path(file.value)):
            continue
        low = min((begin for begin, _ in unit.ranges(attributes)), default=None)
        found = variables_at(debug, [Scope(unit, entry, attributes)], low or 0)
        yield from (one for one in found if low is None or one.lost)


def find_global(unit: Unit, name: str) -> Variable | None:
    """A variable of the file itself."""
    for entry in unit.children(unit.root):
        if entry.shape.tag == Tag.VARIABLE:
            attributes = unit.read(entry)
            if name_of(unit, attributes) == name:
                return Variable(name, _type_of(unit, attributes), "")
    return None


def find_data(debug: Debug, address: int) -> Variable | None:
    """The variable of a module that lies in memory at an address of its sections."""
    for unit in debug.units():
        for entry in unit.children(unit.root):
            if entry.shape.tag != Tag.VARIABLE:
                continue
            attributes = unit.read(entry)
            location = attributes.get(At.LOCATION)
            if location is None or not location.block or location.block[0] != _ADDR:
                continue
            value = debug.info.value(unit.start + location.value + 1, unit.address_size)
            if value == address:
                return Variable(name_of(unit, attributes), _type_of(unit, attributes), "")
    return None


def _type_of(unit: Unit, attributes: dict[int, Attribute]) -> Type | None:
    for _ in range(8):
        found = unit.reference(attributes.get(At.TYPE))
        if found is not None:
            return Type(*found)
        origin = unit.reference(attributes.get(At.ABSTRACT_ORIGIN) or attributes.get(At.SPECIFICATION))
        if origin is None:
            return None
        unit, entry = origin
        attributes = unit.read(entry)
    return None


def _expression_at(unit: Unit, attributes: dict[int, Attribute], address: int) -> bytes:
    """The expression that says where a variable is at an address, b"" where nothing does."""
    location = attributes.get(At.LOCATION)
    if location is None:  # a static variable has it where the function is described that was put in
        origin = unit.reference(attributes.get(At.ABSTRACT_ORIGIN))
        location = origin[0].read(origin[1]).get(At.LOCATION) if origin is not None else None
    if location is None:
        return b""
    if location.block or location.form in {Form.EXPRLOC, Form.BLOCK1}:
        return location.block
    for low, high, block in read_locations(unit.debug, unit, location):
        if low <= address < high:
            return block
    return b""


def _register(block: bytes) -> int:
    """The register that a whole expression names; what is computed from one does not count."""
    if len(block) == 1 and _REG0 <= block[0] <= _REG31:
        return block[0] - _REG0
    if len(block) == 2 and block[0] == _REGX:
        return block[1]
    return -1
