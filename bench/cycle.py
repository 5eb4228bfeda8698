# SPDX-License-Identifier: MIT
"""The jobs that bench/run.py repeats: QEMU's start, cycles, many clones at once."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lkm
from lkm.guest import Guest, Standby
from lkm.guest.start import Settings, find_machine
from lkm.guest.vm import Vm
from lkm.kernel import Kernel

PARAMETERS = "month=December day=31"
MESSAGE = "We are on 31 December"
ROUNDS = 3  # cycles of each of many clones at once


def floor(kernel: Kernel) -> float:
    """Seconds from starting QEMU, with a guest's whole machine, to its first answer on QMP."""
    machine = find_machine(Settings(kernel))
    start = time.perf_counter()
    vm = Vm(machine, "memory-backend-ram", "-S")
    try:
        vm.qmp.call("query-status")
        return time.perf_counter() - start
    finally:
        vm.close()


def _work(guest: Guest, module: Path) -> None:
    step = guest.load(module, PARAMETERS)
    assert step.ok, step
    assert guest.unload("hello").ok
    assert MESSAGE in guest.log().text


def cycle(kernel: Kernel, module: Path) -> None:
    """A clone, loading with parameters, unloading, the log, its end."""
    with lkm.Guest(kernel) as guest:
        _work(guest, module)


def standby_cycle(standby: Standby, module: Path) -> float:
    """Seconds of the same from a standby that waits; making the next one ready is not counted."""
    standby.start()
    time.sleep(0.1)  # let QEMU come to rest
    start = time.perf_counter()
    with standby.take() as guest:
        _work(guest, module)
    return time.perf_counter() - start


def private_memory(pid: int) -> float:
    """MB of memory that are a process's own (/proc/PID/smaps_rollup: Private_Clean and Private_Dirty)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(number) for number in re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE)) / 1000


def clones_at_once(kernel: Kernel, module: Path, count: int) -> tuple[float, float]:
    """Cycles a second of `count` threads that each run some, and the median private memory in MB.

    Memory is read in a round of its own, while all `count` clones have the module loaded: what they share
    (the template's pages, QEMU's program) is then seen to be shared; one clone alone shares with nobody.
    """
    together = threading.Barrier(count)
    memory: list[float] = []

    def run() -> None:
        for _ in range(ROUNDS):
            cycle(kernel, module)

    def look() -> None:
        with lkm.Guest(kernel) as guest:
            assert guest.load(module, PARAMETERS).ok
            together.wait(timeout=120)
            memory.append(private_memory(guest.pid))
            together.wait(timeout=120)

    took = _in_threads(run, count)
    _in_threads(look, count)
    return count * ROUNDS / took, statistics.median(memory)


def _in_threads(job: Callable[[], None], count: int) -> float:
    """Seconds until `count` threads have done `job`; raises what one of them raised."""
    with ThreadPoolExecutor(count) as pool:
        start = time.perf_counter()
        for one in [pool.submit(job) for _ in range(count)]:
            one.result()
        return time.perf_counter() - start
