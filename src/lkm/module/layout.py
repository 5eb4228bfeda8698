# SPDX-License-Identifier: MIT
"""What a module's sections are for and what they cost in memory, as the kernel's loader lays them out.

Source: kernel/module/main.c `layout_sections`, `rewrite_section_headers`, `module_init_section`,
`module_exit_section`; include/linux/init.h for what the sections mean in a built-in driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lkm.elf import Elf
from lkm.elf.number import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS, STT_FUNC, STT_OBJECT
from lkm.elf.value import Section

PAGE = 4096
# Cleared of SHF_ALLOC by the loader: read once and not kept.
_READ_ONLY_ONCE = {".modinfo", "__versions", "__version_ext_crcs", "__version_ext_names"}
_AFTER_INIT = (".data..ro_after_init", ".static_call_sites", "__jump_table")


class Kind(StrEnum):
    """What a section is for."""

    TEXT = "text"
    READ_ONLY = "read-only"
    AFTER_INIT = "read-only after init"
    DATA = "data"
    ZERO = "zeroed"
    PER_CPU = "per-CPU"
    INIT_TEXT = "init text"
    INIT_DATA = "init data"
    EXIT_TEXT = "exit text"
    EXIT_DATA = "exit data"
    NOT_LOADED = "not loaded"


MEANINGS = {
    Kind.TEXT: "code",
    Kind.READ_ONLY: "constants and tables",
    Kind.AFTER_INIT: "__ro_after_init: written by init only",
    Kind.DATA: "variables",
    Kind.ZERO: "variables that start as zero (bss)",
    Kind.PER_CPU: "one copy for each CPU",
    Kind.INIT_TEXT: "__init: freed after init",
    Kind.INIT_DATA: "__initdata: freed after init",
    Kind.EXIT_TEXT: "__exit: never loaded if built in",
    Kind.EXIT_DATA: "__exitdata: never loaded if built in",
    Kind.NOT_LOADED: "in the file only: symbols, debugging",
}
FREED = (Kind.INIT_TEXT, Kind.INIT_DATA)
DROPPED_BUILT_IN = (Kind.EXIT_TEXT, Kind.EXIT_DATA)


@dataclass(frozen=True, slots=True)
class Name:
    """A function or a variable and its size in bytes; `also`: other names of the same."""

    name: str
    size: int
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A section: `size` bytes in memory (in the file for what is not loaded), at multiples of `align`."""

    section: str
    kind: Kind
    size: int
    align: int
    functions: tuple[Name, ...]
    variables: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """All sections, and what they sum up to in bytes.

    `core`: kept while the module is loaded.  `init`: freed after init.  Both with the gaps that the
    sections' alignment leaves, so that they may be more than the sections' sizes together.
    `pages`: `core` with each kind rounded up to pages of 4 KiB, as it is protected (what lsmod shows,
    before the symbol table that CONFIG_KALLSYMS keeps as well).  `per_cpu`: for each CPU.
    `not_loaded`: in the file only.
    """

    parts: tuple[Part, ...]
    core: int
    init: int
    pages: int
    per_cpu: int
    not_loaded: int

    def size_of(self, *kinds: Kind) -> int:
        """Bytes of all sections of these kinds."""
        return sum(part.size for part in self.parts if part.kind in kinds)


def read_layout(elf: Elf, *, names: bool = True) -> Layout:
    """The layout of a module; without `names` its parts have no functions and variables.

    Raises `BadInputError` where the file is cut off or lies.
    """
    lists = _names_by_section(elf) if names else {}
    parts = []
    for section in elf.sections[1:]:
        functions, variables = lists.get(section.index, ((), ()))
        parts.append(
            Part(section.name, kind_of(section), section.size, section.align or 1, functions, variables)
        )
    core: dict[int, int] = {}
    init = 0
    for part in parts:
        if part.kind in {Kind.PER_CPU, Kind.NOT_LOADED}:
            continue
        if part.kind in FREED:
            init = _aligned(init, part.align) + part.size
        else:
            group = _GROUPS[part.kind]
            core[group] = _aligned(core.get(group, 0), part.align) + part.size
    return Layout(
        tuple(parts),
        sum(core.values()),
        init,
        sum(_aligned(size, PAGE) for size in core.values()),
        sum(part.size for part in parts if part.kind is Kind.PER_CPU),
        sum(part.size for part in parts if part.kind is Kind.NOT_LOADED),
    )


# Kinds that share pages: each group gets protections of its own.
_GROUPS = {
    Kind.TEXT: 0,
    Kind.EXIT_TEXT: 0,
    Kind.READ_ONLY: 1,
    Kind.AFTER_INIT: 2,
    Kind.DATA: 3,
    Kind.ZERO: 3,
    Kind.EXIT_DATA: 3,
}


def kind_of(section: Section) -> Kind:
    """What a section is for, by its name and flags as the loader sees them."""
    name, flags = section.name, section.flags
    if not flags & SHF_ALLOC or name in _READ_ONLY_ONCE:
        return Kind.NOT_LOADED
    if name == ".data..percpu":
        return Kind.PER_CPU
    code = bool(flags & SHF_EXECINSTR)
    if name.startswith((".init", ".ARM.extab.init", ".ARM.exidx.init")):
        return Kind.INIT_TEXT if code else Kind.INIT_DATA
    if name.startswith((".exit", ".ARM.extab.exit", ".ARM.exidx.exit")):
        return Kind.EXIT_TEXT if code else Kind.EXIT_DATA
    if code:
        return Kind.TEXT
    if name in _AFTER_INIT:
        return Kind.AFTER_INIT
    if not flags & SHF_WRITE:
        return Kind.READ_ONLY
    return Kind.ZERO if section.type == SHT_NOBITS else Kind.DATA


def _names_by_section(elf: Elf) -> dict[int, tuple[tuple[Name, ...], tuple[Name, ...]]]:
    """The functions and the variables in each section, the biggest first.

    `module_init(f)` makes `init_module` another name of `f`: what is at one place is told once.
    """
    found: dict[int, tuple[dict[int, Name], dict[int, Name]]] = {}
    for symbol in elf.symbols:
        if symbol.type in {STT_FUNC, STT_OBJECT} and 0 < symbol.section < len(elf.rows) and symbol.name:
            places = found.setdefault(symbol.section, ({}, {}))[symbol.type == STT_OBJECT]
            first = places.get(symbol.value)
            if first is None:
                places[symbol.value] = Name(symbol.name, symbol.size)
            else:
                size = max(first.size, symbol.size)
                places[symbol.value] = Name(first.name, size, (*first.also, symbol.name))

    def by_size(places: dict[int, Name]) -> tuple[Name, ...]:
        return tuple(sorted(places.values(), key=lambda one: -one.size))

    return {
        index: (by_size(functions), by_size(variables)) for index, (functions, variables) in found.items()
    }


def _aligned(size: int, align: int) -> int:
    return -(-size // align) * align
