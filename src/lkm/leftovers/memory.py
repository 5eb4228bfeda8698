# SPDX-License-Identifier: MIT
"""The memory of a guest, read from outside: the kernel in it runs not one instruction for that.

QEMU maps the guest's memory; `/proc/PID/mem` of a process that is ours shows it.  Addresses are the
kernel's own.  x86_64: the image lies where it was linked (`nokaslr`), all memory once more from
`page_offset_base` on, the rest is found in the page tables (Documentation/arch/x86/x86_64/mm.rst, four
levels).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path

PAGE = 4096
IMAGE = 0xFFFFFFFF80000000  # __START_KERNEL_map
_IMAGE_END = IMAGE + (512 << 20)  # KERNEL_IMAGE_SIZE; without KASLR modules come after it
_DIRECT = 0xFFFF888000000000  # __PAGE_OFFSET_BASE_L4
_DIRECT_END = 0xFFFFC88000000000
_ADDRESS = 0x000FFFFFFFFFF000  # the bits of a page table entry that are an address
_U32, _U64, _WORDS = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<QQQ")
# hw/i386/pc_piix.c, pc_init1: from 3.5 GiB on, all but 3 GiB lies above 4 GiB.
_SPLIT_FROM, _BELOW, _ABOVE = 3584 << 20, 3072 << 20, 4 << 30


class Unreadable(Exception):  # noqa: N818 - no error to be told: the place is not looked at
    """An address that leads nowhere: what was found there cannot be told."""


class Memory:
    """A guest's memory as it was when a page was first looked at.

    `fd`: what it can be read from, closed by the caller; `start`: where in it the guest's memory begins;
    `size`: bytes of it.  `page_tables`: address of the kernel's top page table (`init_top_pgt`).  `gone`:
    what was in pages, by number, that are not mapped any more (a module's).
    """

    def __init__(
        self,
        fd: int,
        start: int,
        size: int,
        page_tables: int = 0,
        *,
        gone: Mapping[int, bytes] | None = None,
    ) -> None:
        self._fd = fd
        self._start = start
        self._size = size
        self._tables = page_tables
        self._gone = gone or {}
        self._pages: dict[int, bytes] = {}  # number of a virtual page to what is in it

    def read(self, address: int, size: int) -> bytes:
        """Bytes from `address` on; raises `Unreadable` where nothing lies there."""
        offset = address & PAGE - 1
        data = self.page(address - offset)[offset : offset + size]
        if len(data) == size:
            return data
        parts = [data]
        at, left = address - offset + PAGE, size - len(data)
        while left > 0:
            parts.append(self.page(at)[:left])
            at, left = at + PAGE, left - PAGE
        return b"".join(parts)

    def u64(self, address: int) -> int:
        """A word, or a pointer."""
        offset = address & PAGE - 1
        if offset > PAGE - 8:
            return int.from_bytes(self.read(address, 8), "little")
        page = self._pages.get(address >> 12) or self.page(address - offset)
        return int(_U64.unpack_from(page, offset)[0])

    def u32(self, address: int) -> int:
        """An unsigned int."""
        offset = address & PAGE - 1
        if offset > PAGE - 4:
            return int.from_bytes(self.read(address, 4), "little")
        page = self._pages.get(address >> 12) or self.page(address - offset)
        return int(_U32.unpack_from(page, offset)[0])

    def words(self, address: int) -> tuple[int, int, int]:
        """Three words: a node of a tree."""
        offset = address & PAGE - 1
        if offset > PAGE - 24:
            return _WORDS.unpack(self.read(address, 24))
        page = self._pages.get(address >> 12) or self.page(address - offset)
        return _WORDS.unpack_from(page, offset)

    def text(self, address: int, most: int = 256) -> str:
        """A text that ends with a NUL, or after `most` bytes."""
        offset = address & PAGE - 1
        page = self._pages.get(address >> 12) or self.page(address - offset)
        end = page.find(0, offset, offset + most)
        if end >= 0:
            return page[offset:end].decode("utf-8", "replace")
        data = page[offset : offset + most]
        if len(data) < most:
            data += self.read(address + len(data), most - len(data))
        return data.partition(b"\0")[0].decode("utf-8", "replace")

    def page(self, address: int) -> bytes:
        """The page that begins at `address`."""
        number = address >> 12
        found = self._pages.get(number)
        if found is None:
            try:
                found = self.physical(self.translate(address), PAGE)
            except Unreadable:
                found = self._gone.get(number)
                if found is None:
                    raise
            self._pages[number] = found
        return found

    def physical(self, address: int, size: int) -> bytes:
        """Bytes at a physical address."""
        at = self.host_address(address, size)
        try:
            data = os.pread(self._fd, size, at)
        except OSError as error:
            raise Unreadable from error
        if len(data) < size:
            raise Unreadable
        return data

    def host_address(self, address: int, size: int = 1) -> int:
        """Where QEMU, or the file, has a physical address; raises `Unreadable` where that is no memory."""
        if self._size >= _SPLIT_FROM and address >= _BELOW:
            if address < _ABOVE:
                raise Unreadable
            address -= _ABOVE - _BELOW
        if address + size > self._size:
            raise Unreadable
        return self._start + address

    def translate(self, address: int) -> int:
        """The physical address of the page that begins at `address`."""
        if IMAGE <= address < _IMAGE_END:
            return address - IMAGE
        if _DIRECT <= address < _DIRECT_END:
            return address - _DIRECT
        if address < _DIRECT or not self._tables:
            raise Unreadable
        table = self._tables - IMAGE
        for shift in (39, 30, 21, 12):
            entry = int.from_bytes(self.physical(table + (address >> shift & 511) * 8, 8), "little")
            if not entry & 1:
                raise Unreadable
            if entry & 0x80 and shift in (30, 21):  # a large page
                mask = (1 << shift) - 1
                return (entry & _ADDRESS & ~mask) | (address & mask & ~(PAGE - 1))
            table = entry & _ADDRESS
        return table


def find_ram(pid: int, size: int) -> tuple[int, Path | None, int] | None:
    """Where QEMU has the guest's memory of `size` bytes: address, the file it is a copy of, and its inode."""
    best = None
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        bounds, _, _, _, inode, *path = line.split(None, 5)
        low, high = (int(word, 16) for word in bounds.split("-"))
        if high - low != size:
            continue
        if path and path[0].endswith("/mem"):
            return low, Path(path[0]), int(inode)
        if not path or path[0].startswith(("/memfd:", "/dev/zero")):
            best = (low, None, 0)
    return best
