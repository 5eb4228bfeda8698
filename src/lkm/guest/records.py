# SPDX-License-Identifier: MIT
"""The records of one guest, from two sources: its agent, and the serial console where the agent is not heard.

The agent reads /dev/kmsg, so its records have their sequence numbers, but it may come too late: the kernel
has written over them, or the agent does not run any more.  The console has every record, without numbers,
in the same order.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from lkm.guest.vm import Vm
from lkm.klog import Record, parse_console
from lkm.klog.kept import KeptRecords

# As many as the kernel's own buffer can hold (agent.c, MOST_RECORDS): no source is further behind.
_MARKS = 65536
_PIECE = 4 << 20  # bytes of the console read at a time
_CATCH_UP = 4096  # records from the agent between two looks at the console
# The beginning of a record that came no further than its level, its time or who printed it.
_NO_TEXT = re.compile(rb"(?<![^\n])<\d{0,2}(?:>(?:\[[^]\n]*\]?){0,2} ?)?\Z")
_BUSY = 64 << 10  # bytes on the console that the agent should have reported

_Mark = tuple[int, str]


class Records:
    """What the kernel of `vm` said, in order; the console fills what the agent leaves out."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self.kept = KeptRecords()
        self._marks: deque[_Mark] = deque()
        self._seen: set[_Mark] = set()
        self._next = -1  # sequence number of the record after the agent's last
        self._taken = 0  # bytes of the console that were read
        self._shown: deque[Record] = deque()  # read there, and not reported by the agent so far

    def __len__(self) -> int:
        """How many came."""
        return len(self.kept)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.kept)

    def since(self, index: int = 0) -> tuple[Record, ...]:
        """Those that are kept of the ones from that index on."""
        return self.kept.since(index)

    def note(self, record: Record) -> list[Record]:
        """Notes one from the agent; what is new by it: itself, and before it what the agent never saw.

        The sequence numbers tell how many those are; they are given back where the console has as many.
        """
        gap = record.seq - self._next if self._next >= 0 else 0
        new: list[Record] = []
        if gap > 0 or len(self) % _CATCH_UP == _CATCH_UP - 1:
            self._read_console()
            passed = self._pass(record)
            if gap > 0:
                new = passed[-gap:]
            if len(new) == gap:
                new = [replace(one, seq=self._next + index) for index, one in enumerate(new)]
        self._next = max(self._next, record.seq + 1)
        if _mark(record) not in self._seen:  # the console was quicker
            new.append(record)
        for one in new:
            self._keep(one)
        return new

    def behind(self) -> bool:
        """Whether the console has so much more that the agent seems to be kept from running."""
        return self._vm.console_size - self._taken > _BUSY

    def rest(self) -> list[Record]:
        """What the console has beyond all that was noted, which is noted now."""
        self._read_console()
        new = [record for record in self._shown if _mark(record) not in self._seen]
        self._shown.clear()
        for record in new:
            self._keep(record)
        return new

    def _pass(self, record: Record) -> list[Record]:
        """Takes from the console's what came before `record`; those of them that are new."""
        passed = []
        while self._shown and self._shown[0].seconds <= record.seconds:
            one = self._shown.popleft()
            if _mark(one) not in self._seen and _mark(one) != _mark(record):
                passed.append(one)
        return passed

    def _read_console(self) -> None:
        """Reads whole records; what is behind is given back to the machine."""
        size = self._vm.console_size
        while self._taken < size:
            data = self._vm.console(self._taken, min(size, self._taken + _PIECE))
            is_last = self._taken + len(data) == size
            end = data.rfind(b"\n<") + 1  # the last may go on
            if end and (self._vm.alive or not is_last):
                data = data[:end]
            self._taken += len(data)
            whole = data if self._vm.alive or not is_last else _NO_TEXT.sub(b"", data)
            self._shown.extend(parse_console(whole))
            if is_last:
                break
        self._vm.let_go_of_console(self._taken)

    def _keep(self, record: Record) -> None:
        self.kept.add(record)
        # The console shows each line of a record as one of its own.
        for line in record.text.split("\n"):
            mark = round(record.seconds * 1e6), line.rstrip()
            self._marks.append(mark)
            self._seen.add(mark)
        while len(self._marks) > _MARKS:
            self._seen.discard(self._marks.popleft())


def _mark(record: Record) -> _Mark:
    # The console's time stamps have microseconds, as /dev/kmsg's have.
    return round(record.seconds * 1e6), record.text.partition("\n")[0].rstrip()
