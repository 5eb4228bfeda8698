# SPDX-License-Identifier: MIT
"""Register dumps and `Code:` lines of both architectures."""

from __future__ import annotations

import pytest

from lkm.klog.registers import parse_code, parse_registers
from lkm.klog.report import Code


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("RSP: 0018:ffffc900001a7c60 EFLAGS: 00010246",
         {"rsp": 0xFFFFC900001A7C60, "ss": 0x18, "eflags": 0x10246}),
        ("RSP: 002b:00007ffc12345678 EFLAGS: 00000246 ORIG_RAX: 0000000000000139",
         {"rsp": 0x7FFC12345678, "ss": 0x2B, "eflags": 0x246, "orig_rax": 0x139}),
        ("R10: 0000000000000001 R11: 0000000000000002 R12: ffff888000000000",
         {"r10": 1, "r11": 2, "r12": 0xFFFF888000000000}),
        ("FS:  00007f1234567740(0000) GS:ffff88803ec00000(0000) knlGS:0000000000000000",
         {"fs": 0x7F1234567740, "gs": 0xFFFF88803EC00000, "knlgs": 0}),
        ("CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033",
         {"cs": 0x10, "ds": 0, "es": 0, "cr0": 0x80050033}),
        ("PKRU: 55555554", {"pkru": 0x55555554}),
        ("x29: ffff8000803bba50 x28: 0000000000000000 x27: 0000000000000001",
         {"x29": 0xFFFF8000803BBA50, "x28": 0, "x27": 1}),
        ("x2 : 0000000000000000 x1 : 0000000000000001 x0 : 0000000000000002", {"x2": 0, "x1": 1, "x0": 2}),
        ("sp : ffff8000803bba50", {"sp": 0xFFFF8000803BBA50}),
        ("pstate: 60000005 (nZCv daif -PAN -UAO -TCO -DIT -SSBS BTYPE=--)", {"pstate": 0x60000005}),
        ("Hardware name: R10: 0000000000000001", {}),
        ("RAX: cut o", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_a_line_of_registers(line: str, values: dict[str, int]) -> None:
    assert parse_registers(line) == values


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("90 f3 0f 1e fa <c7> 04 25", Code(bytes.fromhex("90f30f1efac70425"), 5)),
        ("<0f> 0b", Code(b"\x0f\x0b", 0)),
        ("d2800000 52800021 (b9001801) ", Code(bytes.fromhex("000080d221008052011800b9"), 8)),
        ("???????? ???????? (f9400c00)", Code(bytes.fromhex("000c40f9"), 0)),
        ("???????? (????????)", None),
        ("Unable to access opcode bytes at 0xffffffffa0005ff1.", None),
        ("Bad RIP value.", None),
        ("90 f3 0f", None),
        ("", None),
    ],
)
def test_code(text: str, code: Code | None) -> None:
    assert parse_code(text) == code
