# SPDX-License-Identifier: MIT
"""What would still reach into a module that is gone: timers, work, probes, the kernel's own pointers.

No file tells these: they are found by the addresses that they would call.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from lkm.leftovers.layout import Layout
from lkm.leftovers.memory import Memory, Unreadable
from lkm.leftovers.place import Place
from lkm.leftovers.registered import thread_name, walk_tasks
from lkm.leftovers.value import Kind, Leftover
from lkm.leftovers.walk import Radix, walk_chain, walk_list, walk_tree

_TIMER_BASES = 3  # NR_BASES of kernel/time/timer.c: two up to 6.8, then three
_CLOCK_BASES = 8  # HRTIMER_MAX_CLOCK_BASES
_POOLS = 256  # worker pools that are looked at: two for each processor, and the unbound ones
_KTHREAD = 0x200000  # PF_KTHREAD
_DISTANCE = 1 << 24  # jiffies that the clocks of one processor's timer bases lie apart at most

Finder = Callable[[Memory, Layout, Sequence[Place], int], Iterator[Leftover]]


def find_place_of(places: Sequence[Place], address: int) -> Place | None:
    """The module that an address lay in."""
    return next((place for place in places if place.holds(address)), None)


def find_timers(memory: Memory, layout: Layout, places: Sequence[Place], cpus: int) -> Iterator[Leftover]:
    """Timers of the wheel, and delayed work, which is a timer first (kernel/time/timer.c: `timer_bases`)."""
    base, timer = layout.members["timer_base"], layout.members["timer_list"]
    later = layout.addresses["delayed_work_timer_fn"]
    to_work = layout.offset("delayed_work", "work") + layout.offset("work_struct", "func")
    for one in _wheel(memory, layout, base, cpus):
        function = memory.u64(one + timer["function"])
        kind = Kind.TIMER
        if function == later:
            kind = Kind.DELAYED_WORK
            function = memory.u64(one - layout.offset("delayed_work", "timer") + to_work)
        place = find_place_of(places, function)
        if place is not None:
            yield Leftover(kind, place.name_at(function))


def _wheel(memory: Memory, layout: Layout, base: dict[str, int], cpus: int) -> Iterator[int]:
    count = (base[""] - base["vectors"]) // 8
    for cpu in range(cpus):
        first = per_cpu(memory, layout, "timer_bases", cpu)
        clock = memory.u64(first + base["clk"])
        for at in range(first, first + _TIMER_BASES * base[""], base[""]):
            if memory.u32(at + base["cpu"]) != cpu or abs(memory.u64(at + base["clk"]) - clock) > _DISTANCE:
                break  # not a base any more
            for head in struct.unpack(f"<{count}Q", memory.read(at + base["vectors"], 8 * count)):
                if head:
                    yield from walk_chain(memory, head, 0)


def per_cpu(memory: Memory, layout: Layout, name: str, cpu: int) -> int:
    """The address of a processor's own copy of a variable."""
    start = memory.u64(layout.addresses["__per_cpu_offset"] + 8 * cpu)
    return layout.addresses[name] + start & 0xFFFFFFFFFFFFFFFF


def is_busy(memory: Memory, layout: Layout, cpus: int) -> bool:
    """Whether the kernel was just changing its timers or its queues of work: it holds their locks."""
    for cpu in range(cpus):
        first = per_cpu(memory, layout, "hrtimer_bases", cpu)
        if memory.u32(first + layout.offset("hrtimer_cpu_base", "lock")):
            return True
        base = layout.members["timer_base"]
        first = per_cpu(memory, layout, "timer_bases", cpu)
        for at in range(first, first + _TIMER_BASES * base[""], base[""]):
            if memory.u32(at + base["cpu"]) == cpu and memory.u32(at + base["lock"]):
                return True
    lock = layout.offset("worker_pool", "lock")
    return any(memory.u32(pool + lock) for pool in _pools(memory, layout))


