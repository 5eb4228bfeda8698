# SPDX-License-Identifier: MIT
"""A terminal in a guest: our terminal's keys go in, what the guest's shows comes out."""

from __future__ import annotations

import os
import select
import struct
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lkm.guest.channel import Ask, Say
from lkm.guest.session import Session

_TICK = 0.25  # seconds between looks at the window's size
_END_OF_FILE = b"\x04"  # Ctrl-D, for an input that is no terminal and ends


def run_shell(session: Session, begin: Callable[[int, int], None], stdin: int, stdout: int) -> int:
    """Relays until the guest's command ends; its status as wait(2) gives it.

    `begin` starts the command, given rows and columns.  The window's size is looked at, not signalled,
    so this works in any thread.
    """
    size = _window(stdout)
    begin(*size)
    poll = select.poll()
    poll.register(session.vm.bell, select.POLLIN)
    poll.register(session.vm.process_fd, select.POLLIN)
    poll.register(stdin, select.POLLIN)
    listening = True
    with _raw(stdin):
        while True:
            status = _show(session, stdout)
            if status is not None:
                return status
            if _window(stdout) != size:
                size = _window(stdout)
                session.ask(Ask.WINDOW, struct.pack("<HH", *size))
            for fd, _ in poll.poll(_TICK * 1000):
                if fd == stdin and listening:
                    keys = _read(stdin)
                    session.ask(Ask.INPUT, keys or _END_OF_FILE)
                    if not keys:
                        poll.unregister(stdin)
                        listening = False


def _show(session: Session, stdout: int) -> int | None:
    """Writes what came; the command's status once it ended."""
    while (frame := session.next(time.monotonic(), hang=False)) is not None:
        if frame.type == Say.OUT:
            view = memoryview(frame.body)
            while view:
                view = view[os.write(stdout, view) :]
        elif frame.type == Say.EXIT:
            return int(struct.unpack_from("<q", frame.body)[0])
    return None


def _read(stdin: int) -> bytes:
    try:
        return os.read(stdin, 4096)
    except OSError:  # the other end of a pseudo-terminal is gone
        return b""


def _window(fd: int) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(fd)
        return size.lines, size.columns
    except OSError:
        return 24, 80


@contextmanager
def _raw(fd: int) -> Iterator[None]:
    """The terminal gives each key as it is pressed, Ctrl-C too, for the block."""
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
