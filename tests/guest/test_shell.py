# SPDX-License-Identifier: MIT
"""A terminal in a guest, with a pseudo-terminal for the person."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import threading
import time

import pytest

from lkm.guest import Guest

pytestmark = pytest.mark.guest


class Person:
    """The other end of a terminal: types, and reads what is shown."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.openpty()
        self.shown = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def wait_for(self, text: bytes, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while text not in self.shown and time.monotonic() < until:
            if select.select([self.ours], [], [], 0.1)[0]:
                self.shown += os.read(self.ours, 65536)
        assert text in self.shown, self.shown
        self.shown = self.shown[self.shown.index(text) + len(text) :]


def test_a_shell_to_type_into(guest: Guest) -> None:
    person = Person()
    person.resize(33, 99)
    before = termios.tcgetattr(person.theirs)
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(guest.shell(person.theirs, person.theirs)))
    thread.start()
    person.wait_for(b"# ")
    person.type(b"stty size\r")
    person.wait_for(b"33 99")
    person.type(b"echo a$((40 + 2))b; tty\r")
    person.wait_for(b"a42b")
    person.wait_for(b"/dev/pts/")
    person.type(b"sleep 1000\r")
    time.sleep(0.5)
    person.type(b"\x03")  # Ctrl-C ends the sleep and not the shell
    person.wait_for(b"# ")
    person.type(b"echo wrogn\x7f\x7fng\r")  # line editing
    person.wait_for(b"\nwrong")
    person.resize(40, 120)
    time.sleep(0.6)
    person.type(b"stty size\r")
    person.wait_for(b"40 120")
    person.type(b"exit 7\r")
    thread.join(30)
    assert ended == [7]
    assert termios.tcgetattr(person.theirs) == before
    assert guest.run("echo on").stdout == "on\n"


def test_a_shell_fed_from_a_pipe(guest: Guest) -> None:
    read, write = os.pipe()
    out_read, out_write = os.pipe()
    os.write(write, b"echo from a pipe; exit 4\n")
    os.close(write)
    assert guest.shell(read, out_write) == 4
    os.close(out_write)
    with os.fdopen(out_read, "rb") as shown:
        assert b"from a pipe" in shown.read()
    os.close(read)


def test_a_command_on_a_terminal(guest: Guest) -> None:
    read, write = os.pipe()
    out_read, out_write = os.pipe()
    assert guest.shell(read, out_write, ["/bin/busybox", "sh", "-c", "test -t 0 && test -t 1 && exit 5"]) == 5
    for fd in (read, write, out_read, out_write):
        os.close(fd)
