# SPDX-License-Identifier: MIT
"""Line programs: which source line each instruction was made of.

Source: DWARF 5, section 6.2; version 4 and before as in DWARF 4, section 6.2.
"""

from __future__ import annotations

import posixpath
import re
import struct
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from lkm.decode.dwarf.number import Form
from lkm.decode.dwarf.part import Part
from lkm.decode.dwarf.unit import Unit, read_leb, read_sleb
from lkm.errors import BadInputError

KERNEL_HEADER = re.compile(r"(?:^|/)include/|/arch/\w+/include/")  # a path of one, from wherever it counts
_MOST_ROWS = 1 << 21
_DIRECTORY, _PATH = 2, 1  # DW_LNCT_directory_index, DW_LNCT_path


class Row(NamedTuple):
    """From `address` on, code is of this line; `file` is an index, `line` 0 where it is of none."""

    address: int
    file: int
    line: int
    column: int
    ends: bool


class LineTable:
    """The lines of one unit."""

    def __init__(self, files: list[str], sequences: list[list[Row]]) -> None:
        self.files = files
        self._sequences = sequences

    def find(self, address: int) -> Row | None:
        """What an address was made of; None where no line says it."""
        for rows in self._sequences:
            if rows[0].address <= address < rows[-1].address:
                # Of several at one address the last holds: those before it are of no instruction.
                row = rows[bisect_right(rows, address, key=lambda one: one.address) - 1]
                return row if row.line else None
        return None

    def path(self, index: int) -> str:
        """The path of a file, "" where there is no such index."""
        return self.files[index] if 0 <= index < len(self.files) else ""


class _Head(NamedTuple):
    """What a line program's header says, and where its opcodes begin."""

    version: int
    minimum: int
    most_operations: int
    line_base: int
    line_range: int
    opcode_base: int
    lengths: bytes
    begin: int
    end: int


def read_lines(unit: Unit, part: Part, at: int, directory: str) -> LineTable:
    """The line table at `at` of .debug_line.  `directory`: where the compiler worked (DW_AT_comp_dir)."""
    order = unit.order
    head = part.read(at, min(12, part.size - at))
    (length,) = struct.unpack_from(order + "I", head)
    wide = length == 0xFFFFFFFF
    if wide:
        (length,) = struct.unpack_from(order + "Q", head, 4)
    size = length + (12 if wide else 4)
    data = part.read(at, size)

    def relocated(place: int, value: int) -> int:
        return part.relocated(at + place, value)

    parsed, files = _parse_head(unit, data, wide=wide, directory=directory, relocated=relocated)
    return LineTable(files, _run(unit, data, parsed, relocated))


def _parse_head(
    unit: Unit, data: bytes, *, wide: bool, directory: str, relocated: Callable[[int, int], int]
) -> tuple[_Head, list[str]]:
    order, at = unit.order, 12 if wide else 4
    (version,) = struct.unpack_from(order + "H", data, at)
    if not 2 <= version <= 5:
        raise BadInputError(f"{unit.debug.name}: a line table of an unknown version ({version})")
    at += 2 + (2 if version >= 5 else 0)
    (header,) = struct.unpack_from(order + ("Q" if wide else "I"), data, at)
    at += 8 if wide else 4
    begin = at + header
    minimum = data[at]
    at += 1
    most = 1
    if version >= 4:
        most = data[at] or 1
        at += 1
    (base,) = struct.unpack_from("b", data, at + 1)
    line_range, opcode_base = data[at + 2], data[at + 3]
    lengths = data[at + 4 : at + 3 + opcode_base]
    at += 3 + opcode_base
    if not line_range:
        raise BadInputError(f"{unit.debug.name}: a line table is damaged")
    if version >= 5:
        files = _read_files(unit, data, at, wide=wide, directory=directory, relocated=relocated)
    else:
        files = _read_old_files(data, at, directory)
    return _Head(version, minimum, most, base, line_range, opcode_base, lengths, begin, len(data)), files


def _read_old_files(data: bytes, at: int, directory: str) -> list[str]:
    directories, files = [directory], [""]
    while data[at]:
        end = data.index(0, at)
        directories.append(posixpath.join(directory, data[at:end].decode("utf-8", "replace")))
        at = end + 1
    at += 1
    while data[at]:
        end = data.index(0, at)
        name = data[at:end].decode("utf-8", "replace")
        where, at = read_leb(data, end + 1)
        _, at = read_leb(data, at)
        _, at = read_leb(data, at)
        files.append(posixpath.join(directories[where] if where < len(directories) else "", name))
    return files


