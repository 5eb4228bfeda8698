# SPDX-License-Identifier: MIT
"""The kernel's clock and this machine's, joined."""

from __future__ import annotations

import pytest
from boot_logs import read_recorded

from lkm.boot.clock import join_clocks, join_levels
from lkm.boot.value import Initcall
from lkm.klog import Record


def test_two_places_give_begin_and_rate() -> None:
    seen, _ = read_recorded("debian-7.3")
    clock = join_clocks(seen.marks, seen.records)
    assert clock is not None and clock.rate == pytest.approx(1.362, abs=0.001)  # the host was busy
    assert clock.host(10.508614) == pytest.approx(seen.marks["run_init_process"])
    assert clock.host(1.143657) == pytest.approx(seen.marks["smp_init"])


def test_a_kernel_for_one_processor_is_joined_at_its_initramfs() -> None:
    seen, _ = read_recorded("own-6.12-steps")
    assert "smp_init" not in seen.marks
    clock = join_clocks(seen.marks, seen.records)
    assert clock is not None and clock.rate is not None
    assert clock.host(1.37) == pytest.approx(seen.marks["do_populate_rootfs"])


def test_each_level_has_the_rate_of_its_own_time() -> None:
    marks = {"level ": 1.0, "level 0": 2.0, "level 1": 2.01, "run_init_process": 5.0}
    calls = [
        Initcall(name, level, start, 0.1)
        for name, level, start in (
            ("a", "early", 0.5),
            ("b", "early", 0.6),
            ("c", "pure", 1.0),
            ("d", "core", 1.001),
        )
    ]
    run = Record(0, 2.001, 6, "Run /init as init process")
    # pure is too short to tell
    assert join_levels(marks, calls, [run]) == pytest.approx({"early": 2.0, "core": 2.99})
    assert join_levels({}, calls, [run]) == {} and join_levels(marks, [], []) == {}


def test_one_place_gives_no_rate_and_none_nothing() -> None:
    run = Record(0, 2.0, 6, "Run /init as init process")
    clock = join_clocks({"run_init_process": 5.0}, [run])
    assert clock is not None and (clock.begin, clock.rate) == (3.0, None)
    assert clock.host(1.0) == 4.0
    assert join_clocks({}, [run]) is None
    assert join_clocks({"run_init_process": 5.0}, []) is None
    # From before there was a clock: says nothing.
    smp = Record(1, 0.0, 6, "smp: Bringing up secondary CPUs ...")
    clock = join_clocks({"run_init_process": 5.0, "smp_init": 1.0}, [smp, run])
    assert clock is not None and clock.rate is None
