# SPDX-License-Identifier: MIT
"""Whether the relocations can be applied (arch/x86/kernel/module.c, apply_relocate_add).

A big module has some hundred thousand of them: what is to be seen of all at once is looked at in pieces of
bytes that the interpreter handles as a whole, and one by one only where that shows something.
"""

from __future__ import annotations

from array import array
from errno import ENOEXEC
from operator import itemgetter
from typing import NamedTuple

from lkm.elf.number import SHF_ALLOC, SHN_ABS, SHN_LORESERVE, SHT_NOBITS, SHT_REL, SHT_RELA, Machine
from lkm.verdict.case import Case
from lkm.verdict.value import Finding

_RELA_LIVEPATCH = 0x00100000
# x86-64 (psABI, "Relocation Types"): bytes written by each type the loader knows.
_NONE, _R_64, _R_PC32, _R_PLT32, _R_32, _R_32S, _R_PC64 = 0, 1, 2, 4, 10, 11, 24
_SIZES = {_NONE: 0, _R_64: 8, _R_PC32: 4, _R_PLT32: 4, _R_32: 4, _R_32S: 4, _R_PC64: 8}
# The loader takes these off what is loaded before (rewrite_section_headers, layout_and_allocate).
_NOT_LOADED = (".modinfo", "__versions", "__version_ext_crcs", "__version_ext_names", ".data..percpu")


class _Part(NamedTuple):
    """One table of relocations: `number` of its section, `target` the section it is for."""

    number: int
    target: int
    data: bytes
    content: bytes
    size: int


