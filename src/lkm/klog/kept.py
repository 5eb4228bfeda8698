# SPDX-License-Identifier: MIT
"""The records of a guest that are kept: all, or of a flood the first, the last and the grave ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from lkm.klog.record import Record

# Of each end of a flood; some 30 MB in all, whatever a guest prints.
_RECORDS = 50_000
_BYTES = 8 << 20
_GRAVE = 4  # warnings and worse; what an oops says below its first line has this level
_GRAVE_RECORDS = 20_000


class KeptRecords:
    """Records in the order they came, bounded: `left_out` counts those that were let go, from the middle.

    What lies between the first and the last 50,000 (or 8 MiB of text) is left out, but for warnings and
    worse, of which 20,000 are kept there.
    """

    def __init__(self) -> None:
        self._first: list[Record] = []
        self._grave: list[tuple[int, Record]] = []
        self._last: deque[Record] = deque()
        self._room = _BYTES
        self._bytes = 0
        self.left_out = 0
        self._count = 0

    def __len__(self) -> int:
        """How many came."""
        return self._count

    def __iter__(self) -> Iterator[Record]:
        yield from self._first
        for _, record in self._grave:
            yield record
        yield from self._last

    def since(self, index: int = 0) -> tuple[Record, ...]:
        """Those that are kept of the ones that came after the first `index`."""
        if index <= len(self._first):
            return (*self._first[index:], *(record for _, record in self._grave), *self._last)
        grave = [record for at, record in self._grave if at >= index]
        begins = max(index - (self._count - len(self._last)), 0)
        return (*grave, *list(self._last)[begins:])

    def add(self, record: Record) -> None:
        """Keeps one, and lets go of another where there are too many."""
        self._count += 1
        if not self._last and len(self._first) < _RECORDS and self._room > 0:
            self._first.append(record)
            self._room -= len(record.text)
            return
        self._last.append(record)
        self._bytes += len(record.text)
        while len(self._last) > _RECORDS or self._bytes > _BYTES:
            old = self._last.popleft()
            self._bytes -= len(old.text)
            if old.level <= _GRAVE and len(self._grave) < _GRAVE_RECORDS:
                self._grave.append((self._count - len(self._last) - 1, old))
            else:
                self.left_out += 1
