# SPDX-License-Identifier: MIT
"""The values of an ELF file (System V ABI, chapters 4 and 5)."""

from __future__ import annotations

from dataclasses import dataclass

from lkm.elf.number import SHN_UNDEF, Machine

# As `uname -m` says it; (32-bit little, 32-bit big, 64-bit little, 64-bit big), "" where there is none.
_UNAME: dict[int, tuple[str, str, str, str]] = {
    Machine.SPARC: ("", "sparc", "", ""),
    Machine.SPARC32PLUS: ("", "sparc", "", ""),
    Machine.SPARCV9: ("", "", "", "sparc64"),
    Machine.I386: ("i686", "", "", ""),
    Machine.M68K: ("", "m68k", "", ""),
    Machine.MIPS: ("mips", "mips", "mips64", "mips64"),
    Machine.PARISC: ("", "parisc", "", "parisc64"),
    Machine.PPC: ("ppcle", "ppc", "", ""),
    Machine.PPC64: ("", "", "ppc64le", "ppc64"),
    Machine.S390: ("", "s390", "", "s390x"),
    Machine.ARM: ("armv7l", "armv7b", "", ""),
    Machine.SH: ("sh4", "sh4eb", "", ""),
    Machine.X86_64: ("x86_64", "", "x86_64", ""),
    Machine.XTENSA: ("xtensa", "xtensa", "", ""),
    Machine.AARCH64: ("aarch64", "aarch64_be", "aarch64", "aarch64_be"),
    Machine.MICROBLAZE: ("microblaze", "microblaze", "", ""),
    Machine.ARC_V2: ("arc", "arceb", "", ""),
    Machine.HEXAGON: ("hexagon", "", "", ""),
    Machine.OPENRISC: ("", "openrisc", "", ""),
    Machine.NIOS2: ("nios2", "", "", ""),
    Machine.RISCV: ("riscv32", "", "riscv64", ""),
    Machine.CSKY: ("csky", "", "", ""),
    Machine.LOONGARCH: ("loongarch32", "", "loongarch64", ""),
    Machine.ALPHA: ("", "", "alpha", ""),
}


def machine_name(number: int, *, bits: int = 64, little: bool = True) -> str:
    """`e_machine` as `uname -m` says it (`x86_64`, `aarch64`, `i686`); `machine-N` where it is not known."""
    names = _UNAME.get(number)
    name = names[(0 if bits == 32 else 2) + (not little)] if names else ""
    return name or f"machine-{number}"


@dataclass(frozen=True, slots=True)
class Header:
    """The ELF header: `bits` 32 or 64, `little` byte order, the rest as in the file, counts resolved."""

    bits: int
    little: bool
    type: int
    machine: int
    version: int
    entry: int
    program_offset: int
    section_offset: int
    flags: int
    program_count: int
    section_count: int
    names_index: int

    @property
    def arch(self) -> str:
        """The machine as `uname -m` says it."""
        return machine_name(self.machine, bits=self.bits, little=self.little)


@dataclass(frozen=True, slots=True)
class Section:
    """A row of the section table; `offset` and `size` in bytes, `size` is not in the file for NOBITS."""

    index: int
    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A row of the symbol table; `section` is an index, or one of the reserved SHN_ numbers."""

    index: int
    name: str
    value: int
    size: int
    binding: int
    type: int
    visibility: int
    section: int

    @property
    def undefined(self) -> bool:
        """Whether another file has to define it."""
        return self.section == SHN_UNDEF and self.index != 0


@dataclass(frozen=True, slots=True)
class Relocation:
    """A row of a REL or RELA section: `symbol` is an index; `addend` is None for REL (it lies in place)."""

    offset: int
    type: int
    symbol: int
    addend: int | None
