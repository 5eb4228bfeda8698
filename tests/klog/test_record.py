# SPDX-License-Identifier: MIT
"""printk records from /dev/kmsg and from a serial console."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lkm.klog import Record, format_record, log_text, parse_console, parse_kmsg


def test_a_record_of_kmsg() -> None:
    record = parse_kmsg(b"6,339,5140900,-;hello: hi\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n")
    assert record == Record(339, 5.1409, 6, "hello: hi")


def test_leading_space_is_text() -> None:
    """Call traces begin with one; only the lines after the first are KEY=value."""
    assert parse_kmsg(b"4,1,2,-; do_syscall_64+0x5d/0x90\n").text == " do_syscall_64+0x5d/0x90"


def test_escapes_are_undone_and_the_facility_left_out() -> None:
    record = parse_kmsg(b"30,7,1000000,-,caller=T1;a\\x0ab \\x5c caf\\xc3\\xa9\n")
    assert record == Record(7, 1.0, 6, "a\nb \\ café", "T1")


@pytest.mark.parametrize("data", [b"", b"no header", b"6,1;text", b"x,1,2,-;text"])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_kmsg(data)


def test_a_console_with_levels_and_without() -> None:
    shown = b"garbage before\r\n<3>[    1.500000] bad\r\n[    2.000001] plain\r\nmore of it\r\n"
    assert parse_console(shown) == [Record(-1, 1.5, 3, "bad"), Record(-1, 2.000001, 6, "plain\nmore of it")]


def test_shown_as_dmesg_does() -> None:
    records = [Record(1, 2.5, 6, "one"), Record(2, 3.25, 4, "two")]
    assert format_record(records[0]) == "[    2.500000] one"
    assert log_text(records) == "one\ntwo\n"


def test_reports_are_not_read_before_one_is_looked_for() -> None:
    """`lkm run` imports this package whenever it starts."""
    code = "import lkm.klog, sys; print(*[name for name in sys.modules if name.startswith('lkm.klog.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lkm.klog.record"]
