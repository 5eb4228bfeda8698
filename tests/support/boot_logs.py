# SPDX-License-Identifier: MIT
"""Boots that were recorded: where they came from is in each file, under `provenance`."""

from __future__ import annotations

import json
from pathlib import Path

from lkm.boot.calls import parse_initcalls
from lkm.boot.clock import join_clocks
from lkm.boot.measure import build_boot
from lkm.boot.points import Entry, Points
from lkm.boot.value import Boot
from lkm.boot.watch import Ask, Watched
from lkm.guest.machine import Machine
from lkm.guest.qemu import Qemu
from lkm.kernel import Kernel, Origin
from lkm.klog import parse_console

LOGS = Path(__file__).parents[1] / "boot" / "logs"


def read_recorded(name: str) -> tuple[Watched, Points]:
    """What was seen of a boot, and what its image says."""
    value = json.loads((LOGS / f"{name}.json").read_text())
    entries = tuple(Entry(*entry) for entry in value["entries"])
    records = parse_console("\n".join(value["log"]).encode())
    marks = value["marks"]
    seen = Watched(
        marks=marks,
        ready=marks["@agent"] + 0.5,
        seconds=marks["@agent"] + 0.5,
        records=records,
        firmware="\n".join(value["firmware"]),
    )
    return seen, Points(value["symbols"], entries, value["unpacked"], value["entry"])


def recorded_boot(name: str, directory: Path) -> Boot:
    """The same as a boot; `directory` is given an empty file for its image."""
    from dataclasses import replace

    seen, points = read_recorded(name)
    image = directory / "vmlinuz"
    image.touch()
    kernel = Kernel(f"debian:{name}", name, "x86_64", Origin.DISTRIBUTION, image=image)
    machine = Machine(Qemu(Path("qemu"), "7.2.22", True), "tcg", 256, 1)
    boot = build_boot(Ask(kernel, image, machine), seen, points, None)
    clock = join_clocks(seen.marks, seen.records)
    rate = clock.rate if clock is not None else None
    calls = parse_initcalls(seen.records, points.entries, rate=rate or 1.0)
    return replace(boot, initcalls=tuple(calls), debug_total=boot.total * 1.1)