def check_relocations(case: Case) -> list[Finding]:
    """Each table for a section that is loaded, in the order of the file (apply_relocations)."""
    if case.ground.machine != Machine.X86_64:
        case.doubt(
            f"the relocations: those of {case.ground.kernel.arch or 'this machine'} are not known here"
        )
        return []
    if case.own_build:
        return []
    subject = case.subject
    skipped = {subject.find(name) for name in _NOT_LOADED}
    rows = subject.rows
    for number, row in enumerate(rows):
        if row.type not in (SHT_REL, SHT_RELA) or not number or row.info >= len(rows):
            continue
        target = rows[row.info]
        if not target.flags & SHF_ALLOC or row.info in skipped or row.flags & _RELA_LIVEPATCH:
            continue
        if row.type == SHT_REL:
            why = "it has relocations of a form (REL) that this machine's loader does not take"
            return [
                case.refuse("relocations", ENOEXEC, "relocation-rel", case.name, why=why, hint=case.rebuild)
            ]
        data = subject.contents(number)
        content = bytes(target.size) if target.type == SHT_NOBITS and target.size < 1 << 20 else b""
        part = _Part(
            number, row.info, data[: len(data) // 24 * 24], content or subject.contents(row.info), target.size
        )
        if part.data and not _plain(case, part):
            found = _one_by_one(case, part)
            if found:
                return found
    return []


def _plain(case: Case, part: _Part) -> bool:
    """Whether nothing at all is unusual: known types, targets inside and zero, no absolute 32 bits."""
    data, content = part.data, part.content
    kinds = set(data[8::24])
    if not kinds <= {_R_64, _R_PC32, _R_PLT32, _R_32S, _R_PC64} or any(data[9::24]) or any(data[10::24]):
        return False
    if any(data[11::24]):
        return False
    offsets = array("Q", data)[0::3]
    size = 8 if kinds & {_R_64, _R_PC64} else 4
    if max(offsets) + size > len(content) and (
        max(offsets) + 4 > len(content) or (size == 8 and len(kinds) == 1)
    ):
        return False
    symbols = set(array("I", data)[3::6])
    if max(symbols) >= len(case.subject.symbols) // 24 or not _not_loaded(case).isdisjoint(symbols):
        return False
    if _R_32S in kinds and not _addends_small(data):
        return False
    # What was written once is not zero any more.
    return len(set(offsets)) == len(offsets) and _all_zero(content, offsets, kinds, data)


def _not_loaded(case: Case) -> frozenset[int]:
    """The symbols in sections that take no memory."""
    subject = case.subject
    rows = subject.rows
    places = {place for place in set(subject.places) if 0 < place < len(rows)}
    left_out = {place for place in places if not rows[place].flags & SHF_ALLOC}
    if not left_out:
        return frozenset()
    return frozenset(number for number, place in enumerate(subject.places) if place in left_out)


def _addends_small(data: bytes) -> bool:
    """Whether all addends are below 16 MiB, either way: then an address of the kernel's stays one."""
    return max(map(abs, array("q", data)[2::3])) < 1 << 24


def _all_zero(content: bytes, offsets: array[int], kinds: set[int], data: bytes) -> bool:
    wide = kinds & {_R_64, _R_PC64}
    if wide and kinds - {_R_64, _R_PC64}:
        types = array("I", data)[2::6]
        long = [offset for offset, kind in zip(offsets, types, strict=True) if kind in (_R_64, _R_PC64)]
        short = [offset for offset, kind in zip(offsets, types, strict=True) if kind not in (_R_64, _R_PC64)]
        return _zero_at(content, long, 8) and _zero_at(content, short, 4)
    return _zero_at(content, offsets, 8 if wide else 4)


def _zero_at(content: bytes, offsets: array[int] | list[int], size: int) -> bool:
    if not offsets:
        return True
    if max(offsets) + size > len(content):
        return False
    if len(offsets) == 1:
        return not any(content[offsets[0] : offsets[0] + size])
    pick = itemgetter(*offsets)
    view = memoryview(content)
    return not any(any(pick(view[byte:])) for byte in range(size))


def _one_by_one(case: Case, part: _Part) -> list[Finding]:
    """The same, relocation by relocation, up to the first that is refused."""
    subject = case.subject
    written = bytearray(part.content)
    for index in range(len(part.data) // 24):
        at = 24 * index
        offset = int.from_bytes(part.data[at : at + 8], "little")
        kind = int.from_bytes(part.data[at + 8 : at + 12], "little")
        symbol = int.from_bytes(part.data[at + 12 : at + 16], "little")
        addend = int.from_bytes(part.data[at + 16 : at + 24], "little", signed=True)
        if symbol >= len(subject.symbols) // 24:
            case.doubt(f"relocation {index} of section {part.number} names a symbol that is not there")
            return []
        if kind == _NONE:
            continue
        place = subject.symbol(symbol)[3]
        if 0 < place < len(subject.rows) and not subject.rows[place].flags & SHF_ALLOC:
            case.doubt(f"relocation {index} of section {part.number} points into what is not loaded")
        if kind not in _SIZES:
            why = f"relocation {index} of section {part.number} has a type the loader does not know: {kind}"
            return [
                case.refuse(
                    "relocations", ENOEXEC, "relocation-type", case.name, kind, why=why, hint=case.rebuild
                )
            ]
        size = _SIZES[kind]
        if kind in (_R_32, _R_32S):
            overflow = _overflows(case, kind, symbol, addend)
            if overflow:
                return [overflow]
        if offset + size > part.size:
            case.doubt(
                f"relocation {index} of section {part.number} lies outside it, and the loader does not look"
            )
            return []
        if any(written[offset : offset + size]):
            return [_nonzero(case, part, index, kind)]
        # What was written is not zero any more: two for one place are refused.
        written[offset : offset + size] = b"\1" * size
    return []


def _nonzero(case: Case, part: _Part, index: int, kind: int) -> Finding:
    name = case.subject.names[part.target].decode("utf-8", "replace")
    why = (
        f"the place of relocation {index} in {name} is not empty: "
        "it was built for another struct module, or damaged"
    )
    values: tuple[object, ...] = (kind, None)
    if "for sec" in case.ground.messages.say("relocation-target"):
        values = (part.number, index, kind, None)
    return case.refuse("relocations", ENOEXEC, "relocation-target", *values, why=why, hint=case.rebuild)


def _overflows(case: Case, kind: int, symbol: int, addend: int) -> Finding | None:
    """Whether an address does not fit: modules and the kernel lie in the last 2 GiB of the address space."""
    subject = case.subject
    name_at, _, _, place, value, _ = subject.symbol(symbol)
    name = subject.symbol_name(name_at)
    if place == SHN_ABS:
        number = value + addend & (1 << 64) - 1
        fits = number < 1 << 32 if kind == _R_32 else number < 1 << 31 or number >= (1 << 64) - (1 << 31)
    elif not place:
        if name not in case.found:
            fits = 0 <= addend < 1 << 31  # a weak one that is not there is 0
        elif kind == _R_32S:
            fits = abs(addend) < 1 << 24
            if not fits:
                case.doubt(f"whether {name} and what is added to it fit in 32 bits")
                fits = True
        else:
            # A per-CPU variable's "address" is small, any other is not.
            case.doubt(f"whether {name} fits in 32 bits")
            fits = True
    elif place < SHN_LORESERVE and place == subject.find(".data..percpu"):
        fits = True
    else:
        fits = kind == _R_32S and abs(addend) < 1 << 24
    if fits:
        return None
    why = f"the address of {name or 'a section'} does not fit where it is to be put: it is no module's code"
    said = case.ground.messages.say("relocation-overflow", kind, None)
    hint = "build it with the kernel's Kbuild, which passes -mcmodel=kernel"
    return Finding("relocations", ENOEXEC, said, why, hint)
