# SPDX-License-Identifier: MIT
"""What repeated loading and unloading costs: the memory that grows with each cycle, and who allocated it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.errors import BadInputError
from lkm.leftovers.kmemleak import find_lost, has_kmemleak
from lkm.leftovers.place import Place
from lkm.leftovers.sample import Sample, take_sample
from lkm.leftovers.sites import Allocation, Namer, bare_address, parse_traces
from lkm.leftovers.trend import find_growth, sample_turns

if TYPE_CHECKING:
    from lkm.guest import Guest
    from lkm.kernel import Kernel
    from lkm.leftovers.observe import Observer

_TRACK = "slub_debug=U"  # who allocated each object (mm/slub.c); it counts objects exactly, too
FEWEST = 5  # cycles, and objects of one place: fewer may be what the kernel takes once and keeps
_OFTEN = 4  # a place that allocated in every fourth cycle at least, and was never freed
_FEWEST_PAGES = 20  # cycles from which on pages that nobody counts are judged: the kernel takes some in bulk
_SETTLE = 7.0  # seconds; what is freed by kfree_rcu() takes 5 (kernel/rcu/tree.c, KFREE_DRAIN_JIFFIES)
_LOOK = 0.5
# What noting who allocates takes for itself with each new cache; kernels before 6.3 did not give it back.
_OWN_DOING = "debugfs_slab_add+"


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory that each cycle leaves behind.

    `where`: the slab cache (`kmalloc-4k`), `vmalloc`, `pages` or `per-processor memory`.  `size`: bytes for
    each cycle; `count`: objects for each cycle, both rounded where not every cycle leaves the same.  `site`:
    who allocated it, `hello_init+0x2a [hello]`, or ""; `source`: its line, `hello.c:31`, where the module has
    debug information; `frames`: from the allocation to the module, innermost first.  `also`: other caches
    that go with it.
    """

    where: str
    size: int
    count: float
    site: str = ""
    frames: tuple[str, ...] = ()
    source: str = ""
    also: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One plain sentence."""
        times = f" ({self.count:g} objects)" if self.count not in (0, 1) else ""
        line = f" ({self.source})" if self.source else ""
        at = f", allocated at {self.site}{line}" if self.site else ""
        also = f"; with it {', '.join(self.also)}" if self.also else ""
        return f"{self.size} bytes of {self.where} are not given back each time{times}{at}{also}"


@dataclass(frozen=True, slots=True)
class Cycles:
    """`asked` for and `done`; what grew with them, the most first.

    `tracked`: whether the kernel noted who allocates.
    """

    asked: int
    done: int
    growths: tuple[Growth, ...] = ()
    tracked: bool = False


def counts_objects(kernel: Kernel) -> bool:
    """Whether objects of a kernel can be counted: KASAN keeps freed ones for long (its quarantine)."""
    return not _has_option(kernel, "KASAN", unknown=False)


def _has_option(kernel: Kernel, name: str, *, unknown: bool) -> bool:
    try:
        return unknown if kernel.config is None else f"\nCONFIG_{name}=y\n" in kernel.config.read_text()
    except OSError:
        return unknown


def cycles_cmdline(cmdline: str, kernel: Kernel) -> str:
    """Words for the kernel's command line with those that have it note who allocates."""
    if "slub_debug" in cmdline or "slab_debug" in cmdline or not counts_objects(kernel):
        return cmdline
    return f"{cmdline} {_TRACK}".strip()