def _pools(memory: Memory, layout: Layout) -> Iterator[int]:
    index = layout.addresses["worker_pool_idr"] + layout.offset("idr", "idr_rt")
    pools = Radix(memory, index, layout.offset("xarray", "xa_head"), layout.offset("xa_node", "slots"))
    for number in range(_POOLS):
        pool = pools.find(number)
        if not pool:
            return
        yield pool


def find_hrtimers(memory: Memory, layout: Layout, places: Sequence[Place], cpus: int) -> Iterator[Leftover]:
    """High-resolution timers (kernel/time/hrtimer.c: `hrtimer_bases`)."""
    size, active = layout.members["hrtimer_clock_base"][""], layout.offset("hrtimer_clock_base", "active")
    function_at = layout.offset("hrtimer", "function")
    for cpu in range(cpus):
        first = per_cpu(memory, layout, "hrtimer_bases", cpu) + layout.offset(
            "hrtimer_cpu_base", "clock_base"
        )
        for at in range(first, first + _CLOCK_BASES * size, size):
            for node in walk_tree(memory, at + active):
                function = memory.u64(node - layout.offset("hrtimer", "node") + function_at)
                place = find_place_of(places, function)
                if place is not None:
                    yield Leftover(Kind.HIGH_RESOLUTION_TIMER, place.name_at(function))


def find_work(memory: Memory, layout: Layout, places: Sequence[Place], cpus: int) -> Iterator[Leftover]:
    """Work that is queued or running (kernel/workqueue.c: `worker_pool_idr`)."""
    pool, work, worker = (layout.members[one] for one in ("worker_pool", "work_struct", "worker"))
    functions = []
    for at in _pools(memory, layout):
        queued = walk_list(memory, at + pool["worklist"], work["entry"])
        functions += [memory.u64(one + work["func"]) for one in queued]
        count = (pool["manager"] - pool["busy_hash"]) // 8
        for head in struct.unpack(f"<{count}Q", memory.read(at + pool["busy_hash"], 8 * count)):
            for one in walk_chain(memory, head, 0) if head else ():
                at_worker = one - worker["hentry"]
                functions.append(memory.u64(at_worker + worker["current_func"]))
                waits = walk_list(memory, at_worker + worker["scheduled"], work["entry"])
                functions += [memory.u64(other + work["func"]) for other in waits]
    for function in functions:
        place = find_place_of(places, function)
        if place is not None:
            yield Leftover(Kind.WORK, place.name_at(function))


def find_threads(memory: Memory, layout: Layout, places: Sequence[Place], cpus: int) -> Iterator[Leftover]:
    """Kernel threads whose function lay in a module (kernel/kthread.c: `struct kthread`)."""
    task = layout.members["task_struct"]
    own = task["worker_private"] if "worker_private" in task else task["set_child_tid"]  # up to 5.16
    for one in walk_tasks(memory, layout):
        if not memory.u32(one + task["flags"]) & _KTHREAD:
            continue
        thread = memory.u64(one + own)
        function = memory.u64(thread + layout.offset("kthread", "threadfn")) if thread else 0
        place = find_place_of(places, function)
        if place is not None:
            name = thread_name(memory, layout, one)
            yield Leftover(Kind.KERNEL_THREAD, name, f"in {place.name_at(function)}()")


def find_kprobes(memory: Memory, layout: Layout, places: Sequence[Place], cpus: int) -> Iterator[Leftover]:
    """Probes whose `struct kprobe` or handler lay in a module (kernel/kprobes.c: `kprobe_table`)."""
    place_of = layout.members["kprobe"]
    table = layout.addresses["kprobe_table"]
    for head in struct.unpack("<64Q", memory.read(table, 512)):
        for one in walk_chain(memory, head, place_of["hlist"]) if head else ():
            if find_place_of(places, one) is None:
                continue
            # The probe itself lay in the module: what it says is gone with that, but not yet overwritten.
            try:
                name = memory.text(memory.u64(one + place_of["symbol_name"]))
            except Unreadable:
                name = ""
            yield Leftover(Kind.KPROBE, name or "a function of the kernel")


FINDERS: tuple[Finder, ...] = (find_timers, find_hrtimers, find_work, find_threads, find_kprobes)
