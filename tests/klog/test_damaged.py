# SPDX-License-Identifier: MIT
"""Cut off anywhere, damaged anyhow: a log is read, and what was understood of it is kept."""

from __future__ import annotations

import random

import pytest
from klog_logs import NAMES, read_log

from lkm.klog import Record, Report, find_reports, parse_log
from lkm.klog.begin import find_start
from lkm.klog.kinds import STARTS

_MUTATIONS = 25  # of each log


def check(records: list[Record], reports: tuple[Report, ...]) -> None:
    last = -1
    for report in reports:
        assert 0 <= report.first <= report.last < len(records)
        assert report.title and report.first >= last
        last = report.first


@pytest.mark.parametrize("name", NAMES)
def test_a_log_cut_off_at_every_record(name: str) -> None:
    """Each report of the whole log is there, with what had been read of it, as soon as its sentence was."""
    records = parse_log(read_log(name))
    whole = find_reports(records)
    for end in range(len(records) + 1):
        found = find_reports(records[:end])
        check(records[:end], found)
        done = [report for report in whole if report.last < end - 30]
        assert [report.first for report in done] == [report.first for report in found][: len(done)]
    for report in whole:
        if report.kind.value in ("stack-trace", "use-after-free", "double-free", "unloaded-in-use"):
            continue  # these are known by what comes later
        middle = (report.first + report.last) // 2
        if middle - report.first > 9:
            cut = next(one for one in find_reports(records[:middle]) if one.first == report.first)
            assert (cut.title, cut.at or report.at) == (report.title, report.at)
            assert cut.modules in ((), report.modules) and len(cut.traces) <= len(report.traces)


@pytest.mark.parametrize("name", NAMES)
def test_a_log_damaged_anyhow(name: str) -> None:
    data = read_log(name)
    chance = random.Random(name)
    for _ in range(_MUTATIONS):
        records = parse_log(mutated(data, chance))
        check(records, find_reports(records))


def mutated(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    for _ in range(chance.randrange(1, 6)):
        one = chance.randrange(len(lines))
        match chance.randrange(8):
            case 0:
                del lines[one : one + chance.randrange(1, 20)]
                lines = lines or [b""]
            case 1:
                lines[one] = lines[one][: chance.randrange(len(lines[one]) + 1)]
            case 2:
                lines[one] = lines[one] + lines[chance.randrange(len(lines))]
            case 3:
                lines.insert(one, lines[chance.randrange(len(lines))])
            case 4:
                raw = bytearray(lines[one] or b"x")
                raw[chance.randrange(len(raw))] = chance.randrange(256)
                lines[one] = bytes(raw)
            case 5:
                lines[one] = lines[one].replace(b"0", b"9" * chance.randrange(5000))
            case 6:
                chance.shuffle(lines)
            case 7:
                lines[one] = lines[one].partition(b"] ")[2]
    return b"\n".join(lines)


def test_a_log_of_nothing_but_beginnings() -> None:
    """Reports that never go on: as many as there are sentences, and none is open for ever."""
    text = "BUG: kernel NULL pointer dereference, address: 0000000000000018"
    records = [Record(-1, index / 1000, 1, text, f"T{index}") for index in range(5000)]
    assert len(find_reports(records)) == 5000


def test_a_report_is_over_when_the_log_goes_on_about_other_things() -> None:
    first = Record(-1, 1.0, 1, "BUG: kernel NULL pointer dereference, address: 0000000000000018")
    other = [Record(-1, 2.0, 6, f"eth0: link is up, {index}") for index in range(100)]
    late = Record(-1, 9.0, 1, "RIP: 0010:hello_init+0x15/0x1000 [hello]")
    (report,) = find_reports([first, *other, late])
    assert (report.last, report.at) == (0, None)


def test_lines_without_an_end() -> None:
    for piece in (
        b"[",
        b"> ",
        b"a ",
        b"0",
        b"x+0x1/0x2 ",
        b"{",
        b"<6>",
        b"hello(O) ",
        b"RAX: 00000000 ",
        b"[<",
    ):
        for head in (b"", b"[    1.000000] BUG: x\n[    1.000001] ", b"[    1.0] Modules linked in: "):
            records = parse_log(head + piece * (200_000 // len(piece)))
            check(records, find_reports(records))


def test_the_quick_look_finds_what_the_table_finds() -> None:
    lines = {
        line.strip() for name in NAMES for one in parse_log(read_log(name)) for line in one.text.split("\n")
    }
    for line in lines:
        slow = next(((start, match) for start in STARTS if (match := start.pattern.match(line))), None)
        quick = find_start(line)
        assert (slow and slow[0]) == (quick and quick[0]), line
