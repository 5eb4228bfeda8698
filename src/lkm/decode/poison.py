# SPDX-License-Identifier: MIT
"""Values that the kernel writes on purpose, and what it tells to find one where a pointer should be.

Source: include/linux/poison.h, lib/Kconfig (POISON_POINTER_DELTA), include/linux/err.h (MAX_ERRNO),
mm/kasan (shadow of address 0), arch/x86/include/asm/page_64_types.h (TASK_SIZE_MAX).
"""

from __future__ import annotations

from errno import errorcode
from typing import NamedTuple

_MAX_ERRNO = 4095
_NEAR = 0x10000
_DELTA = 0xDEAD000000000000  # of x86_64 and arm64
_USER_END = {"x86_64": 1 << 47, "aarch64": 1 << 48, "": 1 << 47}


class Value(NamedTuple):
    """What a value stands for: a `name` for the table below, `text` for a person, `offset` from the value."""

    name: str
    text: str
    offset: int = 0


_FILLED = {
    0x6B: Value("freed", "slab memory that was freed (0x6b, POISON_FREE)"),
    0x5A: Value("uninitialised", "slab memory that was never written (0x5a, POISON_INUSE)"),
    0xA5: Value("slab-end", "the end of a slab object (0xa5, POISON_END)"),
    0xCC: Value("init-freed", "memory of __init code or data, freed after loading (0xcc)"),
    0xAA: Value("page-freed", "a page that was freed (0xaa, PAGE_POISON)"),
    0xFE: Value("stack", "a local variable that was never set (0xfe)"),
}
_LISTS = {
    0x100: Value("list", "LIST_POISON1: an entry that list_del() has removed"),
    0x122: Value("list", "LIST_POISON2: an entry that list_del() has removed"),
    0x200: Value("list", "LIST_POISON2: an entry that list_del() has removed"),
    0x300: Value("timer", "TIMER_ENTRY_STATIC: a timer that was not set up"),
}


def explain_value(value: int, *, arch: str = "") -> Value | None:
    """What a pointer's value stands for; None where it may be any."""
    if value == 0:
        return Value("null", "NULL")
    if (1 << 64) - _MAX_ERRNO <= value < 1 << 64:
        number = (1 << 64) - value
        return Value("error", f"ERR_PTR(-{errorcode.get(number, number)})")
    for byte, what in _FILLED.items():
        # Members lie some way behind the pointer; its upper half is not changed by that.
        if value >> 24 == int.from_bytes(bytes([byte]) * 5, "little"):
            return what._replace(offset=value - int.from_bytes(bytes([byte]) * 8, "little"))
    for low, what in _LISTS.items():
        if value == _DELTA + low:
            return what
    if _DELTA <= value < _DELTA + _NEAR:
        return Value("list", "near LIST_POISON: an entry that list_del() has removed", value - _DELTA)
    if value < _NEAR:
        return Value("near-null", f"{value:#x} bytes after NULL")
    if value < _USER_END.get(arch, 1 << 47):
        return Value("user", "an address of user space")
    return None
