# SPDX-License-Identifier: MIT
"""The kernel's own unwinding tables (ORC) as DWARF call frame information, which gdb reads.

Distribution images come without debugging information, and their functions without frame pointers: gdb
would guess each caller.  Sources: arch/x86/include/asm/orc_types.h of 6.1, 6.12 and 7.3,
arch/x86/kernel/unwind_orc.c; DWARF 5, 6.4.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

_MOST_ROWS = 64  # rows of one FDE: gdb goes through them from the first
_RSP, _RBP, _RIP = 7, 6, 16
# struct pt_regs in its order: r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, (orig_ax),
# ip, (cs, flags), sp
_PT_REGS = {15: 0, 14: 8, 13: 16, 12: 24, 6: 32, 3: 40, 11: 48, 10: 56, 9: 64, 8: 72, 0: 80, 2: 88, 1: 96,
            4: 104, 5: 112, _RIP: 128, _RSP: 152}  # fmt: skip
_IRET = {_RIP: 0, _RSP: 24}


@dataclass(frozen=True, slots=True)
class _Numbers:
    """ORC_REG_*: `plain` ones as DWARF counts them, and those that mean something else."""

    plain: Mapping[int, int]
    sp: int
    previous_sp: int
    sp_indirect: int
    bp_indirect: int
    bp: int = 4


_NEWER_NUMBERS = _Numbers({1: 0, 2: 1, 3: 7, 4: 6, 5: 5, 6: 10, 7: 13}, 3, 8, 9, 10)  # 7.3
_OLDER_NUMBERS = _Numbers({2: 1, 3: 5, 4: 6, 5: 7, 6: 10, 7: 13}, 5, 1, 9, 8)  # 6.1, 6.12


class _Kind(Enum):
    """What lies where a row says: a return address, saved registers, nothing any more."""

    UNKNOWN = auto()
    CALL = auto()
    REGS = auto()
    PARTIAL = auto()
    END = auto()


def build_debug_frame(table: bytes, offsets: bytes, address: int) -> bytes:
    """`.debug_frame` from .orc_unwind (`table`) and .orc_unwind_ip (`offsets`, which lies at `address`).

    Empty where the two do not fit together.
    """
    count = len(offsets) // 4
    if not count or len(table) < 6 * count:
        return b""
    places = struct.unpack(f"<{count}i", offsets[: 4 * count])
    starts = [address + 4 * index + place for index, place in enumerate(places)]
    rows = [table[at : at + 6] for at in range(0, 6 * count, 6)]
    meaning = _read_rows(rows)
    out, cies = bytearray(), {}
    for kind in (_Kind.CALL, _Kind.REGS, _Kind.PARTIAL, _Kind.END):
        cies[kind] = len(out)
        out += _build_cie(kind)
    first = 0
    while first < count - 1:
        kind = meaning[rows[first]][0]
        last = first + 1
        while last < count - 1 and last - first < _MOST_ROWS and meaning[rows[last]][0] is kind:
            last += 1
        if kind is not _Kind.UNKNOWN:
            program = bytearray()
            for index in range(first, last):
                if index > first:
                    program += _advance(starts[index] - starts[index - 1])
                program += meaning[rows[index]][1]
            size = max(starts[last] - starts[first], 0)
            out += _pad(struct.pack("<IQQ", cies[kind], starts[first], size) + program)
        first = last
    return bytes(out)


def _read_rows(rows: Sequence[bytes]) -> dict[bytes, tuple[_Kind, bytes]]:
    """Each distinct row: its kind, and the instructions that say the same."""
    counts = Counter(rows)
    types, registers = Counter[int](), Counter[int]()
    for row, number in counts.items():
        types[row[5] & 7] += number
        registers[row[4] & 15] += number
    # Since 6.4 most rows are of type 2 (ORC_TYPE_CALL) in three bits; before of type 0 in two, then `end`.
    newer = types[2] > types[0]
    # Most rows count from the stack pointer, whose number changed.
    numbers = max((_NEWER_NUMBERS, _OLDER_NUMBERS), key=lambda one: registers[one.sp])
    return {row: _read_row(row, numbers, newer=newer) for row in counts}


def _read_row(row: bytes, numbers: _Numbers, *, newer: bool) -> tuple[_Kind, bytes]:
    sp_offset, bp_offset = struct.unpack_from("<hh", row)
    sp_register, bp_register = row[4] & 15, row[4] >> 4
    if newer:
        types = {1: _Kind.END, 2: _Kind.CALL, 3: _Kind.REGS, 4: _Kind.PARTIAL}
        kind = types.get(row[5] & 7, _Kind.UNKNOWN)
    elif sp_register == 0:
        kind = _Kind.END if row[5] >> 2 else _Kind.UNKNOWN
    else:
        kind = {0: _Kind.CALL, 1: _Kind.REGS, 2: _Kind.PARTIAL}.get(row[5] & 3, _Kind.UNKNOWN)
    if kind in (_Kind.UNKNOWN, _Kind.END):
        return kind, b""
    frame = _define_frame(sp_register, sp_offset, numbers)
    if not frame:
        return _Kind.UNKNOWN, b""
    return kind, frame + (_save_bp(bp_register, bp_offset, numbers) if kind is _Kind.CALL else b"")


def _define_frame(register: int, offset: int, numbers: _Numbers) -> bytes:
    """The canonical frame address: DW_CFA_def_cfa, _sf or _expression; empty where it is none we know."""
    plain = numbers.plain.get(register)
    if plain is not None:
        if offset >= 0:
            return b"\x0c" + _uleb(plain) + _uleb(offset)
        return b"\x12" + _uleb(plain) + _sleb(offset // -8) if offset % 8 == 0 else b""
    if register == numbers.bp_indirect:  # *(rbp + offset)
        text = bytes([0x70 + _RBP]) + _sleb(offset) + b"\x06"
    elif register == numbers.sp_indirect:  # *rsp + offset
        text = bytes([0x70 + _RSP]) + b"\0\x06\x11" + _sleb(offset) + b"\x22"
    else:
        return b""
    return b"\x0f" + _uleb(len(text)) + text


def _save_bp(register: int, offset: int, numbers: _Numbers) -> bytes:
    """Where the caller's rbp is: DW_CFA_offset, _expression, or _same_value."""
    if register == numbers.previous_sp and offset < 0 and offset % 8 == 0:
        return bytes([0x80 | _RBP]) + _uleb(offset // -8)
    if register == numbers.bp:
        text = bytes([0x70 + _RBP]) + _sleb(offset)
        return b"\x10" + _uleb(_RBP) + _uleb(len(text)) + text
    return b"\x08" + _uleb(_RBP)


def _build_cie(kind: _Kind) -> bytes:
    """What the rows of a kind have in common; augmentation `S`: the caller was interrupted, not calling."""
    if kind is _Kind.CALL:
        rules = bytes([0x80 | _RIP, 1])
    elif kind is _Kind.END:
        rules = b"\x0c" + _uleb(_RSP) + _uleb(8) + b"\x07" + _uleb(_RIP)  # no return address
    else:
        saved = _PT_REGS if kind is _Kind.REGS else _IRET
        rules = b"".join(b"\x11" + _uleb(one) + _sleb(offset // -8) for one, offset in saved.items())
    signal = b"S" if kind in (_Kind.REGS, _Kind.PARTIAL) else b""
    head = struct.pack("<IB", 0xFFFFFFFF, 1) + signal + b"\0" + _uleb(1) + _sleb(-8) + bytes([_RIP])
    return _pad(head + rules)


def _pad(body: bytes) -> bytes:
    """With its length before it, and DW_CFA_nop behind up to a multiple of 8."""
    body += bytes(-(len(body) + 4) % 8)
    return struct.pack("<I", len(body)) + body


def _advance(distance: int) -> bytes:
    if distance <= 0:
        return b""
    if distance < 64:
        return bytes([0x40 | distance])
    if distance < 1 << 16:
        return b"\x03" + struct.pack("<H", distance)
    return b"\x04" + struct.pack("<I", distance)


def _uleb(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _sleb(value: int) -> bytes:
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value & 127)
    return bytes(out)
