# SPDX-License-Identifier: MIT
"""Two inventories to what was left behind: each thing told once, by the name that says most."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from lkm.leftovers.inventory import Inventory
from lkm.leftovers.value import Kind, Leftover

_IRQ = re.compile(r"/proc/irq/(\d+)/([^/]+)")
_PATHS = (Kind.PROC, Kind.SYSCTL, Kind.DEBUGFS, Kind.SYSFS)
# What brings entries of its own name in /proc, /sys and debugfs along.
_OWNERS = (Kind.NETWORK_DEVICE, Kind.MISC_DEVICE, Kind.SLAB_CACHE, Kind.PROTOCOL)


def compare(before: Inventory, after: Inventory) -> list[Leftover]:
    """What is in `after` and was not in `before`; entries of /sys are not in an inventory."""
    found: list[Leftover] = []
    for kind, names in after.things.items():
        old = before.things.get(kind)
        if old is None:
            continue
        if kind == Kind.REFERENCE:
            found += _references(old, names)
        else:
            found += [Leftover(Kind(kind), name) for name in sorted(names - old)]
    return found


def _references(old: frozenset[str], new: frozenset[str]) -> Iterator[Leftover]:
    counts = {name: int(count) for name, _, count in (one.rpartition(" ") for one in old)}
    for one in sorted(new):
        name, _, text = one.rpartition(" ")
        more = int(text) - counts.get(name, int(text))
        if more > 0:
            yield Leftover(Kind.REFERENCE, name, f"{more} more than before")


def fold(found: Iterable[Leftover], links: Iterable[str] = ()) -> tuple[Leftover, ...]:
    """Each thing once: of paths the topmost, and none that only belongs to something else that is told.

    `links`: paths in /sys that are links; they are told only where nothing else in /sys is.
    """
    told = sorted(
        {_as_interrupt(one) for one in found}, key=lambda one: (list(Kind).index(one.kind), one.name)
    )
    told = _drop_links(told, frozenset(links))
    paths = {one.name for one in told if one.kind in _PATHS}
    owners = {_owner_name(one) for one in told if one.kind in _OWNERS}
    kept = [
        one
        for one in told
        if one.kind not in _PATHS
        or not (any(above in paths for above in _above(one.name)) or owners & set(one.name.split("/")))
    ]
    return tuple(_one_of_each(kept))


def _as_interrupt(one: Leftover) -> Leftover:
    """/proc/irq/7/hello is there as long as the handler is."""
    match = _IRQ.fullmatch(one.name) if one.kind is Kind.PROC else None
    return Leftover(Kind.INTERRUPT, match[1], match[2]) if match else one


def _drop_links(told: Sequence[Leftover], links: frozenset[str]) -> list[Leftover]:
    real = any(one.kind is Kind.SYSFS and one.name not in links for one in told)
    owned = any(one.kind in _OWNERS for one in told)
    return [one for one in told if one.name not in links or not (real or owned)]


def _above(path: str) -> Iterator[str]:
    while "/" in path[1:]:
        path = path.rpartition("/")[0]
        yield path


def _owner_name(one: Leftover) -> str:
    return one.name.partition(" ")[0]


def _one_of_each(told: Sequence[Leftover]) -> Iterator[Leftover]:
    """Without a thread that is told twice (by its function, and as new), and what a handler's thread is."""
    threads = {one.name for one in told if one.kind is Kind.KERNEL_THREAD and one.detail}
    irqs = {f"irq/{one.name}-{one.detail}"[:15] for one in told if one.kind is Kind.INTERRUPT}
    for one in told:
        comm = one.name.partition(" (pid")[0]
        again = one.kind is Kind.KERNEL_THREAD and not one.detail and (one.name in threads or comm in irqs)
        if not again:
            yield one
