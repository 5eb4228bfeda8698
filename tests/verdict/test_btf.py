# SPDX-License-Identifier: MIT
"""Type information, as far as a verdict needs it."""

from __future__ import annotations

import struct
from errno import E2BIG, EINVAL

import pytest

from lkm.verdict.btf import find_fault, find_struct_size, has_other_base

NAMES = b"\0int\0module\0"
INT = struct.pack("<IIII", 1, 1 << 24, 4, 32)
STRUCT = struct.pack("<III", 5, 4 << 24, 1280)


def build(types: bytes, names: bytes = NAMES, *, size: int = 24, extra: bytes = b"") -> bytes:
    head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, size, 0, len(types), len(types), len(names))
    return head + extra + types + names


def test_the_size_of_a_struct_by_its_name() -> None:
    assert find_struct_size(build(INT + STRUCT), "module") == 1280
    assert find_struct_size(build(INT), "module") is None
    assert find_struct_size(b"text", "module") is None


def test_sound_types_have_no_fault() -> None:
    assert find_fault(build(INT + STRUCT), (24, 100), alone=False) is None
    assert find_fault(build(b"", b""), (24, 100), alone=False) is None, "nothing of its own"


@pytest.mark.parametrize(
    ("data", "errno"),
    [
        (b"\x9f\xeb\1", EINVAL),
        (build(INT)[:-4], EINVAL),
        (b"\0\0" + build(INT)[2:], EINVAL),
        (build(INT)[:2] + b"\2" + build(INT)[3:], 524),
        (build(INT, size=32, extra=b"\1" * 8), E2BIG),
        (build(struct.pack("<III", 1, 31 << 24, 4)), EINVAL),
        (build(struct.pack("<III", 5000, 4 << 24, 4)), EINVAL),
        (build(INT[:12]), EINVAL),
        (build(INT, NAMES[:-1] + b"x"), EINVAL),
    ],
)
def test_each_fault_has_its_errno(data: bytes, errno: int) -> None:
    fault = find_fault(data, (24, 100), alone=False)
    assert fault is not None
    assert fault[0] == errno


def test_names_of_its_own_tell_what_the_types_go_on_from() -> None:
    """Places in names count from the beginning of the base's."""
    base = (24, 100)
    own = struct.pack("<III", 101, 4 << 24, 4)
    assert not has_other_base(build(own), base)
    assert has_other_base(build(INT), base)
    assert not has_other_base(build(b"", b""), base)
    member = struct.pack("<III", 0, 4 << 24 | 1, 4) + struct.pack("<III", 105, 1, 0)
    assert not has_other_base(build(member), base)
