# SPDX-License-Identifier: MIT
"""The conversation with one guest's agent: questions, answers, and the log records that come between."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from lkm.errors import GuestLostError
from lkm.guest.channel import SIGNAL_WHERE, SIGNAL_WHERE_ALL, Ask, Frame, Say
from lkm.guest.ending import find_end, find_stop, interrupt, look_at_processors
from lkm.guest.records import Records
from lkm.guest.value import End, Ending, GuestEnded
from lkm.guest.vm import Vm
from lkm.klog import Record, parse_kmsg

if TYPE_CHECKING:
    from lkm.guest.hang import Processor, Stack

_LOOK = 1.0  # seconds of silence after which the console is looked at
# Finding out where a guest hangs takes at most so long, in seconds: --timeout and two seconds is promised.
_TELL, _AFTER_DEADLINE, _AT_LEAST = 1.7, 1.8, 0.8
_ANSWER = 0.4  # of these the agent has to begin its answer, where it lives; it looks every 20 ms
_ANSWER_RAN = 0.3  # or longer: until QEMU ran for so long, which on a busy host takes its time
_ASKS = 4  # times, while the answer names no place: what ran went to sleep between two of its looks
_CERTAIN = 6  # looks at a processor with interrupts off, after which nothing else can run on it
_PANICS = 0.5  # what is kept for the kernel to say where it is
_BACKLOG = 0.5  # what was written in time is taken, for so long
_ASKED = "the panic in the log is how lkm asked where it is (an NMI)"
_PANICKED = "Kernel panic - not syncing: NMI"  # of arch/x86/kernel/nmi.c, unknown_nmi_error()
_FLOOD = 256 << 10  # bytes; who printed that much and still prints does so, too
_PRINTS, _MUCH = 0.1, 4096  # a guest that prints so many bytes in so many seconds prints without end
_PRINTS_LIMIT = 0.3  # on a busy host it takes longer to have run for so long


class Session:
    """One guest as it answers.  `records` is all its kernel said since it was started.

    `timeout`: seconds each question may take.  `deadline` (time.monotonic): when all of them must have been
    answered, None where that is not limited.  `hold`: asked, once a limit has passed, for seconds more (a
    debugger has stopped the guest).  A guest that ends meanwhile, or does not answer, raises
    `GuestEnded`, and is ended.
    """

    def __init__(self, vm: Vm, timeout: float, on_record: Callable[[Record], None] | None) -> None:
        self.vm = vm
        self.timeout = timeout
        self.deadline: float | None = None
        self.hold: Callable[[], float] | None = None
        self.on_record = on_record
        self.records = Records(vm)
        self.ended: GuestEnded | None = None

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
        until = self.limit(self.timeout)
        while not self.vm.channel.ask(kind, *parts):
            self.next(min(until, time.monotonic() + 0.001), hang=time.monotonic() > until)

    def limit(self, seconds: float) -> float:
        """The time (time.monotonic) at which what may take `seconds` must have ended."""
        until = time.monotonic() + seconds
        return until if self.deadline is None else min(until, self.deadline)

    def next(self, until: float, *, hang: bool = True) -> Frame | None:
        """The next frame that is not a log record; those are noted.

        Where `until` (time.monotonic) comes first: None, or with `hang` the guest's end.
        """
        self._check()
        backlog = -1  # bytes that the agent had written when the time was up
        while True:
            try:
                frame = self._wait(until)
            except GuestEnded:
                raise
            except GuestLostError:
                self.end(None)
            if frame is None:
                more = self.more() if hang else 0.0
                if more <= 0:
                    break
                until = time.monotonic() + more
                if self.deadline is not None:
                    self.deadline = max(self.deadline, until)
                continue
            if frame.type != Say.LOG:
                return frame
            self._note(frame.body)
            now = time.monotonic()
            if now >= until and hang:
                until = max(until, now + self.more())
            if now < until:
                continue
            if backlog < 0:
                backlog = self.vm.channel.written
            if self.vm.channel.taken >= backlog or now > until + _BACKLOG:
                break
        if hang:
            self.end(End.HANG)
        return None

    def more(self) -> float:
        """Seconds more that what is out of time may take: gdb may hold the guest."""
        return self.hold() if self.hold is not None else 0.0

    def end(self, end: End | None) -> NoReturn:
        """Finds out how the guest ended (a hang is known already), ends it, and raises what says so."""
        self._raise(self._tell_hang() if end is End.HANG else find_end(self.vm))

    def _raise(self, ending: Ending) -> NoReturn:
        self.vm.kill()
        words = self.records.rest()
        self.ended = GuestEnded(ending, tuple(words))
        self._tell(words)
        raise self.ended

    def _check(self) -> None:
        if self.ended is not None:
            raise GuestEnded(self.ended.ending)

    def _wait(self, until: float) -> Frame | None:
        """The next frame; in silence the console is looked at."""
        while True:
            frame = self.vm.next_frame(min(until, time.monotonic() + _LOOK))
            if frame is not None or time.monotonic() >= until:
                return frame
            if self.records.behind():
                self._tell(self.records.rest())
            stop = find_stop(self.vm)
            if stop is not None:
                self._raise(stop)

    def _done(self, data: list[bytes] | None) -> tuple[int, float]:
        until = self.limit(self.timeout)
        while True:
            frame = self.next(until)
            assert frame is not None
            if frame.type == Say.DONE:
                status, took = struct.unpack("<qQ", frame.body)
                return status, took / 1e9
            if frame.type == Say.DATA and data is not None:
                data.append(frame.body)

    def _tell_hang(self) -> Ending:
        """Who knows is asked: the agent where it lives, else the kernel; and QEMU, of the processors."""
        from lkm.guest.hang import judge_hang, parse_stacks

        stop = find_stop(self.vm)
        if stop is not None:
            return stop
        now = time.monotonic()
        until = now + _TELL
        if self.deadline is not None:  # which may have passed: a command was killed first
            until = max(min(until, self.deadline + _AFTER_DEADLINE), now + _AT_LEAST)
        before = len(self.records)
        moments = look_at_processors(self.vm)
        idle = all(one.halted for moment in moments for one in moment)
        prints = self._prints(idle)
        told: list[Stack] = []
        for _ in range(_ASKS):
            asked = len(self.records)
            processes, lives = self._ask_where(until, moments)
            if not self.vm.alive:
                return find_end(self.vm)
            told = parse_stacks(processes)
            if lives and (ending := judge_hang(told, self._stacks(asked), moments, prints=prints)).where:
                return ending
            if not lives or time.monotonic() > until - _PANICS:
                break
        interrupt(self.vm, until, prints=prints)
        self._tell(self.records.rest())
        ending = judge_hang(told, self._stacks(before), moments, prints=prints)
        return replace(ending, words=_ASKED if self._was_asked(before) else "")

    def _was_asked(self, since: int) -> bool:
        """Whether the log has the panic: the kernel may not have come to print it, behind all it prints."""
        return any(_PANICKED in record.text for record in self.records.since(since))

    def _prints(self, idle: bool) -> bool:
        """Whether the guest prints without end: it does now, as the time is up."""
        shown, ran = self._said(), self.vm.ran
        began = time.monotonic()
        time.sleep(_PRINTS)
        while not idle and self.vm.ran - ran < _PRINTS and time.monotonic() < began + _PRINTS_LIMIT:
            time.sleep(_PRINTS / 10)
        grown = self._said() - shown
        return grown > _MUCH or (grown > 0 and shown > _FLOOD)

    def _said(self) -> int:
        """Bytes, in all, from the console and from the agent: who quiets the console prints all the same."""
        return self.vm.console_size + self.vm.channel.written

    def _stacks(self, since: int) -> list[Stack]:
        from lkm.guest.hang import parse_stacks

        return parse_stacks(line for record in self.records.since(since) for line in record.text.splitlines())

    def _ask_where(self, until: float, moments: Sequence[Sequence[Processor]]) -> tuple[list[str], bool]:
        """What the agent says of processes and where they are, and whether it came to the end of that."""
        from lkm.guest.hang import is_deaf

        several = self.vm.machine.cpus > 1
        if not several and len(moments) >= _CERTAIN and is_deaf(moments):
            return [], False  # no process runs
        self.vm.channel.signal(SIGNAL_WHERE_ALL if several else SIGNAL_WHERE)
        # Where its only processor is free the agent is alive, however slow the host; an NMI would say less.
        free = any(one.free for moment in moments for one in moment)
        ran, now = self.vm.ran, time.monotonic()
        soonest = now + _ANSWER
        begin = until if free and not several else until - min(_PANICS, (until - now) / 2)
        said: list[str] = []
        begun = False
        try:
            while True:
                now, took = time.monotonic(), self.vm.ran - ran
                if begun:  # it lives: its word is better than that of an NMI
                    late = now > until
                else:
                    late = now > begin or (not free and now > soonest and took > _ANSWER_RAN)
                if late:
                    break
                frame = self.vm.next_frame(now + _ANSWER / 10)
                if frame is not None and frame.type == Say.LOG:
                    self._note(frame.body)
                elif frame is not None and frame.type == Say.STACK:
                    if not frame.body:
                        return said, True
                    said += frame.body.decode("utf-8", "replace").splitlines()
                    begun = True
        except GuestLostError:
            pass
        return said, False

    def _note(self, body: bytes) -> None:
        try:
            record = parse_kmsg(body)
        except ValueError:
            return
        self._tell(self.records.note(record))

    def _tell(self, records: Iterable[Record]) -> None:
        if self.on_record is not None:
            for record in records:
                self.on_record(record)
