# SPDX-License-Identifier: MIT
"""How many jobs: control groups as the kernel shows them, memory as /proc/meminfo has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.compile import jobs

MEMINFO = "MemTotal:       4014140 kB\nMemFree:          90000 kB\nMemAvailable:    {} kB\n"


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    """A control group hierarchy (version 2) with us in /a/b."""
    (tmp_path / "cgroup/a/b").mkdir(parents=True)
    (tmp_path / "own").write_text("0::/a/b\n")
    return tmp_path / "cgroup"


@pytest.mark.parametrize(
    ("places", "quota"),
    [
        ({}, None),
        ({"a/b/cpu.max": "max 100000\n"}, None),
        ({"a/b/cpu.max": "150000 100000\n"}, 1.5),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2.0),
        ({"a/b/cpu.max": "800000 100000\n", "cpu.max": "50000 100000\n"}, 0.5),
        ({"a/b/cpu.max": "nonsense\n"}, None),
        ({"a/b/cpu.max": "100000 0\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3.0),
    ],
)
def test_the_least_quota_of_all_groups_counts(
    cgroup: Path, places: dict[str, str], quota: float | None
) -> None:
    for name, text in places.items():
        (cgroup / name).parent.mkdir(exist_ok=True)
        (cgroup / name).write_text(text)
    assert jobs.read_quota(cgroup, cgroup.parent / "own") == quota


def test_a_group_of_version_one_has_no_line_of_its_own(cgroup: Path) -> None:
    (cgroup.parent / "own").write_text("4:cpu,cpuacct:/a\n")
    (cgroup / "cpu.max").write_text("100000 100000\n")
    assert jobs.read_quota(cgroup, cgroup.parent / "own") == 1.0


def test_memory_is_what_the_group_leaves(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(MEMINFO.format(2 << 20))
    assert jobs.read_free_memory(meminfo, tmp_path) == 2 << 30
    (tmp_path / "memory.max").write_text(f"{1 << 30}\n")
    (tmp_path / "memory.current").write_text(f"{256 << 20}\n")
    assert jobs.read_free_memory(meminfo, tmp_path) == 768 << 20
    (tmp_path / "memory.max").write_text("max\n")
    assert jobs.read_free_memory(meminfo, tmp_path) == 2 << 30


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "count_processors", lambda: (8, "8 processors"))
    monkeypatch.setattr(jobs, "read_free_memory", lambda: 1 << 30)
    assert jobs.choose_jobs({}).count == 6
    chosen = jobs.choose_jobs({"DEBUG_INFO": "y"})
    assert chosen.count == 3 and "1024 MiB of memory are free" in chosen.why
    assert jobs.choose_jobs({"DEBUG_INFO": "y"}, asked=16) == jobs.Jobs(16, "as asked")
    monkeypatch.setattr(jobs, "read_free_memory", lambda: 1 << 20)
    assert jobs.choose_jobs({}).count == 1


def test_here_it_is_the_processors_of_this_process() -> None:
    count, why = jobs.count_processors()
    assert count >= 1 and why
