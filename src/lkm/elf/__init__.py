# SPDX-License-Identifier: MIT
"""The ELF subset that modules and kernel images need: 32 and 64 bit, both byte orders, hostile input."""

from lkm.elf.reader import Elf, parse_elf
from lkm.elf.source import BytesSource, FileSource, Source, open_source
from lkm.elf.value import Header, Machine, Relocation, Section, Symbol, machine_name

__all__ = [
    "BytesSource",
    "Elf",
    "FileSource",
    "Header",
    "Machine",
    "Relocation",
    "Section",
    "Source",
    "Symbol",
    "machine_name",
    "open_source",
    "parse_elf",
]
