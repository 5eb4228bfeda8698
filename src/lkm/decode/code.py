# SPDX-License-Identifier: MIT
"""The files that code came from: a module or a vmlinux, its symbols and debug information."""

from __future__ import annotations

import posixpath
import struct
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from posixpath import normpath
from typing import NamedTuple

from lkm.decode.dwarf.debug import DAMAGE, Debug, Scope, Site
from lkm.elf import Elf, Symbol, parse_elf
from lkm.elf.number import (
    ET_REL,
    SHF_EXECINSTR,
    SHN_LORESERVE,
    SHN_UNDEF,
    SHT_NOBITS,
    STT_FILE,
    STT_SECTION,
)
from lkm.errors import BadInputError
from lkm.klog.report import Code, Frame
from lkm.module.file import module_name, open_module

_FEWEST = 8  # bytes of a function that are worth comparing
_DUMP_BEFORE, _DUMP_AFTER = 42, 22  # bytes, as the kernel prints them (arch/x86/kernel/dumpstack.c)
_TOLERATED = 3  # one byte of so many may differ: what the kernel patches at run time


class Fit(StrEnum):
    """Whether a frame of a log can be of a file."""

    FITS = "fits"
    NO_SYMBOL = "no-symbol"
    OTHER_SIZE = "other-size"
    OTHER_CODE = "other-code"


class Found(NamedTuple):
    """Where a frame is in a file.  `address`: of the instruction (see `place_sections`); `size`: of the
    function, as the kernel counts it (to the next symbol)."""

    fit: Fit
    symbol: Symbol | None = None
    address: int = 0
    size: int = 0


class CodeFile:
    """A module's file or a vmlinux.  Raises `BadInputError` where it is neither."""

    def __init__(self, path: Path, *, name: str = "") -> None:
        self.path = path
        self.name = name or module_name(path.name)
        self.elf: Elf = parse_elf(open_module(path))

    @cached_property
    def has_debug(self) -> bool:
        """Whether it holds debug information."""
        return self.elf.find_section(".debug_info") is not None

    @cached_property
    def debug(self) -> Debug:
        """Its debug information."""
        return Debug(self.elf)

    @cached_property
    def _values(self) -> dict[int, list[int]]:
        """The values of all named symbols by section, in rising order: what the kernel counts sizes by."""
        found: dict[int, set[int]] = {}
        for one in self.elf.symbols:
            # kernel/module/kallsyms.c find_kallsyms_symbol: neither unnamed ones nor the assembler's marks.
            if one.name and not one.name.startswith(("$", ".L", "L0\1")) and one.type != STT_SECTION:
                found.setdefault(one.section, set()).add(one.value)
        return {section: sorted(values) for section, values in found.items()}

    def find(self, frame: Frame) -> Found:
        """Where a frame is, if its symbol is there and as long as the log says.

        The kernel counts a function's size up to the next symbol, wherever that is; for the last of a section
        it may be anything from the symbol's own size on.
        """
        if frame.offset is None:
            return Found(Fit.NO_SYMBOL)
        closest = Found(Fit.NO_SYMBOL)
        for symbol in self.elf.symbols_named(frame.symbol):
            if symbol.section in {SHN_UNDEF} or symbol.section >= SHN_LORESERVE or symbol.type == STT_FILE:
                continue
            size = self._size(symbol)
            address = self.debug.places.get(symbol.section, 0) + symbol.value + frame.offset
            fits = frame.size is None or (size == frame.size if size else frame.size >= symbol.size)
            if fits and frame.offset <= (frame.size or frame.offset):
                return Found(Fit.FITS, symbol, address, size or symbol.size)
            closest = Found(Fit.OTHER_SIZE, symbol, address, size or symbol.size)
        return closest

    def has_bytes(self, found: Found, code: Code) -> bool:
        """Whether the bytes that the kernel printed around a fault are the file's, as far as can be told.

        Not compared is what changes when a module is loaded: what relocations are for, with the instruction's
        first byte (calls become NOPs), and a few bytes that the kernel patches (alternatives, static keys).
        """
        symbol = found.symbol
        if symbol is None or self.elf.header.type != ET_REL:
            return True
        offset = found.address - self.debug.places.get(symbol.section, 0)
        begin = max(offset - code.at, symbol.value)
        end = min(offset + len(code.data) - code.at, symbol.value + symbol.size)
        section = self.elf.section(symbol.section)
        if end - begin < _FEWEST or end > section.size or section.type == SHT_NOBITS:
            return True
        ours = self.elf.source.read(section.offset + begin, end - begin, section.name)
        theirs = code.data[code.at + begin - offset : code.at + end - offset]
        loose = {
            place
            for one in self.elf.relocations(section)
            if begin - 8 <= one.offset < end + 2
            for place in range(one.offset - 2, one.offset + 4)
        }
        compared = [place for place in range(begin, end) if place not in loose]
        differ = sum(ours[place - begin] != theirs[place - begin] for place in compared)
        return differ * _TOLERATED <= len(compared)

    def bytes_at(self, found: Found) -> Code | None:
        """The file's own bytes around an instruction, for a log that has none; relocations are not done."""
        symbol = found.symbol
        if symbol is None or self.elf.header.type != ET_REL:
            return None
        offset = found.address - self.debug.places.get(symbol.section, 0)
        section = self.elf.section(symbol.section)
        begin = max(offset - _DUMP_BEFORE, symbol.value)
        end = min(offset + _DUMP_AFTER, symbol.value + symbol.size, section.size)
        if section.type == SHT_NOBITS or not begin <= offset < end:
            return None
        return Code(self.elf.source.read(section.offset + begin, end - begin, section.name), offset - begin)

    def _size(self, symbol: Symbol) -> int:
        from bisect import bisect_right

        values = self._values.get(symbol.section, [])
        index = bisect_right(values, symbol.value)
        return values[index] - symbol.value if index < len(values) else 0

    def sites(self, address: int) -> tuple[Site, ...]:
        """The source lines of an address, innermost first; empty where nothing says them."""
        if not self.has_debug:
            return ()
        unit = self.debug.find_unit(address)
        return self.debug.sites(unit, address) if unit is not None else ()

    def scopes(self, address: int) -> list[Scope]:
        """What surrounds an address: the function, the blocks and inlined calls in it."""
        unit = self.debug.find_unit(address) if self.has_debug else None
        return self.debug.scopes(unit, address) if unit is not None else []

    def unit_path(self, address: int) -> str:
        """The source file that the code at an address was compiled from, as the compiler knew it."""
        from lkm.decode.dwarf.number import At

        unit = self.debug.find_unit(address) if self.has_debug else None
        if unit is None:
            return ""
        name = unit.string(unit.attributes.get(At.NAME))
        directory = unit.string(unit.attributes.get(At.COMP_DIR))
        return normpath(posixpath.join(directory, name))


