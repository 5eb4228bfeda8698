# SPDX-License-Identifier: MIT
"""Which records of a flood are kept."""

from __future__ import annotations

from lkm.klog import Record
from lkm.klog.kept import KeptRecords


def record(number: int, *, level: int = 6, text: str = "") -> Record:
    return Record(number, number / 1000, level, text or f"record {number}")


def test_all_are_kept_of_a_log_that_is_no_flood() -> None:
    kept = KeptRecords()
    for number in range(90_000):
        kept.add(record(number))
    assert [one.seq for one in kept] == list(range(90_000))
    assert (len(kept), kept.left_out) == (90_000, 0)


def test_of_a_flood_both_ends_are_kept_and_the_rest_is_counted() -> None:
    kept = KeptRecords()
    for number in range(300_000):
        kept.add(record(number))
    numbers = [one.seq for one in kept]
    assert numbers == [*range(50_000), *range(250_000, 300_000)]
    assert kept.left_out == 200_000
    assert kept.since() == tuple(kept)


def test_long_records_are_bounded_by_their_bytes() -> None:
    kept = KeptRecords()
    for number in range(100_000):
        kept.add(record(number, text="x" * 1000))
    assert sum(len(one.text) for one in kept) <= 17 << 20
    assert len(list(kept)) + kept.left_out == 100_000


def test_what_is_grave_is_kept_within_a_flood() -> None:
    kept = KeptRecords()
    for number in range(300_000):
        kept.add(record(number, level=1 if number == 150_000 else 6))
    assert [one.seq for one in kept if one.level == 1] == [150_000]
    assert kept.left_out == 199_999
    numbers = [one.seq for one in kept]
    assert numbers == sorted(numbers)


def test_a_flood_of_grave_ones_is_bounded_too() -> None:
    kept = KeptRecords()
    for number in range(300_000):
        kept.add(record(number, level=3))
    assert len(list(kept)) == 120_000
    assert kept.left_out == 180_000


def test_since_an_index() -> None:
    kept = KeptRecords()
    for number in range(300_000):
        kept.add(record(number, level=1 if number == 150_000 else 6))
    assert [one.seq for one in kept.since(299_990)] == list(range(299_990, 300_000))
    assert kept.since(100_000)[0].seq == 150_000
    assert kept.since(49_999)[0].seq == 49_999
    assert kept.since(300_000) == ()
