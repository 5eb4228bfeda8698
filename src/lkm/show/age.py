# SPDX-License-Identifier: MIT
"""How long ago something was, for a person."""

from __future__ import annotations

_DAY = 86400.0
_UNITS = ((365 * _DAY, "year"), (30 * _DAY, "month"), (7 * _DAY, "week"), (_DAY, "day"))


def format_age(then: float, now: float) -> str:
    """`today`, `yesterday`, `5 days ago`, `3 weeks ago`; both in seconds since the epoch."""
    age = now - then
    if age < _DAY:
        return "today"
    if age < 2 * _DAY:
        return "yesterday"
    for unit, name in _UNITS:
        if age >= unit:
            count = int(age // unit)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    raise AssertionError("unreachable")
