# SPDX-License-Identifier: MIT
"""Where the kernel put a module's sections, read from the memory of a guest that stopped in its loader.

The loader keeps name and address of every section for /sys/module/NAME/sections (kernel/module/sysfs.c,
add_sect_attrs).  Where in `struct module` that is, and how long an entry is, differs with version and
configuration: both are told by what they hold, not by a version.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from lkm.errors import MissingError
from lkm.guest.gdb.stub import Stub

THIS_MODULE = ".gnu.linkonce.this_module"  # where struct module itself lies
_LIST, _NAME = 8, 24  # struct module: state, list, name[56] since 2.6
_STRUCT_MOST = 8192  # bytes of struct module that are looked at
_HEAD_MOST = 256  # bytes before the first entry
_ENTRY_MOST = 512  # bytes of one
_MODULES_MOST = 4096


@dataclass(frozen=True, slots=True)
class Layout:
    """Bytes: to the pointer in struct module, to the first entry, to the next, to the address in each."""

    pointer: int
    first: int
    stride: int
    address: int


def module_name_at(stub: Stub, module: int) -> str:
    """The name in the struct module at that address."""
    return stub.read_text(module + _NAME, 56)


def find_layout(stub: Stub, module: int, names: Collection[str]) -> Layout:
    """How this kernel keeps sections; `module`: address of a struct module, `names`: of its file's sections.

    Raises `MissingError` where it keeps none (without CONFIG_KALLSYMS or CONFIG_SYSFS).
    """
    for offset, pointer in enumerate(_words(stub.read(module, _STRUCT_MOST))):
        # struct module_sect_attrs begins with a struct attribute_group, and that with its name.
        if not _is_address(pointer) or stub.read_text(stub.read_word(pointer), 16) != "sections":
            continue
        layout = _measure(stub, module, pointer, names)
        if layout is not None:
            first, stride, address = layout
            return Layout(8 * offset, first, stride, address)
    raise MissingError(
        "this kernel does not say where it puts a module's sections (CONFIG_KALLSYMS, CONFIG_SYSFS)",
        hint="lkm run --gdb --kernel debian",
    )


def _measure(stub: Stub, module: int, at: int, names: Collection[str]) -> tuple[int, int, int] | None:
    """First entry, bytes of an entry, and where in it the address is; None where it is no table of them."""
    words = list(_words(stub.read(at, _HEAD_MOST + 2 * _ENTRY_MOST)))
    starts = (8 * place for place, word in enumerate(words) if place and _names(stub, word, names))
    first = next(starts, None)
    if first is None or first > _HEAD_MOST:
        return None
    for second in starts:
        stride = second - first
        for place in _entries(stub, at + first, stride, names):
            if _text(stub, stub.read_word(place)) != THIS_MODULE:
                continue
            for offset, word in enumerate(_words(stub.read(place, stride))):
                if word == module:
                    return first, stride, 8 * offset
    return None


def read_sections(stub: Stub, module: int, layout: Layout, names: Collection[str]) -> dict[str, int]:
    """Addresses of a module's sections by name, for those that are in memory; `names`: of its file's."""
    at = stub.read_word(module + layout.pointer)
    found: dict[str, int] = {}
    for place in _entries(stub, at + layout.first, layout.stride, names) if _is_address(at) else ():
        name = _text(stub, stub.read_word(place))
        found.setdefault(name, stub.read_word(place + layout.address))
    return found


def find_modules(stub: Stub, module: int, wanted: Collection[str]) -> Mapping[str, int]:
    """Addresses of the struct modules of these names that are loaded, from one of them on."""
    found: dict[str, int] = {}
    link = stub.read_word(module + _LIST)
    for _ in range(_MODULES_MOST):
        other = link - _LIST  # the list's head is among them, and no module
        if other == module or not _is_address(link) or len(found) == len(wanted):
            break
        name = module_name_at(stub, other)
        if name in wanted:
            found[name] = other
        link = stub.read_word(link)
    return found


def _entries(stub: Stub, at: int, stride: int, names: Collection[str]) -> Iterator[int]:
    """Addresses of the entries of a table: as many as begin with a pointer to a section's name."""
    while stride and _names(stub, stub.read_word(at), names):
        yield at
        at += stride


def _names(stub: Stub, word: int, names: Collection[str]) -> bool:
    return _is_address(word) and _text(stub, word) in names


def _text(stub: Stub, address: int) -> str:
    return stub.read_text(address, 256)


def _words(data: bytes) -> Iterator[int]:
    return (word for (word,) in struct.iter_unpack("<Q", data[: len(data) & ~7]))


def _is_address(word: int) -> bool:
    """Whether it may be one in the kernel's half."""
    return word >> 47 == (1 << 17) - 1
