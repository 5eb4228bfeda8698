# SPDX-License-Identifier: MIT
"""All that is registered with a guest's kernel at one time."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from lkm.leftovers.layout import Layout
from lkm.leftovers.memory import Memory, Unreadable
from lkm.leftovers.registered import SOURCES
from lkm.leftovers.sysfs import next_number

_SURPRISES = (Unreadable, KeyError, IndexError, struct.error)


@dataclass(frozen=True, slots=True)
class Inventory:
    """`things`: names by kind; a kind that could not be looked at is not there.

    `sysfs`: the number that the next entry of /sys gets, None where that is not known.
    """

    things: Mapping[str, frozenset[str]]
    sysfs: int | None


def read_inventory(memory: Memory, layout: Layout) -> Inventory:
    """What is registered now."""
    things = {}
    for kind, source in SOURCES.items():
        names = set()
        try:
            for name in source(memory, layout):
                names.add(name)
        except _SURPRISES:
            continue
        things[kind.value] = frozenset(names)
    try:
        sysfs = next_number(memory, layout)
    except _SURPRISES:
        sysfs = None
    return Inventory(things, sysfs)
