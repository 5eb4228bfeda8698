# SPDX-License-Identifier: MIT
"""What the benchmarks share: repeating, medians and percentiles, the machine, a table and JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Series:
    """Measured values of one thing, in seconds unless `unit` says otherwise."""

    name: str
    values: tuple[float, ...]
    unit: str = "s"

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """The 95th percentile (nearest rank)."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, -(-len(ordered) * 95 // 100) - 1)]


def repeat(name: str, job: Callable[[], float | None], *, runs: int, warmup: int = 1) -> Series:
    """Runs `job` `warmup` times, then `runs` times that count; a job may return its own time."""
    values = []
    for index in range(warmup + runs):
        start = time.perf_counter()
        own = job()
        took = time.perf_counter() - start if own is None else own
        if index >= warmup:
            values.append(took)
        print(f"\r{name}: {index + 1}/{warmup + runs}  ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return Series(name, tuple(values))


def machine() -> dict[str, str]:
    """What was measured on."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.split(": ")[1] for line in cpuinfo.splitlines() if line.startswith("model name")), "?")
    memory = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]) / 1024**2
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def table(rows: list[Series]) -> str:
    """Names, medians, 95th percentiles and how often each was run, as Markdown."""
    lines = ["| what | median | p95 | runs |", "|---|---|---|---|"]
    for row in rows:
        if row.unit == "s":
            median, p95 = (f"{value * 1000:.0f} ms" for value in (row.median, row.p95))
        else:
            median, p95 = (f"{value:.3g} {row.unit}" for value in (row.median, row.p95))
        lines.append(f"| {row.name} | {median} | {p95} | {len(row.values)} |")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to reach: `value` against `bound`; `at_least` tells which side is good."""

    name: str
    value: float
    bound: float
    unit: str = "×"
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether it was."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def target_table(targets: list[Target]) -> str:
    """The targets as Markdown, those missed included."""
    lines = ["| target | asked | measured | |", "|---|---|---|---|"]
    for one in targets:
        sign = "≥" if one.at_least else "≤"
        verdict = "reached" if one.reached else "**missed**"
        lines.append(
            f"| {one.name} | {sign} {one.bound:g} {one.unit} | {one.value:.3g} {one.unit} | {verdict} |"
        )
    return "\n".join(lines)


def report(rows: list[Series], targets: list[Target], *, as_json: bool) -> None:
    """Prints it all."""
    if as_json:
        answer = {
            "schema": 1,
            "machine": machine(),
            "series": [
                {
                    "name": row.name,
                    "unit": row.unit,
                    "median": row.median,
                    "p95": row.p95,
                    "values": row.values,
                }
                for row in rows
            ],
            "targets": [
                {"name": one.name, "asked": one.bound, "measured": one.value, "reached": one.reached}
                for one in targets
            ],
        }
        print(json.dumps(answer, indent=1, ensure_ascii=False))
        return
    print(", ".join(f"{key} {value}" for key, value in machine().items()), end="\n\n")
    print(table(rows), end="\n\n")
    if targets:
        print(target_table(targets))
