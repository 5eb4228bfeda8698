# SPDX-License-Identifier: MIT
"""printk records: what /dev/kmsg gives and what a serial console shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """One printk record.

    `seq`: the kernel's sequence number (-1 where the source has none, as a serial console).
    `seconds`: since the guest's kernel started, by the kernel's own clock.  `level`: 0 (emerg) to 7
    (debug).  `text`: the message, continuation lines joined by newlines.  `caller`: who printed it, `T123`
    (a thread) or `C0` (a processor in an interrupt), "" where the kernel does not say (CONFIG_PRINTK_CALLER).
    """

    seq: int
    seconds: float
    level: int
    text: str
    caller: str = ""


_CONSOLE = re.compile(rb"^(?:<(\d+)>)?\[ *(\d+)\.(\d{6})\](?:\[ *[TC]\d+\])? ?(.*)$")
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")


def parse_kmsg(record: bytes) -> Record:
    """One read(2) of /dev/kmsg: `prefix,seq,usec,flags[,...];text`, then ` KEY=value` lines (left out).

    Source: Documentation/ABI/testing/dev-kmsg.  Raises `ValueError` where the header is malformed.
    """
    head, separator, body = record.partition(b";")
    fields = head.split(b",")
    if not separator or len(fields) < 3:
        raise ValueError(f"not a /dev/kmsg record: {record[:60]!r}")
    priority, seq, usec = int(fields[0]), int(fields[1]), int(fields[2])
    # The text is the first line, newlines in it written as \\x0a; the KEY=value lines follow.
    text = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), body.partition(b"\n")[0])
    return Record(seq, usec / 1e6, priority & 7, text.decode("utf-8", "replace"))


def parse_console(data: bytes) -> list[Record]:
    """What a serial console showed, record by record; a line without a time stamp continues the one before.

    Levels are there with `console_msg_format=syslog` (`<6>[    1.2] text`); else each is 6 (info).
    """
    records: list[Record] = []
    for raw in data.replace(b"\r", b"").split(b"\n"):
        match = _CONSOLE.match(raw)
        if match is not None:
            level = int(match[1]) & 7 if match[1] else 6
            seconds = int(match[2]) + int(match[3]) / 1e6
            records.append(Record(-1, seconds, level, match[4].decode("utf-8", "replace")))
        elif raw and records:
            last = records[-1]
            text = f"{last.text}\n{raw.decode('utf-8', 'replace')}"
            records[-1] = Record(last.seq, last.seconds, last.level, text)
    return records


def format_record(record: Record) -> str:
    """As dmesg(1) shows it: `[    1.234567] text`."""
    return f"[{record.seconds:12.6f}] {record.text}"


def log_text(records: Iterable[Record]) -> str:
    """The messages alone, a line each."""
    return "".join(f"{record.text}\n" for record in records)
