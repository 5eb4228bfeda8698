# SPDX-License-Identifier: MIT
"""Kconfig's `$(shell,...)`: a hundred questions to the compiler, asked while the files are read on.

Each is answered by a mark at once, and by its output where that is needed: at the end, or where it is part of
another question.  They are asked by a process of its own, forked off: a reader of Kconfig files that had to
look after them would be held up at each.  The flat copy (`lkm.kconfig.translate`) goes through that process
too, which writes it out, and hands it on to a waiting `conf`, as far as the answers are in.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import re
import select
import signal
import struct
import time
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

_MARK = re.compile(r"_lkm_shell_(\d+)_")
# One question, such as whether the compiler takes an option, takes some milliseconds.
_TIMEOUT = 60
_BATCH = 1 << 16  # characters of the flat copy that are sent at once
_LENGTH = struct.Struct("<Q")
# As subprocess does: Python itself ignores these.
_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)


class ShellError(Exception):
    """The questions cannot be asked, or one has no answer."""


class Shells:
    """Commands of Kconfig files, each started once, some at a time; and the flat copy.

    Made before a fork: one side calls `serve` and ends with what it gives, the other `begin`, and then the
    rest, which raises `ShellError`.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._answers: dict[int, str] = {}
        self._known: dict[str, str] = {}
        self._batch: list[str] = []
        self._size = 0
        self._served, self._requests = os.pipe()
        self._replies, self._replied = os.pipe()

    def serve(self, flat: Path, pipe: int | None = None) -> int:
        """Asks, and writes the flat copy to `flat` and to the descriptor `pipe`; the status to end with."""
        os.close(self._requests)
        os.close(self._replies)
        try:
            with flat.open("wb") as file:
                _Server(self._served, self._replied, file, pipe).run()
        except (ShellError, OSError) as error:
            with contextlib.suppress(OSError):
                _send(self._replied, (False, str(error)))
            return 1
        return 0

    def begin(self, pid: int) -> None:
        """The process `pid` serves."""
        self._pid = pid
        os.close(self._served)
        os.close(self._replied)

    def start(self, command: str) -> str:
        """A mark that stands for the output of `command`, which may have marks itself."""
        mark = self._known.get(command)
        if mark is None:
            mark = self._known[command] = f"_lkm_shell_{len(self._known)}_"
            self._send("ask", command)
        return mark

    def resolve(self, text: str) -> str:
        """`text` with all marks replaced by what the commands said."""
        if "_lkm_shell_" not in text:
            return text
        return _MARK.sub(lambda match: self._answer(int(match[1])), text)

    def put(self, text: str) -> None:
        """Adds `text`, with its marks, to the flat copy."""
        self._batch.append(text)
        self._size += len(text)
        if self._size > _BATCH:
            self._flush()

    def end(self) -> None:
        """Waits for all answers; the flat copy is complete."""
        self._flush()
        self._answers = dict(enumerate(self._request("end", None)))

    def wait(self) -> None:
        """Waits until the flat copy is written."""
        os.close(self._requests)
        reply = _receive(self._replies)
        os.close(self._replies)
        if os.waitpid(self._pid, 0)[1] != 0:
            why = f": {reply[1]}" if reply is not None else ""
            raise ShellError(f"the flat copy of the Kconfig files cannot be written{why}")

    def _answer(self, number: int) -> str:
        if number not in self._answers:
            self._answers[number] = self._request("answer", number)
        return self._answers[number]

    def _flush(self) -> None:
        if self._batch:
            self._send("flat", "".join(self._batch))
            self._batch, self._size = [], 0

    def _request(self, kind: str, value: object) -> Any:
        self._send(kind, value)
        return self._receive()

    def _send(self, kind: str, value: object) -> None:
        try:
            _send(self._requests, (kind, value))
        except BrokenPipeError:
            self._receive()

    def _receive(self) -> Any:
        reply = _receive(self._replies)
        if reply is None:
            raise ShellError("the process that asks the compiler has ended")
        good, value = reply
        if not good:
            raise ShellError(value)
        return value


def _send(fd: int, value: Any) -> None:
    data = marshal.dumps(value)
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(fd, view) :]


