# SPDX-License-Identifier: MIT
"""A small coverage-guided fuzzer: inputs that reach new lines are kept and changed further."""

from __future__ import annotations

import hashlib
import random
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

Target = Callable[[bytes], object]
INTERESTING = (
    0, 1, 2, 7, 8, 15, 16, 63, 64, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFF1, 0xFFF2, 0xFFFF, 0x7FFFFFFF,
    0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF,
)  # fmt: skip
_LONGEST = 1 << 16


class TooLongError(BaseException):
    """A case took longer than it may; no handler of the code under test catches it."""


@dataclass
class Finding:
    """A case that is no good: what it was and what happened."""

    data: bytes
    reason: str

    @property
    def name(self) -> str:
        """A file name for it."""
        return hashlib.sha256(self.data).hexdigest()[:16]


@dataclass
class Fuzzer:
    """Changes inputs of one target and watches which lines of `lkm` they reach.

    `seconds`: what a case may take.  All times are of this process's processor time, so that what else the
    machine does is not taken for a case without end.
    """

    target: Target
    allowed: tuple[type[BaseException], ...]
    seeds: list[bytes]
    dice: random.Random = field(default_factory=lambda: random.Random(0))
    seconds: float = 2.0
    corpus: list[bytes] = field(default_factory=list)
    seen: set[tuple[str, int, int]] = field(default_factory=set)
    findings: dict[str, Finding] = field(default_factory=dict)
    cases: int = 0

    def try_case(self, data: bytes) -> bool:
        """Runs one case; whether it reached something new."""
        self.cases += 1
        reached: set[tuple[str, int, int]] = set()
        reason = ""
        try:
            with _limit(self.seconds), _traced(reached):
                self.target(data)
        except self.allowed:
            pass
        except TooLongError:
            reason = f"no end after {self.seconds} s"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error}"
        if reason:
            key = reason.partition(": ")[0]
            old = self.findings.get(key)
            if old is None or len(data) < len(old.data):
                self.findings[key] = Finding(data, reason)
        new = not reached <= self.seen
        self.seen |= reached
        return new

    def run(self, *, seconds: float = 0.0, cases: int = 0, before: Callable[[], None] = lambda: None) -> None:
        """For so many seconds, or so many cases; `before` is called before each."""
        end = time.process_time() + seconds if seconds else None
        last = self.cases + cases if cases else None
        for seed in self.seeds:
            self.try_case(seed)
            self.corpus.append(seed)
        while (end is None or time.process_time() < end) and (last is None or self.cases < last):
            before()
            data = self.change(self.dice.choice(self.corpus))
            if self.try_case(data):
                self.corpus.append(data)

    def change(self, data: bytes) -> bytes:
        """One to four random changes."""
        buffer = bytearray(data)
        for _ in range(self.dice.choice((1, 1, 1, 2, 2, 3, 4))):
            if not buffer:
                buffer = bytearray(b"\0")
            self.dice.choice(_CHANGES)(self, buffer)
        return bytes(buffer[:_LONGEST])


def _flip(fuzzer: Fuzzer, data: bytearray) -> None:
    data[fuzzer.dice.randrange(len(data))] ^= 1 << fuzzer.dice.randrange(8)


def _byte(fuzzer: Fuzzer, data: bytearray) -> None:
    data[fuzzer.dice.randrange(len(data))] = fuzzer.dice.randrange(256)


def _number(fuzzer: Fuzzer, data: bytearray) -> None:
    form = fuzzer.dice.choice(["<H", "<I", "<Q", ">H", ">I", ">Q"])
    size = struct.calcsize(form)
    if len(data) >= size:
        at = fuzzer.dice.randrange(len(data) - size + 1)
        value = fuzzer.dice.choice((*INTERESTING, len(data), len(data) - 1, fuzzer.dice.randrange(1 << 16)))
        struct.pack_into(form, data, at, value & (1 << 8 * size) - 1)


def _cut(fuzzer: Fuzzer, data: bytearray) -> None:
    del data[fuzzer.dice.randrange(len(data)) :]


def _remove(fuzzer: Fuzzer, data: bytearray) -> None:
    at = fuzzer.dice.randrange(len(data))
    del data[at : at + fuzzer.dice.randrange(1, 64)]


def _repeat(fuzzer: Fuzzer, data: bytearray) -> None:
    at = fuzzer.dice.randrange(len(data))
    piece = data[at : at + fuzzer.dice.randrange(1, 64)]
    data[at:at] = piece * fuzzer.dice.choice((1, 1, 2, 16))


def _splice(fuzzer: Fuzzer, data: bytearray) -> None:
    other = fuzzer.dice.choice(fuzzer.corpus or fuzzer.seeds)
    if other:
        at, start = fuzzer.dice.randrange(len(data)), fuzzer.dice.randrange(len(other))
        piece = other[start : start + fuzzer.dice.randrange(1, 256)]
        data[at : at + len(piece)] = piece


def _section(fuzzer: Fuzzer, data: bytearray) -> None:
    """A field of a row of the section table of a 64-bit little-endian file."""
    if len(data) < 64 or data[:6] != b"\x7fELF\x02\x01":
        return _number(fuzzer, data)
    (offset,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    at = (
        offset
        + 64 * fuzzer.dice.randrange(max(count, 1))
        + fuzzer.dice.choice((0, 4, 8, 16, 24, 32, 40, 44, 48, 56))
    )
    if at + 8 <= len(data):
        old = struct.unpack_from("<I", data, at)[0]
        value = fuzzer.dice.choice(
            (*INTERESTING, old + 1, old - 1, old ^ 7, fuzzer.dice.randrange(len(data)))
        )
        struct.pack_into("<I", data, at, value & 0xFFFFFFFF)
    return None


_CHANGES: tuple[Callable[[Fuzzer, bytearray], None], ...] = (
    _flip, _byte, _number, _number, _cut, _remove, _repeat, _splice, _section, _section,
)  # fmt: skip


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise TooLongError

    old = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


@contextmanager
def _traced(reached: set[tuple[str, int, int]]) -> Iterator[None]:
    """Notes each step from line to line within `lkm`."""

    def local(frame: FrameType, event: str, argument: object) -> object:
        nonlocal last
        if event == "line":
            line = frame.f_lineno
            reached.add((frame.f_code.co_filename, last, line))
            last = line
        return local

    def start(frame: FrameType, event: str, argument: object) -> object:
        return local if "/lkm/" in frame.f_code.co_filename else None

    last = 0
    old = sys.gettrace()
    sys.settrace(start)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.settrace(old)
