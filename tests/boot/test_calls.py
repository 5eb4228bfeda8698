# SPDX-License-Identifier: MIT
"""Initcalls and freed memory from the kernel's log."""

from __future__ import annotations

import pytest
from boot_logs import read_recorded

from lkm.boot.calls import clock_step, last_unreturned, parse_freed, parse_initcalls
from lkm.boot.points import Entry
from lkm.klog import Record, parse_console


def log(*texts: str) -> list[Record]:
    return [Record(index, index / 100, 7, text) for index, text in enumerate(texts)]


def test_each_has_its_level_module_and_line() -> None:
    seen, points = read_recorded("debian-7.3")
    calls = {one.name: one for one in parse_initcalls(seen.records, points.entries)}
    assert [calls[name].level for name in ("con_init", "bts_init", "sock_init", "acpi_init")] == [
        "console",
        "early",
        "core",
        "subsys",
    ]
    assert [calls[name].level for name in ("inet_init", "populate_rootfs", "slab_late_init")] == [
        "fs",
        "rootfs",
        "late",
    ]
    assert (calls["acpi_init"].module, calls["acpi_init"].line) == ("acpi", 1510)
    assert calls["con_init"].module == ""


def test_time_is_that_of_the_two_stamps_not_of_the_tick_counting_clock() -> None:
    seen, points = read_recorded("debian-7.3")
    calls = {one.name: one for one in parse_initcalls(seen.records, points.entries)}
    assert calls["init_hw_perf_events"].seconds == pytest.approx(0.067194)  # it says 68000 usecs
    assert calls["bts_init"].seconds == pytest.approx(0.000066)  # it says 0 usecs
    assert calls["bts_init"].result == -19


def test_time_is_brought_to_the_hosts_clock() -> None:
    seen, points = read_recorded("debian-7.3")
    slow = parse_initcalls(seen.records, points.entries, rate=2.0)
    assert next(one for one in slow if one.name == "acpi_init").seconds == pytest.approx(2 * 0.564777)


def test_a_clock_that_moves_in_ticks_is_seen() -> None:
    steps, points = read_recorded("own-6.12-steps")
    assert clock_step(parse_initcalls(steps.records, points.entries)) == pytest.approx(0.01)
    fine, points = read_recorded("debian-7.3")
    assert clock_step(parse_initcalls(fine.records, points.entries)) == pytest.approx(1e-6)
    assert clock_step([]) == 0


@pytest.mark.parametrize("shown", ["0xffffffff82a31c40", "ffffffff82a31c40"])
def test_without_kallsyms_the_address_names_the_function(shown: str) -> None:
    entries = [Entry("acpi_init", "subsys", 0xFFFFFFFF82A31C40, "acpi", 1510)]
    calls = parse_initcalls(
        log(f"calling  {shown} @ 1", f"initcall {shown} returned 0 after 10 usecs"), entries
    )
    assert [(one.name, one.level, one.seconds) for one in calls] == [("acpi_init", "subsys", 0.01)]
    nothing = parse_initcalls(log(f"calling  {shown} @ 1"))
    assert (nothing[0].name, nothing[0].level) == ("0xffffffff82a31c40", "")


def test_functions_of_one_name_are_told_apart_by_their_order() -> None:
    entries = [Entry("init", "core", 1), Entry("other", "core", 2), Entry("init", "late", 3)]
    calls = parse_initcalls(
        log(*(f"calling  {name}+0x0/0x10 @ 1" for name in ("init", "other", "init"))), entries
    )
    assert [one.level for one in calls] == ["core", "core", "late"]


def test_a_function_under_another_ones_name_has_the_level_of_its_place() -> None:
    entries = [Entry("one", "core", 1), Entry("twin", "fs", 2), Entry("last", "late", 3)]
    calls = parse_initcalls(
        log(*(f"calling  {name}+0x0/0x10 @ 1" for name in ("one", "its_twin", "last"))), entries
    )
    assert [(one.name, one.level) for one in calls] == [("one", "core"), ("its_twin", "fs"), ("last", "late")]


def test_modules_are_none_of_them() -> None:
    assert parse_initcalls(log("calling  hello_init+0x0/0x1000 [hello] @ 77")) == []


def test_the_one_that_did_not_return_is_the_last() -> None:
    calls = parse_initcalls(
        log("calling  a+0x0/0x1 @ 1", "initcall a+0x0/0x1 returned 0 after 1 usecs", "calling  b+0x0/0x1 @ 1")
    )
    last = last_unreturned(calls)
    assert last is not None and (last.name, last.result) == ("b", None)
    assert last_unreturned(calls[:1]) is None


def test_memory_given_back_is_in_the_kernels_words() -> None:
    seen, _ = read_recorded("debian-7.3")
    assert [(one.what, one.bytes >> 10) for one in parse_freed(seen.records)] == [
        ("initrd", 1996),
        ("unused decrypted", 2028),
        ("unused kernel image (initmem)", 4412),
        ("unused kernel image (text/rodata gap)", 576),
        ("unused kernel image (rodata/data gap)", 608),
    ]
    assert [one.what for one in parse_freed(log("Freeing unused kernel memory: 1088K (c0 - c1)"))] == [
        "unused kernel"
    ]


@pytest.mark.parametrize(
    "text", ["calling  ", "calling  x @ ", "initcall x returned", "Freeing memory: K", "Freeing  memory: -1K"]
)
def test_damaged_lines_are_passed_over(text: str) -> None:
    records = parse_console(f"<7>[    0.000000] {text}".encode())
    assert parse_initcalls(records) == [] and parse_freed(records) == []
