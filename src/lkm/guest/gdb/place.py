# SPDX-License-Identifier: MIT
"""Where gdb finds a guest: a private directory with the commands for it, and the sockets it connects to.

The directory has a number, the first that no other run is using, and the port goes with it: what was typed
or saved for one run serves the next.  What a killed run left there is written over.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path

from lkm.errors import MissingError
from lkm.paths import cache_dir, make_dir

FIRST_PORT = 1234  # QEMU's own for gdb
_PORTS = 200
_PATH_MOST = 107  # bytes of a socket's path; include/uapi/linux/un.h
_LOOPBACK = "127.0.0.1"


class Place:
    """One run's directory and sockets.  `port`: whether there is one of TCP beside the socket in it.

    Only this user can connect: the directory is private, and a port's peers are looked up.  Raises
    `MissingError` where it cannot be made.
    """

    def __init__(self, *, port: bool = False) -> None:
        self.directory, self._lock, number = _claim()
        self.listeners: list[socket.socket] = []
        self.port = 0
        path = self.directory / "socket"
        if len(os.fsencode(path)) > _PATH_MOST:
            port = True
        else:
            self.listeners.append(_listen_at(path))
        if port:
            self.listeners.append(_listen_on(FIRST_PORT + number - 1))
            self.port = self.listeners[-1].getsockname()[1]
        self.address = str(path) if self.listeners[0].family == socket.AF_UNIX else self.tcp_address

    @property
    def tcp_address(self) -> str:
        """`localhost:1234`; "" without a port."""
        return f"localhost:{self.port}" if self.port else ""

    def accept(self, listener: socket.socket) -> socket.socket | None:
        """The gdb that connects; None where another user, or no gdb, does."""
        peer, _ = listener.accept()
        if listener.family == socket.AF_INET and not _is_ours(peer):
            peer.close()
            return None
        # A page in a browser can reach a port, too: gdb's first byte is an acknowledgement or a packet's.
        peer.settimeout(2)
        with suppress(OSError):
            if peer.recv(1, socket.MSG_PEEK) in (b"+", b"$"):
                peer.settimeout(None)
                return peer
        peer.close()
        return None

    def close(self) -> None:
        """Gives the sockets, the files and the number back."""
        for listener in self.listeners:
            listener.close()
        with suppress(OSError):  # removed by someone else meanwhile
            for path in self.directory.iterdir():
                path.unlink(missing_ok=True)
        os.close(self._lock)


def _claim() -> tuple[Path, int, int]:
    """The first directory that nobody uses, emptied; the lock on it, and its number from 1."""
    base = make_dir(cache_dir() / "gdb")
    try:
        for number in range(1, 1000):
            directory = base / str(number)
            directory.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            directory.chmod(0o700)
            for path in directory.iterdir():
                path.unlink(missing_ok=True)
            return directory, lock, number
    except OSError as error:
        raise MissingError(f"cannot write {base}: {error.strerror}", hint="lkm doctor") from error
    raise MissingError(f"{base}: a thousand runs wait for gdb", hint=f"ls {base}")


def _listen_at(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def _listen_on(first: int) -> socket.socket:
    for port in range(first, first + _PORTS):
        listener = socket.socket(socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_LOOPBACK, port))
            listener.listen()
            return listener
        except OSError:
            listener.close()
    raise MissingError(f"no port is free from {first} on", hint="ss -ltn")


def _is_ours(peer: socket.socket) -> bool:
    """Whether a process of this user, or root, is at the other end; /proc/net/tcp has sockets' owners."""
    host, port = peer.getpeername()
    address = int.from_bytes(socket.inet_aton(host), "little")
    wanted = f"{address:08X}:{port:04X}"
    with suppress(OSError):
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if words[1] == wanted and words[3] == "01":  # TCP_ESTABLISHED
                return int(words[7]) in (os.geteuid(), 0)
    return False