def _receive(fd: int) -> Any:
    """What the other side sent, or None where it has ended."""
    head = _read(fd, _LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    return marshal.loads(_read(fd, _LENGTH.unpack(head)[0]))


def _read(fd: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class _Server:
    """Asks what is to be asked, as many at once as there are processors, and passes the flat copy on."""

    def __init__(self, requests: int, replies: int, file: BinaryIO, pipe: int | None) -> None:
        self._requests, self._replies, self._file, self._pipe = requests, replies, file, pipe
        self._commands: list[str] = []
        self._pending: list[int] = []
        self._answers: dict[int, str] = {}
        # By the descriptor of its output: number, process, when it must have ended, what it has said.
        self._running: dict[int, tuple[int, int, float, list[bytes]]] = {}
        self._flat: deque[str] = deque()
        self._ready: deque[memoryview] = deque()  # what the pipe has not taken yet
        self._awaited: tuple[str, int] | None = None
        self._open = True  # the reader may send more
        self._complete = False  # all of the flat copy is here
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)
        if pipe is not None:
            os.set_inheritable(pipe, False)
            os.set_blocking(pipe, False)

    def run(self) -> None:
        """Until the reader has no more, and all it had is done; at once where it dies."""
        while self._open or self._flat or self._ready:
            for fd, _ in self._poll.poll(self._left()):
                if fd == self._requests:
                    self._take()
                elif fd == self._pipe:
                    self._pass_on()
                else:
                    self._hear(fd)
            self._ask()
            self._write()
            self._reply()

    def _left(self) -> float | None:
        """Milliseconds until a question that runs has had its time."""
        if not self._running:
            return None
        number, pid, until, _ = min(self._running.values(), key=lambda one: one[2])
        left = until - time.monotonic()
        if left <= 0:
            os.kill(pid, signal.SIGKILL)
            raise ShellError(f"no answer after {_TIMEOUT} s: {self._commands[number]}")
        return left * 1000 + 1

    def _take(self) -> None:
        message = _receive(self._requests)
        if message is None:
            self._open = False
            self._poll.unregister(self._requests)
            if not self._complete:
                raise ShellError("the reader has ended")
            return
        kind, value = message
        if kind == "ask":
            self._pending.append(len(self._commands))
            self._commands.append(value)
        elif kind == "flat":
            self._flat.append(value)
        else:
            self._awaited = (kind, value or 0)
            self._complete = kind == "end"

    def _ask(self) -> None:
        limit = os.cpu_count() or 1
        while len(self._running) < limit:
            number = next((one for one in self._pending if self._is_known(self._commands[one])), None)
            if number is None:
                return
            self._pending.remove(number)
            source, sink = os.pipe()
            pid = os.posix_spawn(
                "/bin/sh",
                ["/bin/sh", "-c", self._known(self._commands[number])],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, sink, 1),
                    (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
                ],
                setsigdef=_SIGNALS,
            )
            os.close(sink)
            self._running[source] = (number, pid, time.monotonic() + _TIMEOUT, [])
            self._poll.register(source, select.POLLIN)

    def _is_known(self, text: str) -> bool:
        return all(int(mark[1]) in self._answers for mark in _MARK.finditer(text))

    def _known(self, text: str) -> str:
        return _MARK.sub(lambda mark: self._answers[int(mark[1])], text)

    def _hear(self, fd: int) -> None:
        number, pid, _, said = self._running[fd]
        part = os.read(fd, 65536)
        if part:
            said.append(part)
            return
        del self._running[fd]
        self._poll.unregister(fd)
        os.close(fd)
        os.waitpid(pid, 0)
        # scripts/kconfig/preprocess.c, do_shell: newlines as spaces, but for the last.
        self._answers[number] = b"".join(said).decode("utf-8", "replace").rstrip("\n").replace("\n", " ")

    def _write(self) -> None:
        """Writes what of the flat copy is known, in its order."""
        while self._flat:
            text = self._flat[0]
            first = next((one for one in _MARK.finditer(text) if int(one[1]) not in self._answers), None)
            known = text if first is None else text[: text.rfind("\n", 0, first.start()) + 1]
            if known:
                data = self._known(known).encode("utf-8")
                self._file.write(data)
                if self._pipe is not None:
                    self._ready.append(memoryview(data))
                    self._poll.register(self._pipe, select.POLLOUT)
            if first is not None:
                self._flat[0] = text[len(known) :]
                return
            self._flat.popleft()
        if self._complete and not self._ready:
            self._shut()

    def _pass_on(self) -> None:
        assert self._pipe is not None
        try:
            size = os.write(self._pipe, self._ready[0])
        except BlockingIOError:
            return
        except BrokenPipeError:  # conf has ended, and will be asked why
            self._shut()
            return
        self._ready[0] = self._ready[0][size:]
        if not self._ready[0]:
            self._ready.popleft()
        if not self._ready:
            self._poll.unregister(self._pipe)

    def _shut(self) -> None:
        if self._pipe is not None:
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._pipe)
            os.close(self._pipe)
            self._pipe = None
            self._ready.clear()

    def _reply(self) -> None:
        if self._awaited is None:
            return
        kind, number = self._awaited
        if kind == "answer" and number in self._answers:
            _send(self._replies, (True, self._answers[number]))
            self._awaited = None
        elif kind == "end" and len(self._answers) == len(self._commands):
            _send(self._replies, (True, [self._answers[one] for one in range(len(self._answers))]))
            self._awaited = None
