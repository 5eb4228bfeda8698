# SPDX-License-Identifier: MIT
"""A guest's memory, made by hand: page tables, lists, trees, and nonsense in them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from lkm.leftovers.memory import IMAGE, Memory, Unreadable
from lkm.leftovers.place import Place, read_gone
from lkm.leftovers.walk import Radix, walk_chain, walk_list, walk_tree

SIZE = 1 << 20
DIRECT = 0xFFFF888000000000
MODULE = 0xFFFFFFFFC0201000


class Made:
    """A megabyte with page tables at 0x1000 that map one page at `MODULE` to 0x8000."""

    def __init__(self, path: Path) -> None:
        self.data = bytearray(SIZE)
        self.path = path
        tables = (0x1000, 0x2000, 0x3000, 0x4000, 0x8000)
        for shift, (table, below) in zip((39, 30, 21, 12), pairwise(tables), strict=True):
            self.put(table + (MODULE >> shift & 511) * 8, below | 3)

    def put(self, at: int, *words: int) -> None:
        struct.pack_into(f"<{len(words)}Q", self.data, at, *words)

    def memory(self, fd: int, **more: dict[int, bytes]) -> Memory:
        os.pwrite(fd, self.data, 0)
        return Memory(fd, 0, SIZE, IMAGE + 0x1000, **more)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "mem")


@pytest.fixture
def fd(made: Made) -> Iterator[int]:
    opened = os.open(made.path, os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def test_three_ways_to_an_address(made: Made, fd: int) -> None:
    made.put(0x8010, 0x1234)
    memory = made.memory(fd)
    assert memory.u64(IMAGE + 0x8010) == memory.u64(DIRECT + 0x8010) == memory.u64(MODULE + 0x10) == 0x1234


@pytest.mark.parametrize(
    "address", [0, 0x7FFF00000000, DIRECT + SIZE, MODULE + 0x1000, IMAGE + SIZE, 1 << 63]
)
def test_what_leads_nowhere(made: Made, fd: int, address: int) -> None:
    with pytest.raises(Unreadable):
        made.memory(fd).u64(address)


def test_across_pages(made: Made, fd: int) -> None:
    made.data[0x8FFC:0x9004] = b"abcdefgh"
    made.data[0x9004] = 0
    memory = made.memory(fd)
    assert memory.u64(IMAGE + 0x8FFC) == int.from_bytes(b"abcdefgh", "little")
    assert memory.text(IMAGE + 0x8FFC) == "abcdefgh"
    assert memory.u32(IMAGE + 0x8FFE) == int.from_bytes(b"cdef", "little")
    assert memory.read(IMAGE + 0x8FFC, 0x2000)[:8] == b"abcdefgh"


def test_a_page_that_is_not_mapped_any_more(made: Made, fd: int) -> None:
    made.data[0x8000:0x8005] = b"name\0"
    page = bytes(made.data[0x8000:0x9000])
    place = Place("hello", ((MODULE, MODULE + 0x1000),), (), ((MODULE >> 12, 0x8000, page),))
    made.put(0x4000 + (MODULE >> 12 & 511) * 8, 0)
    with pytest.raises(Unreadable):
        made.memory(fd).text(MODULE)
    made.data[0x8001:0x8003] = b"os"  # a few bytes changed since: the page is still the module's
    gone = read_gone(made.memory(fd), [place])
    assert made.memory(fd, gone=gone).text(MODULE) == "nose"
    made.data[0x8000:0x9000] = b"\xcc" * 4096  # it serves for something else
    gone = read_gone(made.memory(fd), [place])
    assert made.memory(fd, gone=gone).text(MODULE) == "name"


def test_lists_end(made: Made, fd: int) -> None:
    head, one, two = (IMAGE + at for at in (0x8000, 0x8100, 0x8200))
    made.put(0x8000, one)
    made.put(0x8100, two)
    made.put(0x8200, head)
    assert list(walk_list(made.memory(fd), head, 0x10)) == [one - 0x10, two - 0x10]
    made.put(0x8200, one)  # a circle that the head is not in
    with pytest.raises(Unreadable):
        list(walk_list(made.memory(fd), head))
    with pytest.raises(Unreadable):
        list(walk_chain(made.memory(fd), one, 0))
    made.put(0x8200, 0)
    assert list(walk_chain(made.memory(fd), one, 0)) == [one, two]


def test_trees_end(made: Made, fd: int) -> None:
    root, top, left, right = (IMAGE + at for at in (0x8000, 0x8100, 0x8200, 0x8300))
    assert list(walk_tree(made.memory(fd), root)) == []
    made.put(0x8000, top)
    made.put(0x8100, 0, right, left)
    assert set(walk_tree(made.memory(fd), root)) == {top, left, right}
    made.put(0x8200, 0, top, top)
    with pytest.raises(Unreadable):
        list(walk_tree(made.memory(fd), root))


def test_numbers(made: Made, fd: int) -> None:
    head, outer, inner = (IMAGE + at for at in (0x8000, 0x8400, 0x8800))
    entry = IMAGE + 0x9000
    made.data[0x8400] = 6  # shift
    made.put(0x8008, outer + 2)
    made.put(0x8400 + 40 + 8, inner + 2)  # slot 1: 64 to 127
    made.put(0x8800 + 40 + 8 * 3, entry)
    numbers = Radix(made.memory(fd), head, 8, 40)
    assert [numbers.find(one) for one in (67, 66, 3, 131, 5000)] == [entry, 0, 0, 0, 0]
