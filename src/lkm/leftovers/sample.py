# SPDX-License-Identifier: MIT
"""How much memory a guest's kernel has given out, by who keeps count of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lkm.errors import BadInputError
from lkm.leftovers.layout import Layout
from lkm.leftovers.memory import PAGE, Memory
from lkm.leftovers.walk import walk_list

if TYPE_CHECKING:
    from lkm.guest import Guest

# /proc/meminfo: what is counted elsewhere.
_COUNTED = (
    "Buffers", "Cached", "SwapCached", "AnonPages", "Slab", "PageTables", "SecPageTables", "VmallocUsed",
    "Percpu",
)  # fmt: skip
# /proc/zoneinfo: free pages of a zone, and those that a processor keeps for itself.  Both are printed under
# the zone's lock (mm/vmstat.c, walk_zones_in_node), and so agree; MemFree, read a moment before, does not.
_FREE = re.compile(r"^(?:  pages free| +count:) +(\d+)$", re.MULTILINE)
# Counters that are kept for each processor are added up every second or so; reading this does it now
# (mm/vmstat.c, vmstat_refresh).
_REFRESH = "/proc/sys/vm/stat_refresh"
_CALLER = re.compile(r"^0x\S+-0x\S+ +(\d+) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory given out at one time.

    `slabs`: by cache, objects in use; `sizes`: bytes of each cache's objects, as they lie in memory.
    `areas`: by caller of vmalloc and its like, (how many, bytes).  `pages`: bytes of pages that nobody else
    counts.  `percpu`: bytes of each processor's memory, None where it cannot be read.
    """

    slabs: Mapping[str, int]
    sizes: Mapping[str, int] = field(default_factory=dict)
    areas: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    pages: int = 0
    percpu: int | None = None


def parse_slabinfo(text: str) -> tuple[dict[str, int], dict[str, int]]:
    """/proc/slabinfo: objects in use, and bytes of each, by cache."""
    rows = [line.split() for line in text.splitlines()[2:]]
    rows = [row for row in rows if len(row) > 3 and row[1].isdigit() and row[3].isdigit()]
    return {row[0]: int(row[1]) for row in rows}, {row[0]: int(row[3]) for row in rows}


def parse_areas(text: str) -> dict[str, tuple[int, int]]:
    """/proc/vmallocinfo: how many areas, and bytes, by caller; each area ends with a page that guards it."""
    found: dict[str, tuple[int, int]] = {}
    for size, caller in _CALLER.findall(text):
        count, total = found.get(caller, (0, 0))
        found[caller] = count + 1, total + int(size) - PAGE
    return found


def parse_pages(meminfo: str, zoneinfo: str, *, mapped_stacks: bool) -> int:
    """Bytes of pages that are in use and that no other number of /proc/meminfo counts.

    `mapped_stacks`: whether the stacks of processes are areas of vmalloc (CONFIG_VMAP_STACK): they are
    counted there, too.
    """
    pairs = (line.partition(":") for line in meminfo.splitlines())
    values = {name: int(rest.split()[0]) for name, _, rest in pairs if rest.split()}
    counted = _COUNTED if mapped_stacks else (*_COUNTED, "KernelStack")
    free = sum(int(count) for count in _FREE.findall(zoneinfo)) * PAGE
    return (values.get("MemTotal", 0) - sum(values.get(one, 0) for one in counted)) * 1024 - free


def read_percpu(memory: Memory, layout: Layout) -> int:
    """Bytes in use of each processor's memory (mm/percpu.c: `pcpu_chunk_lists`)."""
    place = layout.members["pcpu_chunk"]
    lists = memory.u64(layout.addresses["pcpu_chunk_lists"])
    count = min(memory.u32(layout.addresses["pcpu_nr_slots"]), 256)
    used = 0
    for head in range(lists, lists + 16 * count, 16):
        for chunk in walk_list(memory, head, place["list"]):
            pages, free = memory.u32(chunk + place["nr_pages"]), memory.u32(chunk + place["free_bytes"])
            used += pages * PAGE - free
    return used


def take_sample(guest: Guest, percpu: int | None = None, *, mapped_stacks: bool = True) -> Sample:
    """The memory given out now; what this kernel does not tell is empty (`mapped_stacks`: `parse_pages`)."""
    slabs, sizes = parse_slabinfo(_read(guest, "/proc/slabinfo"))
    areas = parse_areas(_read(guest, "/proc/vmallocinfo"))
    _read(guest, _REFRESH)
    zoneinfo, meminfo = _read(guest, "/proc/zoneinfo"), _read(guest, "/proc/meminfo")
    pages = parse_pages(meminfo, zoneinfo, mapped_stacks=mapped_stacks)
    return Sample(slabs, sizes, areas, pages, percpu)


def _read(guest: Guest, path: str) -> str:
    try:
        return guest.copy_out(path).decode("utf-8", "replace")
    except BadInputError:  # this kernel has no such file
        return ""
