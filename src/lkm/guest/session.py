# SPDX-License-Identifier: MIT
"""The conversation with one guest's agent: questions, answers, and the log records that come between."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import NoReturn

from lkm.errors import GuestLostError
from lkm.guest.channel import SIGNAL_WHERE, Ask, Frame, Say
from lkm.guest.ending import Records, find_end, last_words
from lkm.guest.value import End, GuestEnded
from lkm.guest.vm import Vm
from lkm.klog import Record, parse_kmsg

_WHERE = 1.0  # seconds the agent gets to say where a call that does not return is waiting


class Session:
    """One guest as it answers.  `records` is all its kernel said since it was started.

    `timeout`: seconds each question may take.  A guest that ends meanwhile, or does not answer, raises
    `GuestEnded`, and is ended.  `hold`: asked, once a limit has passed, for seconds more (a debugger may
    hold the guest).
    """

    def __init__(self, vm: Vm, timeout: float, on_record: Callable[[Record], None] | None) -> None:
        self.vm = vm
        self.timeout = timeout
        self.on_record = on_record
        self.records = Records()
        self.ended: GuestEnded | None = None
        self.hold: Callable[[], float] | None = None

    def call(self, kind: Ask, *parts: bytes | memoryview) -> tuple[int, float]:
        """Asks and waits; status as a system call gives it, and seconds in the guest."""
        self.ask(kind, *parts)
        return self._done(None)

    def collect(self, kind: Ask, *parts: bytes) -> tuple[list[bytes], int]:
        """Asks for data and waits for all of it; the pieces, and the status."""
        data: list[bytes] = []
        self.ask(kind, *parts)
        return data, self._done(data)[0]

    def ask(self, kind: Ask, *parts: bytes | memoryview) -> None:
        """Asks without waiting for the answer."""
        self._check()
        until = time.monotonic() + self.timeout
        while not self.vm.channel.ask(kind, *parts):
            self.next(min(until, time.monotonic() + 0.001), hang=time.monotonic() > until)

    def next(self, until: float, *, hang: bool = True) -> Frame | None:
        """The next frame that is not a log record; those are noted.

        Where `until` (time.monotonic) comes first: None, or with `hang` the guest's end.
        """
        self._check()
        while True:
            try:
                frame = self.vm.next_frame(until)
            except GuestLostError:
                self.end(None)
            if frame is None and hang and (more := self.more()) > 0:
                until = time.monotonic() + more
                continue
            if frame is None:
                if hang:
                    self.end(End.HANG)
                return None
            if frame.type != Say.LOG:
                return frame
            self._note(frame.body)

    def more(self) -> float:
        """Seconds more that what is out of time may take: gdb may hold the guest."""
        return self.hold() if self.hold is not None else 0.0

    def end(self, end: End | None) -> NoReturn:
        """Finds out how the guest ended (`end` where that is known), ends it, and raises what says so."""
        lives = end is End.HANG and self._ask_where()
        found, detail = find_end(self.vm, end, lives=lives)
        words = last_words(self.vm, self.records)
        self.ended = GuestEnded(found, words, detail)
        for record in words:
            self._add(record)
        self.vm.kill()
        raise self.ended

    def _check(self) -> None:
        if self.ended is not None:
            raise GuestEnded(self.ended.end)

    def _done(self, data: list[bytes] | None) -> tuple[int, float]:
        until = time.monotonic() + self.timeout
        while True:
            frame = self.next(until)
            assert frame is not None
            if frame.type == Say.DONE:
                status, took = struct.unpack("<qQ", frame.body)
                return status, took / 1e9
            if frame.type == Say.DATA and data is not None:
                data.append(frame.body)

    def _ask_where(self) -> bool:
        """Where a call does not return though the kernel lives: the agent says where it waits."""
        self.vm.channel.signal(SIGNAL_WHERE)
        until = time.monotonic() + _WHERE
        try:
            while (frame := self.vm.next_frame(until)) is not None:
                if frame.type == Say.LOG:
                    self._note(frame.body)
                elif frame.type == Say.STACK:
                    return frame.body != b""
        except GuestLostError:
            pass
        return False

    def _note(self, body: bytes) -> None:
        try:
            record = parse_kmsg(body)
        except ValueError:
            return
        for missed in self.records.missing(record, self.vm.console):
            self._add(missed)
        self._add(record)

    def _add(self, record: Record) -> None:
        self.records.add(record)
        if self.on_record is not None:
            self.on_record(record)
