# SPDX-License-Identifier: MIT
"""The numbers of the ELF format that are used here.

Source: the System V ABI (gABI), chapters 4 and 5, and the processor supplements for machine numbers.
"""

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
