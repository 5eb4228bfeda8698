# SPDX-License-Identifier: MIT
"""The host's end of the channel to the agent: two rings of frames in a window of shared memory.

The window is a memfd that belongs to one guest (QEMU's ivshmem-plain); what the guest writes there is
copied before it is looked at, and every length is checked: a module under test may scribble over it.
The layout is that of `agent/channel.c`.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from dataclasses import dataclass
from enum import IntEnum

from lkm.errors import GuestLostError

WINDOW = 64 << 20  # bytes; sparse, so what is not used costs nothing
PAGE = 4096
IN_SIZE = 32 << 20
OUT_SIZE = WINDOW - PAGE - IN_SIZE
LARGEST = IN_SIZE // 2 - 64  # bytes of one request's body

_MAGIC = 0x314D4B4C
_HEAD = struct.Struct("<IIQQ")
_FRAME = struct.Struct("<IHH")
_U64 = struct.Struct("<Q")
_WAKE = struct.Struct("<qqII64s")
_IN_HEAD, _IN_TAIL, _OUT_HEAD, _OUT_TAIL, _TIME, _GENERATION, _SIGNAL, _BELL = 24, 32, 40, 48, 56, 4, 72, 144


SIGNAL_WHERE = 255  # no signal: asks the agent where a call waits that does not return
SIGNAL_WHERE_ALL = 254  # the same, and where each processor is


class Ask(IntEnum):
    """Requests, host to agent (`agent/agent.h`)."""

    PING = 1
    LOAD = 2
    UNLOAD = 3
    RUN = 4
    INPUT = 5
    WINDOW = 6
    PUT = 7
    GET = 8
    LIST = 9
    PARAMETERS = 10
    LOAD_FILE = 11


class Say(IntEnum):
    """Replies, agent to host."""

    READY = 65
    LOG = 66
    DONE = 67
    OUT = 68
    ERR = 69
    EXIT = 70
    DATA = 71
    STACK = 72


@dataclass(frozen=True, slots=True)
class Frame:
    """One reply: what it is and its body."""

    type: int
    body: bytes


class Channel:
    """One guest's window.  `fd` is the memfd for QEMU; the two counters of each ring only grow."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("lkm-channel", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, WINDOW)
        self._map = mmap.mmap(self.fd, WINDOW)
        self._in_head = 0
        self._out_tail = 0
        _HEAD.pack_into(self._map, 0, _MAGIC, 0, IN_SIZE, OUT_SIZE)

    def close(self) -> None:
        """Gives the memory back."""
        self._map.close()
        os.close(self.fd)

    def wake(self) -> None:
        """Tells a saved guest that it wakes up in a new process: the time, and fresh randomness."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        _WAKE.pack_into(self._map, _TIME, seconds, nanoseconds, 0, 64, os.urandom(64))
        struct.pack_into("<I", self._map, _GENERATION, int.from_bytes(os.urandom(4), "little") or 1)

    def signal(self, number: int) -> None:
        """Asks the agent to send a signal to the command that runs."""
        struct.pack_into("<I", self._map, _SIGNAL, number)

    @property
    def rings(self) -> bool:
        """Whether the agent can wake us; where it cannot we must look often."""
        return self._map[_BELL] != 0

    def ask(self, kind: Ask, *parts: bytes | memoryview) -> bool:
        """Writes one request; False where there is no room until the agent has taken some."""
        size = sum(len(part) for part in parts)
        need = _FRAME.size + (size + 7 & ~7)
        head, tail = self._in_head, min(self._read(_IN_TAIL), self._in_head)
        offset = head % IN_SIZE
        skip = IN_SIZE - offset if offset + need > IN_SIZE else 0
        if head + skip + need - tail > IN_SIZE:
            return False
        if skip:
            _FRAME.pack_into(self._map, PAGE + offset, 0, 0, 0)
            head, offset = head + skip, 0
        at = PAGE + offset
        _FRAME.pack_into(self._map, at, size, kind, 0)
        at += _FRAME.size
        for part in parts:
            self._map[at : at + len(part)] = part
            at += len(part)
        self._in_head = head + need
        _U64.pack_into(self._map, _IN_HEAD, self._in_head)
        return True

    @property
    def written(self) -> int:
        """Bytes of replies that the agent wrote, ever."""
        return self._read(_OUT_HEAD)

    @property
    def taken(self) -> int:
        """Bytes of them that were taken."""
        return self._out_tail

    def take(self) -> Frame | None:
        """The oldest reply not yet taken, or None.  Raises `GuestLostError` where the ring makes no sense."""
        while True:
            tail = self._out_tail
            waiting = self._read(_OUT_HEAD) - tail
            if waiting == 0:
                return None
            offset = tail % OUT_SIZE
            size, kind, _ = _FRAME.unpack_from(self._map, PAGE + IN_SIZE + offset)
            need = _FRAME.size + (size + 7 & ~7) if kind else OUT_SIZE - offset
            if not 0 < waiting <= OUT_SIZE or need > waiting or offset + need > OUT_SIZE:
                raise GuestLostError("the guest wrote nonsense into its channel")
            start = PAGE + IN_SIZE + offset + _FRAME.size
            body = self._map[start : start + size] if kind else b""
            self._out_tail = tail + need
            _U64.pack_into(self._map, _OUT_TAIL, self._out_tail)
            if kind:
                return Frame(kind, body)

    def _read(self, at: int) -> int:
        return int(_U64.unpack_from(self._map, at)[0])
