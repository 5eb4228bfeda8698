# SPDX-License-Identifier: MIT
"""QEMU's gdb stub, as gdb sees it: of the remote serial protocol what reading a stopped guest takes.

Source: "Remote Protocol" in gdb's manual (packets `m`, `g`, `Z`, `z`, `c`, `D`); gdbstub of QEMU.
"""

from __future__ import annotations

import itertools
import re
import select
import socket
import struct
import time
from contextlib import suppress
from typing import Any

from lkm.errors import GuestLostError, LkmError, OutOfTimeError
from lkm.guest.qmp import Qmp

# amd64 in the order of gdb's own description (gdb/features/i386/64bit-core.xml).
RDI, RIP = 5, 16
_ANSWER = 5.0  # seconds the stub of a stopped guest may take
_MOST = 1024  # bytes of one read; a packet of QEMU holds 4096 letters
_PACKET = re.compile(rb"\$([^#]*)#[0-9a-fA-F]{2}")
_STOPPED = re.compile(rb"[TS][0-9a-f]{2}")
_THREAD = re.compile(rb"thread:(?:p[0-9a-f]+\.)?([0-9a-f]+)")
_WATCHED = re.compile(rb"[ar]?watch:([0-9a-f]+)")
_numbers = itertools.count(1)


def connect_stub(qmp: Qmp) -> socket.socket:
    """A new connection to the stub of the QEMU behind `qmp`, which stops the guest; an older one ends.

    Nothing is read from the monitor, so a thread may call it while another one uses that.
    """
    ours, theirs = socket.socketpair()
    name = f"gdb{next(_numbers)}"
    with theirs:
        qmp.send("getfd", fd=theirs.fileno(), fdname=name)
    address = {"type": "fd", "data": {"str": name}}
    backend = {"type": "socket", "data": {"addr": address, "server": False}}
    qmp.send("chardev-add", id=name, backend=backend)
    words: dict[str, Any] = {"command-line": f"gdbserver chardev:{name}"}
    qmp.send("human-monitor-command", **words)
    return ours


class Stub:
    """One conversation with the stub; the guest is stopped when it begins.

    Raises `GuestLostError` once QEMU ended, `OutOfTimeError` where it does not answer.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._left = b""
        self.watched: int | None = None  # the address whose access made it stop, where that was the reason
        self.ask("qC")  # before that it may have said that the guest stopped

    def close(self) -> None:
        """Ends the conversation; the guest stays as it is."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def ask(self, text: str) -> bytes:
        """The answer to a packet, without its frame; that the guest stopped meanwhile is none."""
        self.send(text)
        until = time.monotonic() + _ANSWER
        while _STOPPED.match(answer := self._next(until)):
            pass
        return answer

    def send(self, text: str) -> None:
        """Sends a packet whose answer comes later, or not at all."""
        body = text.encode()
        try:
            self.socket.sendall(b"$%b#%02x" % (body, sum(body) & 0xFF))
        except OSError as error:
            raise GuestLostError("QEMU ended") from error

    def wait_stop(self, until: float = float("inf")) -> int:
        """Waits until a guest that was let run stops; the number of the processor that did, from 1."""
        while not _STOPPED.match(answer := self._next(until)):
            pass
        watched = _WATCHED.search(answer)
        self.watched = int(watched[1], 16) if watched is not None else None
        thread = _THREAD.search(answer)
        return int(thread[1], 16) if thread is not None else 1

    def run(self) -> None:
        """Lets the guest run."""
        self.send("c")

    def detach(self) -> None:
        """Takes all breakpoints out, those of an earlier connection too, and lets the guest run."""
        self.ask("D;1")

    def set_breakpoint(self, address: int, *, there: bool = True) -> None:
        """Sets one, in no byte of the guest's memory, or takes it away."""
        answer = self.ask(f"{'Z' if there else 'z'}1,{address:x},1")
        if answer != b"OK":
            raise LkmError(f"QEMU sets no breakpoint at {address:#x} ({answer.decode('ascii', 'replace')})")

    def set_watchpoint(self, address: int, *, there: bool = True) -> None:
        """Makes the guest stop as it reads or writes the byte at a virtual address, or takes that away."""
        answer = self.ask(f"{'Z' if there else 'z'}4,{address:x},1")
        if answer != b"OK":
            raise LkmError(f"QEMU does not watch {address:#x} ({answer.decode('ascii', 'replace')})")

    def register(self, number: int) -> int:
        """A register of the processor that stopped."""
        answer = self.ask("g")  # `p` is for those who asked for the registers' description
        try:
            return int(struct.unpack_from("<Q", bytes.fromhex(answer.decode("ascii")), 8 * number)[0])
        except (ValueError, struct.error) as error:
            raise LkmError(f"QEMU gives no register {number}: {answer[:40]!r}") from error

    def read(self, address: int, size: int) -> bytes:
        """Memory at a virtual address; as much of it as is mapped, so perhaps none."""
        data = b""
        while len(data) < size:
            answer = self.ask(f"m{address + len(data):x},{min(size - len(data), _MOST):x}")
            try:
                piece = bytes.fromhex(answer.decode("ascii"))
            except ValueError:  # E14
                break
            if not piece:
                break
            data += piece
        return data

    def read_word(self, address: int) -> int:
        """A u64, 0 where nothing is mapped."""
        data = self.read(address, 8)
        return int(struct.unpack("<Q", data)[0]) if len(data) == 8 else 0

    def read_text(self, address: int, most: int = 64) -> str:
        """A text up to its NUL, "" where there is none."""
        # Not beyond a page in one read: what follows need not be mapped.
        size = min(most, 4096 - address % 4096)
        text, end, _ = self.read(address, size).partition(b"\0")
        return text.decode("ascii", "replace") if end else ""

    def _next(self, until: float) -> bytes:
        """The next packet, acknowledged."""
        while True:
            match = _PACKET.search(self._left)
            if match is not None:
                self._left = self._left[match.end() :]
                with suppress(OSError):  # where QEMU ended the packet still counts
                    self.socket.sendall(b"+")
                return match[1]
            wait = until - time.monotonic()
            if wait <= 0:
                raise OutOfTimeError("QEMU's gdb stub does not answer")
            if select.select([self.socket], [], [], min(wait, 3600))[0]:
                try:
                    data = self.socket.recv(65536)
                except OSError as error:
                    raise GuestLostError("QEMU ended") from error
                if not data:
                    raise GuestLostError("QEMU ended")
                self._left += data
