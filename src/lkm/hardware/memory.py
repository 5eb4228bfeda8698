# SPDX-License-Identifier: MIT
"""Memory: /proc/meminfo (Documentation/filesystems/proc.rst) and the NUMA nodes of /sys."""

from __future__ import annotations

import re

from lkm.hardware.root import Root
from lkm.hardware.value import Memory

_NODES = "sys/devices/system/node"


def read_memory(root: Root) -> Memory:
    """Memory of a machine; 0 where /proc does not say it."""
    fields = parse_meminfo(root.read("proc/meminfo") or "")
    nodes = []
    for name in root.list(_NODES):
        if re.fullmatch(r"node\d+", name):
            # "Node 0 MemTotal:  24684092 kB"
            text = re.sub(r"(?m)^Node \d+ ", "", root.read(f"{_NODES}/{name}/meminfo") or "")
            nodes.append((name, parse_meminfo(text).get("MemTotal", 0)))
    chosen = re.search(r"\[(\w+)\]", root.read("sys/kernel/mm/transparent_hugepage/enabled") or "")
    return Memory(
        total=fields.get("MemTotal", 0),
        available=fields.get("MemAvailable", fields.get("MemFree", 0)),
        swap=fields.get("SwapTotal", 0),
        swap_free=fields.get("SwapFree", 0),
        nodes=tuple(nodes),
        huge_pages=fields.get("HugePages_Total", 0),
        huge_page=fields.get("Hugepagesize", 0),
        transparent=chosen[1] if chosen else "",
    )


def parse_meminfo(text: str) -> dict[str, int]:
    """The fields in bytes; those without a unit (HugePages_Total) as they are."""
    fields = {}
    for line in text.splitlines():
        found = re.fullmatch(r"(\S+):\s+(\d+)( kB)?\s*", line)
        if found:
            fields[found[1]] = int(found[2]) * (1024 if found[3] else 1)
    return fields
