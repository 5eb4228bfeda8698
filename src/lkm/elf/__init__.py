# SPDX-License-Identifier: MIT
"""The ELF subset that modules and kernel images need: 32 and 64 bit, both byte orders, hostile input.

What reads whole files is imported when it is first used: a modules directory is read without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lkm.elf.source import BytesSource, FileSource, Source, open_source

if TYPE_CHECKING:
    from lkm.elf.number import Machine
    from lkm.elf.reader import Elf, parse_elf
    from lkm.elf.value import Header, Relocation, Section, Symbol, machine_name

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


def __getattr__(name: str) -> object:
    if name in __all__:
        place = {"Elf": "reader", "parse_elf": "reader", "Machine": "number"}.get(name, "value")
        return getattr(import_module(f"lkm.elf.{place}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
