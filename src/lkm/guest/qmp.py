# SPDX-License-Identifier: MIT
"""QEMU's machine protocol, as much of it as a guest needs.

Our own 60 lines and not `qemu.qmp`: a run needs no round trip here at all (its commands are in the
socket before QEMU starts), and importing asyncio alone costs more than restoring a clone.
Source: docs/interop/qmp-spec.txt of QEMU.
"""

from __future__ import annotations

import json
import select
import socket
import time
from typing import Any

from lkm.errors import GuestLostError, LkmError, OutOfTimeError


class Qmp:
    """One monitor.  Commands are numbered, so that answers to those sent ahead are told apart."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self._left = b""
        self._count = 0
        self.events: list[dict[str, Any]] = []
        self.send("qmp_capabilities")

    def fileno(self) -> int:
        """For poll(2)."""
        return self._socket.fileno()

    def close(self) -> None:
        """Closes our end."""
        self._socket.close()

    def send(self, command: str, *, fd: int | None = None, **arguments: Any) -> int:
        """Sends without waiting, an open file with it where given; returns the command's number."""
        self._count += 1
        text = json.dumps({"execute": command, "arguments": arguments, "id": self._count})
        try:
            if fd is not None:
                socket.send_fds(self._socket, [text.encode()], [fd])
            else:
                self._socket.sendall(text.encode())
        except OSError as error:
            raise GuestLostError(f"QEMU takes no commands any more: {error.strerror}") from error
        return self._count

    def call(self, command: str, *, timeout: float = 10.0, fd: int | None = None, **arguments: Any) -> Any:
        """The answer; raises `LkmError` where QEMU refuses, `GuestLostError` once it ended."""
        return self.answer(self.send(command, fd=fd, **arguments), timeout=timeout)

    def tell(self, line: str, *, timeout: float = 10.0) -> str:
        """What QEMU's monitor for people answers to `line`; raises as `call`."""
        arguments: dict[str, Any] = {"command-line": line}
        return str(self.call("human-monitor-command", timeout=timeout, **arguments))

    def answer(self, number: int, *, timeout: float = 10.0) -> Any:
        """The answer to the command of that number; earlier ones are passed over."""
        until = time.monotonic() + timeout
        while True:
            for message in self.receive():
                if message.get("id") == number:
                    if "error" in message:
                        raise LkmError(f"QEMU refused: {message['error'].get('desc')}")
                    return message["return"]
            wait = until - time.monotonic()
            if wait <= 0:
                raise OutOfTimeError("QEMU's monitor does not answer")
            select.select([self._socket], [], [], wait)

    def receive(self) -> list[dict[str, Any]]:
        """What has come so far, without waiting; events are kept in `events` too.

        Raises `GuestLostError` once QEMU closed its end and all was read.
        """
        data = b""
        ended = False
        try:
            while True:
                piece = self._socket.recv(65536)
                if not piece:
                    ended = True
                    break
                data += piece
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        *lines, self._left = (self._left + data).split(b"\n")
        messages: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
        self.events += [message for message in messages if "event" in message]
        if ended and not messages:
            raise GuestLostError("QEMU ended")
        return messages

    def drain(self) -> None:
        """Reads all that QEMU left behind when it ended."""
        try:
            while self.receive():
                pass
        except GuestLostError:
            pass
