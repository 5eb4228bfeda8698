# SPDX-License-Identifier: MIT
"""Where a module lay while it was loaded, and what was where in it: read before it is unloaded."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lkm.leftovers.layout import Layout
from lkm.leftovers.memory import PAGE, Memory, Unreadable
from lkm.leftovers.walk import walk_list

_SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym
_MOST_SYMBOLS = 20000
_MOST_BYTES = 8 << 20  # of each part of a module
_WORDS_CHANGED = 64  # of 512
_CORE = 4  # include/linux/module.h, enum mod_mem_type: text, data, rodata, ro_after_init come first


@dataclass(frozen=True, slots=True)
class Place:
    """A module's memory: `ranges` as (start, end); `symbols` as (address, name), by address.

    `pages`: number of each of its pages, its physical address, what was in it.
    """

    name: str
    ranges: tuple[tuple[int, int], ...]
    symbols: tuple[tuple[int, str], ...] = ()
    pages: tuple[tuple[int, int, bytes], ...] = ()

    def holds(self, address: int) -> bool:
        """Whether an address lay in it."""
        return any(start <= address < end for start, end in self.ranges)

    def name_at(self, address: int) -> str:
        """`hello_tick`, or `hello_data+0x10`; the module's name with an offset where no symbol is known."""
        index = bisect_right(self.symbols, (address, "\x7f")) - 1
        if index < 0:
            start = next((start for start, end in self.ranges if start <= address < end), 0)
            return f"{self.name}+{address - start:#x}"
        found, name = self.symbols[index]
        return name if found == address else f"{name}+{address - found:#x}"


def find_place(memory: Memory, layout: Layout, name: str) -> Place | None:
    """Where the module of that name lies (kernel/module/main.c: `modules`), None where it is not loaded."""
    members = layout.members["module"]
    for one in walk_list(memory, layout.addresses["modules"], members["list"]):
        if memory.text(one + members["name"], 56) == name:
            try:
                symbols = _read_symbols(memory, layout, one)
            except (Unreadable, KeyError):
                symbols = ()
            ranges = tuple(_read_ranges(memory, layout, one))
            return Place(name, ranges, symbols, tuple(_read_pages(memory, ranges)))
    return None


def read_gone(memory: Memory, places: Iterable[Place]) -> dict[int, bytes]:
    """What is in the pages of modules that are unloaded, by number of the page.

    What registered itself and was forgotten mostly lies in them, and the kernel's lists lead through it.  A
    page that serves for something else already is taken as it was before.
    """
    gone = {}
    for place in places:
        for number, address, before in place.pages:
            try:
                after = memory.physical(address, PAGE)
            except Unreadable:
                after = before
            gone[number] = after if _is_same(before, after) else before
    return gone


def _is_same(before: bytes, after: bytes) -> bool:
    """Whether a page is the one that it was, but for a few words."""
    if before == after:
        return True
    words = zip(memoryview(before).cast("Q"), memoryview(after).cast("Q"), strict=True)
    return sum(one != two for one, two in words) < _WORDS_CHANGED


def _read_pages(memory: Memory, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, bytes]]:
    for start, end in ranges:
        for at in range(start & -PAGE, min(end, start + _MOST_BYTES), PAGE):
            try:
                yield at >> 12, memory.translate(at), memory.page(at)
            except Unreadable:
                continue


def _read_ranges(memory: Memory, layout: Layout, module: int) -> list[tuple[int, int]]:
    if layout.has("module", "mem"):  # since 6.4
        part, count = layout.members["module_memory"], _CORE
        first = module + layout.offset("module", "mem")
    else:
        part, count = layout.members["module_layout"], 1
        first = module + layout.offset("module", "core_layout")
    ranges = []
    for at in range(first, first + count * part[""], part[""]):
        start, size = memory.u64(at + part["base"]), memory.u32(at + part["size"])
        if start and size:
            ranges.append((start, start + size))
    return ranges


def _read_symbols(memory: Memory, layout: Layout, module: int) -> tuple[tuple[int, str], ...]:
    part = layout.members["mod_kallsyms"]
    at = memory.u64(module + layout.offset("module", "kallsyms"))
    count = min(memory.u32(at + part["num_symtab"]), _MOST_SYMBOLS)
    rows = list(_SYMBOL.iter_unpack(memory.read(memory.u64(at + part["symtab"]), count * _SYMBOL.size)))
    names_at = memory.u64(at + part["strtab"])
    last = max((row[0] for row in rows), default=0)
    names = memory.read(names_at, last) + memory.text(names_at + last).encode() + b"\0"
    found = []
    for name, _, _, section, value, _ in rows:
        if section and value:
            found.append((value, names[name : names.find(b"\0", name)].decode("ascii", "replace")))
    return tuple(sorted(found))