class KernelFile(CodeFile):
    """A vmlinux: too big to be read whole, so symbols are searched for as bytes."""

    def find(self, frame: Frame) -> Found:
        """Where a frame is.  Sizes are compared roughly: to know the next symbol takes reading them all."""
        if frame.offset is None or frame.module:
            return Found(Fit.NO_SYMBOL)
        closest = Found(Fit.NO_SYMBOL)
        for symbol in self._symbols(frame.symbol):
            if self.elf.section(symbol.section).flags & SHF_EXECINSTR == 0:
                continue
            address = symbol.value + frame.offset
            room = (frame.size or symbol.size) - symbol.size
            if 0 <= room < 256 or not symbol.size:
                return Found(Fit.FITS, symbol, address, symbol.size)
            closest = Found(Fit.OTHER_SIZE, symbol, address, symbol.size)
        return closest

    def _symbols(self, name: str) -> list[Symbol]:
        data, form, strings, _ = self.elf._symbol_table
        wanted, found, at = name.encode() + b"\0", [], -1
        while (at := strings.find(wanted, at + 1)) >= 0:  # linkers let a name lie in the end of a longer one
            key, place = struct.pack(self.elf.order + "I", at), -1
            while (place := data.find(key, place + 1)) >= 0:
                if place % form.size == 0:
                    found.append(self.elf.symbol(place // form.size))
        return [one for one in found if 0 < one.section < SHN_LORESERVE]

    @cached_property
    def root(self) -> str:
        """The directory of the kernel's sources, as the compiler knew it, with a slash; "" if unknown."""
        for symbol in self._symbols("start_kernel"):
            path = self.unit_path(symbol.value)
            if path.endswith("/init/main.c"):
                return path.removesuffix("init/main.c")
        return ""

    def sites(self, address: int) -> tuple[Site, ...]:
        """The line of the instruction; inlined calls are not looked for, to be quick."""
        unit = self.debug.find_unit(address) if self.has_debug else None
        found = self.debug.sites(unit, address, inlined=False) if unit is not None else ()
        return tuple(site._replace(path=normpath(site.path).removeprefix(self.root)) for site in found)


def open_code(path: Path) -> CodeFile:
    """A module's file; raises `BadInputError` where it cannot be read or is no module."""
    try:
        return CodeFile(path)
    except DAMAGE as error:
        raise BadInputError(f"{path}: damaged: {error}") from error
