# SPDX-License-Identifier: MIT
"""A kernel's report at its source lines, and what it means in plain words."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.decode.decode import decode_log, decode_reports, find_vmlinux
    from lkm.decode.value import Decoded, Excerpt, Instruction, Register, SourceLine, Step, Walk

# Imported when they are first used: only where something went wrong.
_WHERE = {
    "decode": ("decode_log", "decode_reports", "find_vmlinux"),
    "value": ("Decoded", "Excerpt", "Instruction", "Register", "SourceLine", "Step", "Walk"),
}
_PLACE = {name: place for place, names in _WHERE.items() for name in names}

__all__ = [
    "Decoded",
    "Excerpt",
    "Instruction",
    "Register",
    "SourceLine",
    "Step",
    "Walk",
    "decode_log",
    "decode_reports",
    "find_vmlinux",
]


def __getattr__(name: str) -> object:
    place = _PLACE.get(name)
    if place is None:
        raise AttributeError(f"module 'lkm.decode' has no attribute '{name}'")
    return getattr(import_module(f"lkm.decode.{place}"), name)
