# SPDX-License-Identifier: MIT
"""How long ago something was."""

from __future__ import annotations

import time

import pytest

from lkm.show.age import format_age


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "today"),
        (1.5, "yesterday"),
        (5, "5 days ago"),
        (8, "1 week ago"),
        (65, "2 months ago"),
        (800, "2 years ago"),
    ],
)
def test_ages(days: float, text: str) -> None:
    now = time.time()
    assert format_age(now - days * 86400, now) == text
