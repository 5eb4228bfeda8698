# SPDX-License-Identifier: MIT
"""How many jobs make gets: processors that may be used, and memory for what each may need."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lkm.compile.value import Jobs

# What one compiler takes at most, in bytes: cc1's largest resident size for kernel/sched/core.c of 6.12, gcc
# 12, x86_64, was 126 MiB, and with debug information and KASAN 244; pahole's for a vmlinux of 413 MiB 232.
PER_JOB = 150 << 20
PER_JOB_DEBUG = 300 << 20
_CGROUP = Path("/sys/fs/cgroup")


def choose_jobs(config: Mapping[str, str], *, asked: int | None = None) -> Jobs:
    """One job a processor that may be used, fewer where memory is short; as many as `asked`, where given."""
    if asked is not None:
        return Jobs(asked, "as asked")
    processors, why = count_processors()
    debug = config.get("DEBUG_INFO") == "y"
    each = PER_JOB_DEBUG if debug else PER_JOB
    free = read_free_memory()
    fitting = max(1, free // each)
    if fitting < processors:
        reason = " with debug information" if debug else ""
        return Jobs(
            fitting, f"{free >> 20} MiB of memory are free, and a compiler{reason} may take {each >> 20}"
        )
    return Jobs(processors, why)


def count_processors(cgroup: Path = _CGROUP) -> tuple[int, str]:
    """The processors this process may use, by its affinity and its control group's quota; and why so many."""
    allowed = len(os.sched_getaffinity(0))
    quota = read_quota(cgroup, Path("/proc/self/cgroup"))
    if quota is not None and quota < allowed:
        count = max(1, round(quota))
        return count, f"the control group allows {quota:g} of {allowed} processors"
    there = os.cpu_count() or allowed
    if allowed < there:
        return allowed, f"{allowed} of {there} processors may be used"
    return allowed, "one processor" if allowed == 1 else f"{allowed} processors"


def read_quota(cgroup: Path, own: Path) -> float | None:
    """How many processors' time the control group and those above it allow (cpu.max, cpu.cfs_quota_us)."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [_read_cfs(cgroup / "cpu")]
    path = next((line.partition("::")[2] for line in lines if line.startswith("0::")), "/")
    place = cgroup / path.lstrip("/")
    while place.is_relative_to(cgroup):
        found.append(_read_max(place / "cpu.max"))
        place = place.parent
    known = [quota for quota in found if quota is not None]
    return min(known) if known else None


def _read_max(path: Path) -> float | None:
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max 100000" is no quota
        return None


def _read_cfs(place: Path) -> float | None:
    try:
        quota = int((place / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((place / "cpu.cfs_period_us").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None


def read_free_memory(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int:
    """Bytes that programs can have without swapping: MemAvailable, or what the control group leaves."""
    fields = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    try:
        limit = int((cgroup / "memory.max").read_text(encoding="ascii"))
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return free
    return min(free, max(limit - used, 0))
