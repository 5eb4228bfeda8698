# SPDX-License-Identifier: MIT
"""New entries of /sys, found by their numbers, which only grow (fs/kernfs/dir.c: `kernfs_root.ino_idr`)."""

from __future__ import annotations

from collections.abc import Iterator

from lkm.leftovers.layout import Layout
from lkm.leftovers.memory import Memory
from lkm.leftovers.walk import Radix

_LINK = 4  # KERNFS_LINK
_REMOVED = 1 << 31
_MOST = 20000
_DEEPEST = 64


def next_number(memory: Memory, layout: Layout) -> int:
    """The number that the next entry gets."""
    root = memory.u64(layout.addresses["sysfs_root"])
    return memory.u32(root + layout.offset("kernfs_root", "ino_idr") + layout.offset("idr", "idr_next"))


def read_new(memory: Memory, layout: Layout, first: int) -> Iterator[tuple[str, bool]]:
    """Paths of the entries numbered from `first` on, and whether each is a link."""
    root = memory.u64(layout.addresses["sysfs_root"])
    numbers = root + layout.offset("kernfs_root", "ino_idr") + layout.offset("idr", "idr_rt")
    entries = Radix(memory, numbers, layout.offset("xarray", "xa_head"), layout.offset("xa_node", "slots"))
    top = memory.u64(root + layout.offset("kernfs_root", "kn"))
    place = layout.members["kernfs_node"]
    for number in range(first, min(next_number(memory, layout), first + _MOST)):
        entry = entries.find(number)
        # One that was taken away stays while someone knows it by name (__kernfs_remove: KN_DEACTIVATED_BIAS).
        if entry and memory.u32(entry + place["active"]) < _REMOVED:
            link = memory.read(entry + place["flags"], 1)[0] & _LINK != 0
            yield _path(memory, place, entry, top), link


def _path(memory: Memory, place: dict[str, int], entry: int, top: int) -> str:
    parent_at = place["parent"] if "parent" in place else place["__parent"]  # since 6.15
    names: list[str] = []
    while entry not in (0, top) and len(names) < _DEEPEST:
        names.append(memory.text(memory.u64(entry + place["name"])))
        entry = memory.u64(entry + parent_at)
    return "/sys/" + "/".join(reversed(names))
