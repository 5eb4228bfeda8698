# SPDX-License-Identifier: MIT
"""The records of a guest from its agent and its console: each once, in order, none of them lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from lkm.guest import Detail, End, Guest, GuestEnded
from lkm.guest.records import Records
from lkm.guest.session import Session
from lkm.guest.vm import Vm
from lkm.kernel import Kernel
from lkm.klog import Record

Find = Callable[[str], Path]


class Console:
    """As much of a `Vm` as its console is."""

    def __init__(self) -> None:
        self.data = b""
        self.alive = True
        self.let_go = 0

    @property
    def console_size(self) -> int:
        return len(self.data)

    def console(self, start: int = 0, end: int | None = None) -> bytes:
        return self.data[start:end]

    def let_go_of_console(self, end: int) -> None:
        self.let_go = end

    def show(self, number: int, text: str = "") -> None:
        self.data += f"<6>[ {number:4d}.000000] {text or f'record {number}'}\r\n".encode()


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def records(console: Console) -> Records:
    return Records(cast(Vm, console))


def record(number: int, text: str = "") -> Record:
    return Record(number, float(number), 6, text or f"record {number}")


def test_the_agents_records_are_not_told_again_by_the_console(records: Records, console: Console) -> None:
    for number in range(3):
        console.show(number)
        assert records.note(record(number)) == [record(number)]
    console.alive = False
    assert records.rest() == []


def test_what_the_agent_missed_comes_from_the_console_with_its_numbers(
    records: Records, console: Console
) -> None:
    for number in range(8):
        console.show(number)
    records.note(record(0))
    assert [one.seq for one in records.note(record(6))] == [1, 2, 3, 4, 5, 6]
    assert [one.seq for one in records] == list(range(7))


def test_last_words(records: Records, console: Console) -> None:
    console.show(0)
    records.note(record(0))
    console.show(1)
    console.data += b"<0>[    2.000000] Kernel panic - not syncing: cut off he"
    console.alive = False
    assert [(one.seq, one.text) for one in records.rest()] == [
        (-1, "record 1"),
        (-1, "Kernel panic - not syncing: cut off he"),
    ]
    assert console.let_go == len(console.data)


@pytest.mark.parametrize(
    "cut", ["<", "<3", "<3>", "<3>[  ", "<3>[    1.0000", "<3>[    1.000000] ", "<3>[    1.000000][  T9"]
)
def test_a_record_cut_before_its_text_is_none(records: Records, console: Console, cut: str) -> None:
    console.show(0, "first\r\n<3>second")  # a line of a record's own may begin so
    console.data += cut.encode()
    console.alive = False
    assert [one.text for one in records.rest()] == ["first\n<3>second"]
    assert console.let_go == len(console.data)


def test_the_panic_is_spoken_of_where_it_is_in_the_log(console: Console) -> None:
    session = Session(cast(Vm, console), 1, None)
    console.show(0, "Kernel panic - not syncing: NMI: Not continuing")
    console.show(1)
    console.alive = False
    session.records.rest()
    assert session._was_asked(0)
    assert not session._was_asked(1)


def test_a_record_of_several_lines_is_one(records: Records, console: Console) -> None:
    records.note(record(1, "first\nsecond\nthird"))
    for line in ("first", "second", "third"):
        console.show(1, line)
    console.alive = False
    assert records.rest() == []


def test_what_the_console_told_first_is_told_once(records: Records, console: Console) -> None:
    records.note(record(0))
    for number in range(1, 5):
        console.show(number)
    assert [one.seq for one in records.rest()] == [-1] * 3  # the last may go on
    assert records.note(record(1)) == []
    console.show(5)
    assert [one.text for one in records.note(record(4))] == ["record 4"]
    console.alive = False
    assert [one.text for one in records.rest()] == ["record 5"]
    assert [one.seconds for one in records] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.guest
@pytest.mark.parametrize("at", ["init", "exit"])
def test_a_flood_without_end(kernel: Kernel, module: Find, at: str) -> None:
    came: list[Record] = []
    with Guest(kernel, timeout=60, on_record=came.append) as guest:
        guest.log()
        guest.limit(3)
        with pytest.raises(GuestEnded) as caught:
            guest.load(module("stuck"), how="print", at=at)
            guest.unload("stuck")
        log = guest.log()
    assert (caught.value.end, caught.value.ending.detail) == (End.HANG, Detail.FLOOD)
    assert list(log.records) == came
    assert len({(one.seconds, one.text) for one in came}) == len(came)
    seconds = [one.seconds for one in came]
    assert seconds == sorted(seconds)
