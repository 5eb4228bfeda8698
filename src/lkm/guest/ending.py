# SPDX-License-Identifier: MIT
"""How a guest ended, and what it said that its agent could not report: from the serial console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from lkm.errors import LkmError
from lkm.guest.value import End
from lkm.guest.vm import Vm
from lkm.klog import Record, parse_console

_SAY_WHERE = 5.0  # seconds a hanging kernel gets to print where it hangs
_PANIC = b"Kernel panic - not syncing"


class Records:
    """The records of one guest, in order, and which were seen; the console fills the gaps."""

    def __init__(self) -> None:
        self._all: list[Record] = []
        self._seen: set[tuple[int, str]] = set()
        self._next = -1

    def __len__(self) -> int:
        return len(self._all)

    def since(self, index: int = 0) -> tuple[Record, ...]:
        """Those from that index on."""
        return tuple(self._all[index:])

    def __iter__(self) -> Iterator[Record]:
        return iter(self._all)

    def add(self, record: Record) -> None:
        """Notes one."""
        self._all.append(record)
        self._seen.add(_mark(record))
        self._next = max(self._next, record.seq + 1)

    def is_new(self, record: Record) -> bool:
        """Whether no record like it was noted."""
        return _mark(record) not in self._seen

    def missing(self, record: Record, console: Callable[[], bytes]) -> list[Record]:
        """What the kernel overwrote before the agent could read it, up to `record`, as the console had it.

        The sequence numbers tell how many there were; they are given back where the console has as many.
        """
        gap = record.seq - self._next
        if self._next < 0 or gap <= 0:
            return []
        shown = [
            one for one in parse_console(console()) if one.seconds <= record.seconds and self.is_new(one)
        ]
        shown = [one for one in shown if _mark(one) != _mark(record)][-gap:]
        if len(shown) == gap:
            shown = [replace(one, seq=self._next + index) for index, one in enumerate(shown)]
        return shown


def find_end(vm: Vm, known: End | None, *, lives: bool = False) -> tuple[End, str]:
    """How the guest of `vm` ended, with a word on it.

    One that is known to hang is ended; an NMI makes its kernel say where it hangs, unless it `lives` and
    its agent said so.
    """
    if known is End.HANG:
        with suppress(LkmError):
            if vm.alive and not lives:
                vm.qmp.send("inject-nmi")
                vm.wait(_SAY_WHERE)
        vm.kill()
        return End.HANG, ""
    vm.wait(2)
    vm.kill()  # where its channel makes no sense it may still run
    vm.qmp.drain()
    reasons = [event["data"].get("reason") for event in vm.qmp.events if event["event"] == "SHUTDOWN"]
    if not any(str(reason).startswith("guest-") for reason in reasons):
        return End.GUEST_LOST, vm.errors()
    if _PANIC in vm.console():
        return End.PANIC, ""
    restarted = "guest-reset" in reasons
    return End.POWERED_OFF, "it restarted, or its processor gave up (triple fault)" if restarted else ""


def last_words(vm: Vm, known: Records) -> tuple[Record, ...]:
    """What the console showed after all that the agent reported."""
    return tuple(record for record in parse_console(vm.console()) if known.is_new(record))


def _mark(record: Record) -> tuple[int, str]:
    # The console's time stamps have microseconds, as /dev/kmsg's have.
    return round(record.seconds * 1e6), record.text.partition("\n")[0].rstrip()
