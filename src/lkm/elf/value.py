# SPDX-License-Identifier: MIT
"""The values of an ELF file, and the numbers of the format that are used here.

Source: the System V ABI (gABI), chapters 4 and 5, and the processor supplements for machine numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
TYPE_NAMES = {0: "none", ET_REL: "object", ET_EXEC: "executable", ET_DYN: "shared object", ET_CORE: "core"}

SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA = 0, 1, 2, 3, 4
SHT_NOTE, SHT_NOBITS, SHT_REL, SHT_SYMTAB_SHNDX = 7, 8, 9, 18
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 1, 2, 4, 0x800
SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0, 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE = 0, 1, 2, 3, 4


class Machine:
    """`e_machine` of the architectures that Linux runs modules on.  Plain numbers: an enumeration of them
    takes 2 ms to make, at every start."""

    SPARC = 2
    I386 = 3
    M68K = 4
    MIPS = 8
    PARISC = 15
    SPARC32PLUS = 18
    PPC = 20
    PPC64 = 21
    S390 = 22
    ARM = 40
    SH = 42
    SPARCV9 = 43
    X86_64 = 62
    XTENSA = 94
    AARCH64 = 183
    MICROBLAZE = 189
    ARC_V2 = 195
    HEXAGON = 164
    OPENRISC = 92
    NIOS2 = 113
    RISCV = 243
    CSKY = 252
    LOONGARCH = 258
    ALPHA = 0x9026


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
