# SPDX-License-Identifier: MIT
"""The kernel's own variables that still point into a module that is gone: lists nobody else knows of.

A notifier, a shrinker, a handler in a table: what is registered by its own structure hangs on a variable of
the kernel's.  Of a clone only the pages are searched that it has written since it was saved.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lkm.errors import LkmError
from lkm.leftovers.layout import Layout
from lkm.leftovers.memory import IMAGE, PAGE, Memory
from lkm.leftovers.place import Place
from lkm.leftovers.value import Kind, Leftover

if TYPE_CHECKING:
    from lkm.kernel import Kernel

_PRESENT, _OF_FILE = 1 << 63, 1 << 61  # Documentation/admin-guide/mm/pagemap.rst
_AREAS = (("_sdata", "_edata"), ("__bss_start", "__bss_stop"))
# Variables that only remember where modules lay (kernel/module/main.c; arch/x86/kernel/unwind_orc.c).
_REMEMBERING = ("mod_tree", "cur_orc_ip_table", "cur_orc_table")
_LONGEST = 64  # bytes of them
# Others that do, by how their names begin: the log, stacks, what was patched, traced or locked last.
_ALSO_REMEMBERING = ("__log_buf", "init_stack", "lock_", "stack_", "text_poke", "tp_vec", "trace_", "vmap_")


def find_pointers(
    memory: Memory, layout: Layout, places: Sequence[Place], pages: int
) -> Iterator[tuple[int, int]]:
    """(where, what) of the words in the kernel's variables that point into `places`.

    `pages`: a descriptor of QEMU's /proc/PID/pagemap, or -1 to search all.
    """
    tops = {address >> 24 for place in places for start, end in place.ranges for address in (start, end - 1)}
    needles = [top.to_bytes(5, "little") for top in tops]
    known = [layout.addresses.get(name, 0) for name in _REMEMBERING]
    for first, last in _AREAS:
        start, end = layout.addresses[first] & -PAGE, layout.addresses[last]
        for at, size in _written(memory, start - IMAGE, end - IMAGE, pages):
            data = memory.physical(at, size)
            for needle in needles:
                for word in _aligned(data, needle):
                    (value,) = struct.unpack_from("<Q", data, word)
                    where = at + word + IMAGE
                    if any(place.holds(value) for place in places) and not _remembers(known, where):
                        yield where, value


def _remembers(known: Sequence[int], where: int) -> bool:
    return any(start <= where < start + _LONGEST for start in known)


def _aligned(data: bytes, needle: bytes) -> Iterator[int]:
    """Where the upper five bytes of a word are `needle`."""
    at = data.find(needle)
    while at >= 0:
        if (at - 3) % 8 == 0 and at >= 3:
            yield at - 3
        at = data.find(needle, at + 1)


def _written(memory: Memory, start: int, end: int, pages: int) -> Iterator[tuple[int, int]]:
    """(physical address, size) of the pages between two addresses that are not the saved ones any more."""
    if pages < 0:
        yield start, end - start
        return
    count = -(-(end - start) // PAGE)
    host = memory.host_address(start)
    words = struct.unpack(f"<{count}Q", os.pread(pages, count * 8, host // PAGE * 8))
    run = 0
    for index, word in enumerate(words):
        if word & _PRESENT and not word & _OF_FILE:
            run += 1
            continue
        if run:
            yield start + (index - run) * PAGE, run * PAGE
        run = 0
    if run:
        yield start + (count - run) * PAGE, run * PAGE


def name_pointers(found: Sequence[Leftover], kernel: Kernel) -> Iterator[Leftover]:
    """`found`, whose names are addresses, by the names of the kernel's variables; a second's work."""
    from lkm.kernel.image import unpack_image
    from lkm.kernel.kallsyms import read_kallsyms

    try:
        data = unpack_image(kernel.image) if found and kernel.image else None
        symbols = read_kallsyms(data) if data else None
    except LkmError:
        return
    rows = sorted((one.address, one.name) for one in symbols or ())
    for one in found:
        index = bisect_right(rows, (int(one.name, 16), "\x7f")) - 1
        if index >= 0 and not rows[index][1].startswith(_ALSO_REMEMBERING):
            yield Leftover(Kind.POINTER, rows[index][1], one.detail)
