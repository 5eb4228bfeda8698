# SPDX-License-Identifier: MIT
"""A log is the same wherever it comes from."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from klog_logs import read_log

from lkm.klog import Record, Report, find_reports, format_record, parse_kmsg, parse_log

OOPS = parse_log(read_log("6.1-null_field"))
LINES = [
    Record(-1, 1.5, 6, "one"),
    Record(-1, 2.25, 4, "two\n  in\nthree lines"),
    Record(-1, 100.000001, 3, "x"),
]


def kmsg(records: list[Record]) -> str:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\x5c").replace("\n", "\\x0a")

    return "".join(
        f"{one.level},{seq},{round(one.seconds * 1e6)},-{',caller=' + one.caller if one.caller else ''};"
        f"{escaped(one.text)}\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:01.0\n"
        for seq, one in enumerate(records)
    )


def lines(records: list[Record], prefix: Callable[[Record], str]) -> str:
    found = []
    for one in records:
        head = prefix(one)
        found.append(head + one.text.replace("\n", "\n" + " " * len(head)) + "\n")
    return "".join(found)


def stamp(record: Record) -> str:
    return f"[{record.seconds:12.6f}] "


HOST = "Nov 23 01:07:28 laptop kernel: "
FORMATS: dict[str, Callable[[list[Record]], str]] = {
    "kmsg": kmsg,
    "console": lambda log: lines(log, stamp),
    "console with levels": lambda log: lines(log, lambda one: f"<{one.level}>{stamp(one)}"),
    "console with callers": lambda log: lines(log, lambda one: f"[{one.seconds:12.6f}][{'T45':>6}] "),
    "dmesg -x": lambda log: lines(log, lambda one: f"kern  :{LEVELS[one.level]:<6}: {stamp(one)}"),
    "dmesg -T": lambda log: lines(log, lambda one: "[Mon Nov 23 01:07:28 2026] "),
    "dmesg -H": lambda log: lines(log, lambda one: "\x1b[32m[  +0.000123] \x1b[0m").replace("\n     ", "\n"),
    "dmesg --time-format iso": lambda log: lines(log, lambda one: "2026-11-23T01:07:28,123456+00:00 "),
    "journalctl": lambda log: lines(log, lambda one: HOST),
    "journalctl -o short-precise": lambda log: lines(
        log, lambda one: "Nov 23 01:07:28.123456 laptop kernel: "
    ),
    "journalctl -o short-iso": lambda log: lines(log, lambda one: "2026-11-23T01:07:28+0000 laptop kernel: "),
    "journalctl -o short-full": lambda log: lines(
        log, lambda one: "Mon 2026-11-23 01:07:28 UTC laptop kernel: "
    ),
    "journalctl -o short-monotonic": lambda log: lines(log, lambda one: f"{stamp(one)}laptop kernel: "),
    "kern.log": lambda log: lines(log, lambda one: HOST + stamp(one)),
    "no time": lambda log: lines(log, lambda one: ""),
    "quoted": lambda log: lines(log, lambda one: f"> > {stamp(one)}"),
    "quoted, no time": lambda log: lines(log, lambda one: "> "),
    "indented": lambda log: lines(log, lambda one: f"    {stamp(one)}"),
    "markdown": lambda log: f"Look at this:\n\n```console\n{lines(log, stamp)}```\n",
    "serial line": lambda log: lines(log, stamp).replace("\n", "\r\n"),
    "a CI's own times": lambda log: lines(log, lambda one: f"2026-11-23T01:07:28.1234567Z {stamp(one)}"),
    "a container's times": lambda log: lines(log, lambda one: "2026-11-23T01:07:28.123456Z "),
    "a prompt before each": lambda log: lines(log, lambda one: f"root@box:/# {stamp(one)}"),
    "dmesg -J": lambda log: json.dumps(
        {"dmesg": [{"pri": one.level, "time": one.seconds, "msg": one.text} for one in log]}, indent=3
    ),
    "journalctl -o json": lambda log: "".join(
        json.dumps(
            {
                "_TRANSPORT": "kernel",
                "PRIORITY": str(one.level),
                "MESSAGE": one.text if index % 2 else list(one.text.encode()),
                "_SOURCE_MONOTONIC_TIMESTAMP": str(round(one.seconds * 1e6)),
            }
        )
        + "\n"
        for index, one in enumerate(log)
    ),
}
LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")
TIMED = (
    "kmsg",
    "console",
    "console with levels",
    "dmesg -x",
    "kern.log",
    "quoted",
    "indented",
    "serial line",
)
LEVELLED = ("kmsg", "console with levels", "dmesg -x", "dmesg -J", "journalctl -o json")


def bare(report: Report) -> Report:
    return replace(report, first=0, last=report.last - report.first)


@pytest.mark.parametrize("name", FORMATS)
def test_an_oops_is_the_same_in_every_format(name: str) -> None:
    (wanted,) = find_reports(OOPS)
    (found,) = find_reports(parse_log(FORMATS[name](OOPS).encode()))
    if name == "a prompt before each":  # each prompt is a record of its own
        found = replace(found, last=found.first + (found.last - found.first) // 2)
    assert bare(found) == bare(wanted)


@pytest.mark.parametrize("name", TIMED)
def test_times_are_kept(name: str) -> None:
    assert [one.seconds for one in parse_log(FORMATS[name](OOPS).encode())] == [one.seconds for one in OOPS]


@pytest.mark.parametrize("name", LEVELLED)
def test_levels_are_kept(name: str) -> None:
    assert [one.level for one in parse_log(FORMATS[name](OOPS).encode())] == [one.level for one in OOPS]


@pytest.mark.parametrize(
    "name",
    ["kmsg", "console", "dmesg -x", "dmesg -T", "journalctl", "dmesg -J", "journalctl -o json"],
)
def test_a_text_of_several_lines_is_one_record(name: str) -> None:
    assert [one.text for one in parse_log(FORMATS[name](LINES).encode())] == [one.text for one in LINES]


def test_who_printed_is_kept() -> None:
    log = b"<4>[    1.500000][   T45] one\n[    1.600000][    C0] two\n[    1.700000] [T7] three\n"
    assert [(one.level, one.caller, one.text) for one in parse_log(log)] == [
        (4, "T45", "one"),
        (6, "C0", "two"),
        (6, "T7", "three"),
    ]
    assert parse_log(b"6,1,2000000,-,caller=C1;text\n") == [parse_kmsg(b"6,1,2000000,-,caller=C1;text\n")]


def test_a_record_without_a_time_is_shown_without() -> None:
    plain, dated = parse_log(b"hello: hi\n[Mon Nov 23 01:07:28 2026] hello: hi\n")
    assert (plain.seconds, plain.clock, format_record(plain)) == (-1, "", "hello: hi")
    assert (dated.seconds, dated.clock) == (-1, "Mon Nov 23 01:07:28 2026")
    assert format_record(dated) == "[Mon Nov 23 01:07:28 2026] hello: hi"


def test_fragments_of_a_line_are_put_together() -> None:
    """Documentation/ABI/testing/dev-kmsg: `c` and `+` are fragments of a line."""
    log = b"4,1,5,-,caller=T1;Modules linked in:\n4,2,6,c,caller=T1; hello(O)\n4,3,7,+,caller=T1; first\n"
    assert [one.text for one in parse_log(log)] == ["Modules linked in: hello(O) first"]


def test_other_programs_of_a_journal_are_left_out() -> None:
    log = (
        b"-- Journal begins at Mon 2026-11-23 00:00:00 UTC. --\n"
        b"Nov 23 01:07:28 laptop systemd[1]: Started cron.service.\n"
        b"Nov 23 01:07:28 laptop kernel: hello: hi\n"
        b"Nov 23 01:07:29 laptop sshd[71]: Accepted publickey\n"
    )
    assert [one.text for one in parse_log(log)][1:] == ["hello: hi"]


def test_what_stands_before_the_kernel_on_its_line_is_apart() -> None:
    log = (
        b"SeaBIOS (version 1.16.2)\r\n\r\nBooting from ROM...\r\n"
        b"\x1b[1;32m~ # \x1b[0m[    2.500000] hello: hi\r\nprogress: 12%[    2.600000] hello: more\r\n"
    )
    assert [(one.seconds, one.text) for one in parse_log(log)] == [
        (-1, "SeaBIOS (version 1.16.2)"),
        (-1, "Booting from ROM..."),
        (2.5, "hello: hi"),
        (-1, "progress: 12%"),
        (2.6, "hello: more"),
    ]


def test_kasans_mark_is_no_quotation() -> None:
    (record,) = parse_log(b">ffff8880050c7180: 00 00 00 05 fc fc fc fc\n")
    assert record.text.startswith(">ffff")


@pytest.mark.parametrize("cut", [1, 40, 200, 1000])
def test_json_that_is_cut_off(cut: int) -> None:
    data = FORMATS["dmesg -J"](OOPS).encode()
    found = parse_log(data[:-cut])
    assert len(OOPS) - 20 < len(found) <= len(OOPS)
    assert [one.text for one in found] == [one.text for one in OOPS[: len(found)]]


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"\0\0\r\r", b"{", b'{"dmesg": [', b"{}", b"[", b"\xff\xfe\n", b"<"]
)
def test_what_is_no_log(data: bytes) -> None:
    assert all(isinstance(one, Record) for one in parse_log(data))
    find_reports(parse_log(data))


_OPTIONS = [
    "",
    "-x",
    "-d",
    "-T",
    "-x -T",
    "--time-format iso",
    "--time-format reltime",
    "--time-format delta",
    "-H --nopager -L=always",
    "-J",
]


@pytest.mark.parametrize("options", _OPTIONS)
@pytest.mark.skipif(shutil.which("dmesg") is None, reason="needs dmesg (util-linux)")
def test_what_the_real_dmesg_prints(options: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    texts = [f"<{one.level}>[{one.seconds:12.6f}] {one.text}\n" for one in LINES]
    log.write_text("".join(texts))
    done = subprocess.run(
        ["dmesg", "-F", str(log), *options.split()],
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    )
    if done.returncode:
        pytest.skip(f"this dmesg has no {options}: {done.stderr.decode().strip()}")
    found = parse_log(done.stdout)
    assert [one.text for one in found] == [one.text for one in LINES]
    if "-T" not in options and "time" not in options and "-H" not in options:
        assert [one.seconds for one in found] == [one.seconds for one in LINES]
    if "-x" in options:
        assert [one.level for one in found] == [one.level for one in LINES]
