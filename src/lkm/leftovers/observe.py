# SPDX-License-Identifier: MIT
"""Looking at a guest from outside, around the loading and unloading of modules."""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.leftovers.compare import compare, fold
from lkm.leftovers.inventory import Inventory, read_inventory
from lkm.leftovers.layout import Layout, find_layout
from lkm.leftovers.memory import Memory, Unreadable, find_ram
from lkm.leftovers.pending import FINDERS, find_place_of, is_busy
from lkm.leftovers.place import Place, find_place, read_gone
from lkm.leftovers.pointers import find_pointers, name_pointers
from lkm.leftovers.still import hold_still
from lkm.leftovers.sysfs import read_new
from lkm.leftovers.value import Kind, Leftover

if TYPE_CHECKING:
    from lkm.kernel import Kernel

_SURPRISES = (Unreadable, KeyError, IndexError, ValueError, struct.error)
_PAUSES = (0.02, 0.1)  # seconds; what goes away by itself within them was not forgotten
_FORMAT = 1
# A kernel that was met while it changed its timers goes on for so many times, so many seconds each.
_HOLDS, _HOLD_APART = 20, 0.0005
# Links to slab caches that serve several: the kernel never takes them away (mm/slub.c, sysfs_slab_alias).
_ALIASES = "/sys/kernel/slab/"


class Observer:
    """One guest's memory; made before modules are loaded (`find_observer`), closed after."""

    def __init__(
        self,
        kernel: Kernel,
        layout: Layout,
        *,
        pid: int,
        fd: int,
        pages: int,
        start: int,
        size: int,
        cpus: int,
        before: Inventory | None,
    ) -> None:
        self.kernel = kernel
        self.layout = layout
        self.cpus = cpus
        self._pid = pid
        self._fd = fd
        self._pages = pages
        self._start = start
        self._size = size
        self.places: dict[str, Place] = {}
        if before is None:
            with hold_still(pid):
                before = read_inventory(self.memory(), layout)
        self._before = before

    def close(self) -> None:
        """Gives the descriptors back."""
        os.close(self._fd)
        if self._pages >= 0:
            os.close(self._pages)

    def memory(self) -> Memory:
        """The memory as it is from now on."""
        tables = self.layout.addresses["init_top_pgt"]
        plain = Memory(self._fd, self._start, self._size, tables)
        gone = read_gone(plain, self.places.values())
        return Memory(self._fd, self._start, self._size, tables, gone=gone) if gone else plain

    def note(self, name: str) -> None:
        """Notes where a module lies that is about to be unloaded."""
        with suppress(*_SURPRISES):
            place = find_place(
                Memory(self._fd, self._start, self._size, self.layout.addresses["init_top_pgt"]),
                self.layout,
                name,
            )
            if place is not None:
                self.places[name] = place

    def look(self, pause: Callable[[float], object] = time.sleep) -> tuple[Leftover, ...]:
        """What the noted modules, unloaded since, left behind.

        What is found is looked for again a little later, so that what only takes its time is not told.
        """
        found, links = self._once()
        for seconds in _PAUSES:
            if not found:
                return ()
            pause(seconds)
            again, links = self._once()
            found = [one for one in found if one in again or one.kind in _FLEETING]
        pointers = [one for one in found if one.kind is Kind.POINTER]
        others = [one for one in found if one.kind is not Kind.POINTER]
        if not any(one.kind in _ON_LISTS for one in others):
            others += name_pointers(pointers, self.kernel)
        return fold(others, links)

    def percpu(self) -> int | None:
        """Bytes in use of each processor's memory, None where that cannot be read."""
        from lkm.leftovers.sample import read_percpu

        with hold_still(self._pid), suppress(*_SURPRISES):
            return read_percpu(self.memory(), self.layout)
        return None

    def _once(self) -> tuple[list[Leftover], set[str]]:
        """One look, at a guest that stands still, and where it can be helped not amidst a change."""
        turn = 0
        while True:
            turn += 1
            with hold_still(self._pid):
                memory = self.memory()
                if turn == _HOLDS or not self._is_busy(memory):
                    return self._look(memory)
            time.sleep(_HOLD_APART)

    def _is_busy(self, memory: Memory) -> bool:
        with suppress(*_SURPRISES):
            return is_busy(memory, self.layout, self.cpus)
        return False

    def _look(self, memory: Memory) -> tuple[list[Leftover], set[str]]:
        found = compare(self._before, read_inventory(memory, self.layout))
        links: set[str] = set()
        with suppress(*_SURPRISES):
            if self._before.sysfs is not None:
                for path, link in read_new(memory, self.layout, self._before.sysfs):
                    if link and path.startswith(_ALIASES):
                        continue
                    found.append(Leftover(Kind.SYSFS, path))
                    if link:
                        links.add(path)
        places = tuple(self.places.values())
        for finder in FINDERS:
            with suppress(*_SURPRISES):
                for one in finder(memory, self.layout, places, self.cpus):
                    found.append(one)
        with suppress(*_SURPRISES, OSError):
            for where, value in find_pointers(memory, self.layout, places, self._pages):
                place = find_place_of(places, value)
                detail = f"to {place.name_at(value)}" if place is not None else ""
                found.append(Leftover(Kind.POINTER, f"{where:#x}", detail))
        return found, links