def _read_files(
    unit: Unit, data: bytes, at: int, *, wide: bool, directory: str, relocated: Callable[[int, int], int]
) -> list[str]:
    directories: list[str] = []
    files: list[str] = []
    for found in (directories, files):
        formats = []
        count = data[at]
        at += 1
        for _ in range(count):
            content, at = read_leb(data, at)
            form, at = read_leb(data, at)
            formats.append((content, form))
        rows, at = read_leb(data, at)
        if rows > len(data):
            raise BadInputError(f"{unit.debug.name}: a line table claims {rows} files")
        for _ in range(rows):
            name, where = "", 0
            for content, form in formats:
                text, number, at = _read_field(unit, data, at, form, wide=wide, relocated=relocated)
                if content == _PATH:
                    name = text
                elif content == _DIRECTORY:
                    where = number
            if found is files:
                name = posixpath.join(directories[where] if where < len(directories) else "", name)
            else:
                name = posixpath.join(directories[0] if directories else directory, name)
            found.append(name)
    return files


def _read_field(
    unit: Unit, data: bytes, at: int, form: int, *, wide: bool, relocated: Callable[[int, int], int]
) -> tuple[str, int, int]:
    """Its text, its number, and where it ends."""
    if form == Form.STRING:
        end = data.index(0, at)
        return data[at:end].decode("utf-8", "replace"), 0, end + 1
    if form in {Form.STRP, Form.LINE_STRP}:
        size = 8 if wide else 4
        (place,) = struct.unpack_from(unit.order + ("Q" if wide else "I"), data, at)
        section = ".debug_str" if form == Form.STRP else ".debug_line_str"
        return unit.debug.string(section, relocated(at, place)), 0, at + size
    if form == Form.UDATA:
        number, at = read_leb(data, at)
        return "", number, at
    sizes = {Form.DATA1: 1, Form.DATA2: 2, Form.DATA4: 4, Form.DATA8: 8, Form.DATA16: 16}
    if form == Form.BLOCK:
        number, at = read_leb(data, at)
        return "", 0, at + number
    if form not in sizes:
        raise BadInputError(f"{unit.debug.name}: a line table has an unknown form ({form:#x})")
    size = sizes[form]
    return "", int.from_bytes(data[at : at + size], "little" if unit.order == "<" else "big"), at + size


def _run(  # noqa: PLR0915 - one loop over opcodes
    unit: Unit, data: bytes, head: _Head, relocated: Callable[[int, int], int]
) -> list[list[Row]]:
    """The program's rows, a list for each sequence."""
    sequences: list[list[Row]] = []
    rows: list[Row] = []
    at, end = head.begin, head.end
    minimum, base, line_range, first = head.minimum, head.line_base, head.line_range, head.opcode_base
    step = (255 - first) // line_range * minimum
    address, file, line, column, total = 0, 1, 1, 0, 0
    make = Row._make
    while at < end and total < _MOST_ROWS:
        opcode = data[at]
        at += 1
        if opcode >= first:
            opcode -= first
            address += opcode // line_range * minimum
            line += base + opcode % line_range
            rows.append(make((address, file, line, column, False)))
            total += 1
        elif opcode == 5:  # set_column: half of all of them are, in kernel code
            column, at = read_leb(data, at)
        elif opcode == 1:  # copy
            rows.append(make((address, file, line, column, False)))
            total += 1
        elif opcode == 2:  # advance_pc
            number, at = read_leb(data, at)
            address += number * minimum
        elif opcode == 3:  # advance_line
            number, at = read_sleb(data, at)
            line += number
        elif opcode == 4:  # set_file
            file, at = read_leb(data, at)
        elif opcode == 8:  # const_add_pc
            address += step
        elif opcode == 9:  # fixed_advance_pc
            (number,) = struct.unpack_from(unit.order + "H", data, at)
            address, at = address + number, at + 2
        elif opcode:
            for _ in range(head.lengths[opcode - 1]):
                _, at = read_leb(data, at)
        else:
            size, at = read_leb(data, at)
            kind = data[at] if size else 0
            if kind == 1:  # end_sequence
                rows.append(make((address, file, line, column, True)))
                if len(rows) > 1:
                    sequences.append(rows)
                rows, address, file, line, column = [], 0, 1, 1, 0
            elif kind == 2:  # set_address
                width = size - 1
                value = int.from_bytes(data[at + 1 : at + size], "little" if unit.order == "<" else "big")
                address = relocated(at + 1, value) if width else 0
            at += size
    for one in sequences:
        if any(one[index].address > one[index + 1].address for index in range(len(one) - 1)):
            one.sort(key=lambda row: (row.ends, row.address))
    return sequences