class Counter:
    """Takes samples between cycles, and judges them at the end.

    `observer`: None where the guest's memory cannot be read from outside.  `files`: the modules' by name.
    """

    def __init__(
        self, guest: Guest, observer: Observer | None, asked: int, files: Mapping[str, Path]
    ) -> None:
        self._guest = guest
        self._observer = observer
        self._files = files
        self._places: dict[tuple[str, int], Place] = {}
        self._turns: list[int] = []
        self._samples: list[Sample] = []
        self._when = frozenset(sample_turns(asked))
        self._counts = counts_objects(guest.kernel)
        self._mapped_stacks = _has_option(guest.kernel, "VMAP_STACK", unknown=True)  # arch/Kconfig: the usual
        self._kmemleak = has_kmemleak(guest)
        self.asked = asked
        self.done = 0

    def cycled(self) -> None:
        """One more load and unload was done."""
        self.done += 1
        if self._observer is not None:
            for place in self._observer.places.values():
                self._places.setdefault((place.name, place.ranges[0][0] if place.ranges else 0), place)
        if self.done in self._when:
            if not self._samples:
                self._sample()  # taking one takes memory itself, the first time
            self._samples.append(self._sample())
            self._turns.append(self.done)

    def result(self, wait: Callable[[float], object] | None) -> Cycles:
        """What grew.  What is freed late gets its time: `wait` is called with seconds.

        None for a guest that is ill, and is not looked at.
        """
        if wait is None:
            return Cycles(self.asked, self.done)
        lost = self._lost(wait) if self._kmemleak else []
        tracked = bool(self._traces("kmalloc-8") or self._traces("kmalloc-64"))
        waited = 0.0
        found = self._judge()
        while found and waited < _SETTLE:
            wait(_LOOK)
            waited += _LOOK
            if self._samples:
                self._samples[-1] = self._sample()
            found = self._judge()
        return Cycles(self.asked, self.done, tuple(fold_growths([*found, *lost])), tracked)

    def _sample(self) -> Sample:
        percpu = self._observer.percpu() if self._observer is not None else None
        return take_sample(self._guest, percpu, mapped_stacks=self._mapped_stacks)

    def _judge(self) -> list[Growth]:
        if len(self._samples) < 2:
            return []
        slabs = self._slabs() if self._counts else []
        found = [*slabs, *self._areas(), *self._uncounted(), *self._percpu()]
        return fold_growths(sorted(found, key=lambda one: -one.size))

    def _slabs(self) -> list[Growth]:
        first, last = self._samples[0], self._samples[-1]
        least = max((self._turns[-1] - self._turns[0]) // _OFTEN, FEWEST - 1)
        found = []
        for cache, count in last.slabs.items():
            more = count - first.slabs.get(cache, 0)
            if more >= least:
                found += self._grown(cache, more, least)
        return found

    def _grown(self, cache: str, more: int, least: int) -> list[Growth]:
        """What a cache that holds `more` objects says; `least`: fewer are nothing."""
        traces = self._traces(cache)
        doing = sum(one.count for one in traces if _is_own_doing(one))
        if more - doing < least:
            return []
        namer = Namer(self._files, self._places.values())
        size = self._object_size(cache) or self._samples[-1].sizes.get(cache, 0)
        sites = self._often(traces, namer)
        if sites:
            return [_slab_growth(cache, size, one, self.done, namer) for one in sites]
        each = self._trend([one.slabs.get(cache, 0) for one in self._samples], 0.9)
        return [Growth(cache, round(each * size), round(each, 1))] if each else []

    def _often(self, traces: Sequence[Allocation], namer: Namer) -> list[Allocation]:
        """Places in the modules whose objects are as many as cycles, or nearly."""
        kept: dict[tuple[str, ...], Allocation] = {}
        for one in traces:
            if one.depth and not _is_own_doing(one):
                key = namer.frames(one.frames)  # the same place, wherever the module lay
                before = kept[key].count if key in kept else 0
                kept[key] = Allocation(before + one.count, one.frames)
        return [one for one in kept.values() if one.count >= max(self.done // _OFTEN, FEWEST)]

    def _object_size(self, cache: str) -> int:
        """Bytes of an object without what is noted beside it; 0 where the kernel does not tell."""
        try:
            return int(self._guest.copy_out(f"/sys/kernel/slab/{cache}/object_size"))
        except (BadInputError, ValueError):
            return 0

    def _traces(self, cache: str) -> list[Allocation]:
        try:
            data = self._guest.copy_out(f"/sys/kernel/debug/slab/{cache}/alloc_traces")
        except BadInputError:
            return []
        return parse_traces(data.decode("utf-8", "replace"))

    def _areas(self) -> list[Growth]:
        first, last = self._samples[0], self._samples[-1]
        namer = Namer(self._files, self._places.values())
        found = []
        by_site: dict[str, tuple[int, int]] = {}
        lines: dict[str, str] = {}
        for caller, (count, size) in last.areas.items():
            address = bare_address(caller)
            if address:
                site = namer.name(address)
                lines.setdefault(site, namer.source(address))
                before = by_site.get(site, (0, 0))
                by_site[site] = before[0] + count, before[1] + size
            elif count - first.areas.get(caller, (0, 0))[0] >= max(self.done // 2, 2):
                each = self._trend([one.areas.get(caller, (0, 0))[1] for one in self._samples], 0.9 * 4096)
                if each:
                    found.append(Growth("vmalloc", round(each), 1, caller))
        for site, (count, size) in by_site.items():
            if count >= max(self.done // _OFTEN, FEWEST):
                each_size, each_count = round(size / self.done), round(count / self.done, 1)
                found.append(Growth("vmalloc", each_size, each_count, site, source=lines.get(site, "")))
        return found

    def _lost(self, wait: Callable[[float], object]) -> list[Growth]:
        """What kmemleak found, where it is as often as cycles, or nearly."""
        namer = Namer(self._files, self._places.values())
        counts: dict[tuple[str, ...], tuple[int, int]] = {}
        lines: dict[tuple[str, ...], str] = {}
        for one in find_lost(self._guest, wait):
            place = Allocation(1, one.frames)
            if place.depth:
                frames = namer.frames(one.frames[: place.depth])
                if frames not in lines:
                    lines[frames] = namer.source(place.own) if place.own else ""
                count, size = counts.get(frames, (0, 0))
                counts[frames] = count + 1, size + one.size
        return [
            Growth(
                "memory that nobody refers to (kmemleak)",
                round(size / self.done),
                round(count / self.done, 1),
                frames[-1],
                frames,
                lines[frames],
            )
            for frames, (count, size) in counts.items()
            if count >= max(self.done // _OFTEN, FEWEST)
        ]

    def _uncounted(self) -> list[Growth]:
        if self.done < _FEWEST_PAGES:
            return []
        each = self._trend([one.pages for one in self._samples], 0.9 * 4096)
        return [Growth("pages", round(each / 4096) * 4096, 0)] if each else []

    def _percpu(self) -> list[Growth]:
        values = [one.percpu for one in self._samples if one.percpu is not None]
        if len(values) < len(self._samples):
            return []
        each = self._trend(values, 3.5)
        return [Growth("per-processor memory", round(each), 0)] if each else []

    def _trend(self, values: Sequence[int], least: float) -> float | None:
        return find_growth(self._turns, values, least=least)


def _is_own_doing(one: Allocation) -> bool:
    return any(frame.startswith(_OWN_DOING) for frame in one.frames)


def fold_growths(found: Sequence[Growth]) -> list[Growth]:
    """One for each place that allocates, the largest: an area of vmalloc has objects in several caches."""
    kept: dict[str, Growth] = {}
    for one in found:
        largest = kept.setdefault(one.site or one.where, one)
        if largest is not one and one.where not in (largest.where, *largest.also):
            kept[one.site] = replace(largest, also=(*largest.also, one.where))
    return list(kept.values())


def _slab_growth(cache: str, size: int, one: Allocation, done: int, namer: Namer) -> Growth:
    each = one.count / done
    frames = namer.frames(one.frames[: one.depth])  # beyond is only how the kernel calls any module
    site = namer.name(one.own) if one.own else frames[-1]
    source = namer.source(one.own) if one.own else ""
    return Growth(cache, round(each * size), round(each, 1), site, frames, source)