# What reaches into a module that is gone is a fault even where it is over by the second look.
_FLEETING = (Kind.TIMER, Kind.HIGH_RESOLUTION_TIMER, Kind.DELAYED_WORK, Kind.WORK)

# What lies in the module itself and hangs on a list of the kernel's: found as a pointer, too.
_ON_LISTS = (Kind.KPROBE, Kind.MISC_DEVICE, Kind.FILESYSTEM, Kind.PROTOCOL, Kind.CIPHER)


def find_observer(pid: int, kernel: Kernel, *, memory: int, cpus: int) -> Observer | None:
    """An observer of the guest that QEMU's process `pid` runs; `memory`: MiB of it.

    None where its memory cannot be read, or not be understood: a kernel without types (BTF) or symbols.
    """
    layout = find_layout(kernel)
    if layout is None or "init_top_pgt" not in layout.addresses:
        return None
    try:
        ram = find_ram(pid, memory << 20)
        if ram is None:
            return None
        start, file, inode = ram
        fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # no right to look into another process
        return None
    pages = -1
    try:
        if file is not None:
            pages = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        before = _saved_inventory(file, inode, memory << 20, layout) if file else None
        size = memory << 20
        return Observer(
            kernel, layout, pid=pid, fd=fd, pages=pages, start=start, size=size, cpus=cpus, before=before
        )
    except (*_SURPRISES, OSError):
        os.close(fd)
        if pages >= 0:
            os.close(pages)
        return None


def _saved_inventory(file: Path, inode: int, size: int, layout: Layout) -> Inventory | None:
    """That of the saved guest which this one is a clone of: read once, and kept beside it."""
    kept = file.with_name("inventory.json")
    with suppress(OSError, ValueError, KeyError, TypeError):
        read = json.loads(kept.read_bytes())
        if (read["format"], read["inode"]) == (_FORMAT, inode):
            return Inventory(
                {kind: frozenset(names) for kind, names in read["things"].items()}, read["sysfs"]
            )
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_ino != inode:
            return None
        found = read_inventory(Memory(fd, 0, size, layout.addresses["init_top_pgt"]), layout)
    finally:
        os.close(fd)
    things = {kind: sorted(names) for kind, names in found.things.items()}
    with suppress(OSError):
        part = file.with_name(f".inventory.{os.getpid()}")
        part.write_text(
            json.dumps({"format": _FORMAT, "inode": inode, "things": things, "sysfs": found.sysfs})
        )
        part.rename(kept)
    return found
