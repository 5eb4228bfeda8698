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
    `seconds`: since the kernel started, by the kernel's own clock (-1 where the source does not say).
    `level`: 0 (emerg) to 7 (debug), 6 (info) where the source does not say.  `text`: the message, its lines
    joined by newlines.  `caller`: who printed it, `T123` (a thread) or `C0` (a processor in an interrupt), ""
    where the kernel does not say (CONFIG_PRINTK_CALLER).  `clock`: the time of day as the source wrote it
    (`dmesg -T`, `journalctl`), else "".
    """

    seq: int
    seconds: float
    level: int
    text: str
    caller: str = ""
    clock: str = ""


_LONGEST_TEXT = 1 << 16  # characters; what a program writes to the console has no end
_CONSOLE = re.compile(rb"^(?:<(\d+)>)?\[ *(\d+)\.(\d{6})\](?:\[ *([TC]\d+)\])? ?(.*)$")
_CALLER = re.compile(rb"caller=([TC]\d{1,10})")
_ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")


def parse_kmsg(record: bytes) -> Record:
    """One read(2) of /dev/kmsg: `prefix,seq,usec,flags[,...];text`, then ` KEY=value` lines (left out).

    Source: Documentation/ABI/testing/dev-kmsg.  Raises `ValueError` where the header is malformed.
    """
    head, separator, body = record.partition(b";")
    fields = head.split(b",")
    if not separator or len(fields) < 3:
        raise ValueError(f"not a /dev/kmsg record: {record[:60]!r}")
    priority, seq, usec = int(fields[0]), int(fields[1]), int(fields[2])
    caller = _CALLER.search(head)
    # The text is the first line, newlines in it written as \\x0a; the KEY=value lines follow.
    text = undo_escapes(body.partition(b"\n")[0].decode("utf-8", "replace"))
    return Record(seq, usec / 1e6, priority & 7, text, caller[1].decode() if caller else "")


def undo_escapes(text: str) -> str:
    """/dev/kmsg writes what is not printable, and the backslash, as `\\x0a` (msg_print_ext_body)."""
    if "\\x" not in text:
        return text
    return _ESCAPED.sub(lambda run: bytes.fromhex(run[0].replace("\\x", "")).decode("utf-8", "replace"), text)


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
            caller = match[4].decode() if match[4] else ""
            records.append(Record(-1, seconds, level, match[5].decode("utf-8", "replace"), caller))
        elif raw and records and len(records[-1].text) <= _LONGEST_TEXT:
            last = records[-1]
            text = f"{last.text}\n{raw.decode('utf-8', 'replace')}"
            records[-1] = Record(last.seq, last.seconds, last.level, text, last.caller)
    return records


def format_record(record: Record) -> str:
    """As dmesg(1) shows it: `[    1.234567] text`; without a time where there is none."""
    if record.seconds < 0:
        return f"[{record.clock}] {record.text}" if record.clock else record.text
    return f"[{record.seconds:12.6f}] {record.text}"


def log_text(records: Iterable[Record]) -> str:
    """The messages alone, a line each."""
    return "".join(f"{record.text}\n" for record in records)
