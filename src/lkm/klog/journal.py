# SPDX-License-Identifier: MIT
"""Kernel logs as JSON: `dmesg -J`, `journalctl -k -o json`; whole, or cut off anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from lkm.klog.record import Record

_MORE = re.compile(r"\n<\d{1,7}>\[ *\d{1,10}\.\d{6}\]")
_START = re.compile(r"\{")
_LIST = re.compile(r'\s*\{\s*"dmesg"\s*:\s*\[')


def parse_json(data: bytes) -> list[Record]:
    """The records of a log of JSON objects, one a record, in a list named `dmesg` or one after the other.

    Objects that are no records of the kernel are left out; a damaged one, too.
    """
    records = []
    for found in _objects(data.decode("utf-8", "replace")):
        record = _dmesg_record(found) if "msg" in found else _journal_record(found)
        if record is not None:
            records.append(record)
    return records


def _objects(text: str) -> Iterator[dict[str, object]]:
    decoder = json.JSONDecoder()
    head = _LIST.match(text)
    position = head.end() if head else 0
    while (match := _START.search(text, position)) is not None:
        try:
            value, position = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            # Damaged: go on with the next line, where the next object may begin.
            line = text.find("\n", match.start())
            if line < 0:
                return
            position = line
            continue
        if isinstance(value, dict):
            yield value


def _dmesg_record(found: dict[str, object]) -> Record | None:
    text = _text(found.get("msg"))
    if text is None:
        return None
    if more := _MORE.search(text):  # `dmesg -J -F FILE` of util-linux 2.38 gives the rest of the file, too
        text = text[: more.start()]
    caller = found.get("caller")
    return Record(
        -1,
        _number(found.get("time"), -1.0),
        int(_number(found.get("pri"), 6.0)) & 7,
        text.removesuffix("\n"),
        caller if isinstance(caller, str) else "",
    )


def _journal_record(found: dict[str, object]) -> Record | None:
    text = _text(found.get("MESSAGE"))
    if text is None or found.get("_TRANSPORT", "kernel") != "kernel":
        return None
    if found.get("SYSLOG_IDENTIFIER", "kernel") != "kernel":
        return None
    microseconds = _number(found.get("_SOURCE_MONOTONIC_TIMESTAMP"), -1.0)
    return Record(
        -1,
        microseconds / 1e6 if microseconds >= 0 else -1.0,
        int(_number(found.get("PRIORITY"), 6.0)) & 7,
        text,
    )


def _text(value: object) -> str | None:
    """journald gives a text that is no UTF-8 as a list of bytes."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
        return bytes(value).decode("utf-8", "replace")
    return None


def _number(value: object, otherwise: float) -> float:
    try:
        number = float(value) if isinstance(value, (int, float, str)) else otherwise
    except (ValueError, OverflowError):
        return otherwise
    return number if -1e18 < number < 1e18 else otherwise
