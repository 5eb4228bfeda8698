# SPDX-License-Identifier: MIT
"""Places in code in the shapes of all ages."""

from __future__ import annotations

import pytest

from lkm.klog.frame import parse_frame, parse_place
from lkm.klog.report import Frame

HELLO = Frame("hello_init", 0x15, 0x40, "hello")


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ("hello_init+0x15/0x40 [hello]", HELLO),
        ("hello_init+0x15/0x40 [hello 0f3a91d2c4b5a697887766554433221100ffeedd]", HELLO),
        ("? hello_init+0x15/0x40 [hello]", Frame("hello_init", 0x15, 0x40, "hello", reliable=False)),
        ("[<ffffffffa0005015>] hello_init+0x15/0x40 [hello]",
         Frame("hello_init", 0x15, 0x40, "hello", address=0xFFFFFFFFA0005015)),
        ("<IRQ>  [<ffffffff8106c2f7>] ? tick+0x1/0x2", Frame("tick", 1, 2, "", False, 0xFFFFFFFF8106C2F7)),
        ("hello_init+0x15/0x40 [hello] (P)", HELLO),
        ("do_one.isra.0.cold+0x5/0x9", Frame("do_one.isra.0.cold", 5, 9)),
        ("_RNvCs1234_4rust5probe+0x5/0x9 [rust]", Frame("_RNvCs1234_4rust5probe", 5, 9, "rust")),
        ("0xffffffffc0201000", Frame("", address=0xFFFFFFFFC0201000)),
        ("? 0xffffffffc0201000", Frame("", reliable=False, address=0xFFFFFFFFC0201000)),
        ("[<0000000000000000>]", Frame("", address=0)),
        ("", None),
        ("<TASK>", None),
        ("Code: 0f 0b", None),
        ("hello_init+0x15", None),
        ("RIP: 0010:hello_init+0x15/0x40 [hello]", None),
        ("a line that says hello_init+0x15/0x40 [hello]", None),
    ],
)  # fmt: skip
def test_a_line_of_a_trace(line: str, frame: Frame | None) -> None:
    assert parse_frame(line) == frame


def test_a_place() -> None:
    assert parse_place("hello_init+0x15/0x40 [hello]") == HELLO
    assert parse_place("0x0") == Frame("", address=0)
    assert parse_place("0xnothing") is None
