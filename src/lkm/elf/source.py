# SPDX-License-Identifier: MIT
"""Where the bytes of a file come from: an open file read in pieces, or bytes at hand.

Reading only what is asked for is what makes a whole modules directory fast: os.pread(2) of the header,
the section table and two sections takes a third of the time that reading or mapping the file does.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Protocol

from lkm.errors import BadInputError


class Source(Protocol):
    """Bytes with a name, for messages, and a size."""

    name: str
    size: int

    def read(self, offset: int, size: int, what: str = "") -> bytes:
        """`size` bytes at `offset`; raises `BadInputError`, naming both, where they are not there."""
        ...


def _short(name: str, offset: int, size: int, total: int, what: str) -> BadInputError:
    thing = what or "data"
    return BadInputError(
        f"{name}: truncated: {thing} takes {size} bytes at offset {offset:#x}, the file has {total}"
    )


class BytesSource:
    """Bytes in memory."""

    __slots__ = ("data", "name", "size")

    def __init__(self, data: bytes, *, name: str = "<bytes>") -> None:
        self.data = data
        self.name = name
        self.size = len(data)

    def read(self, offset: int, size: int, what: str = "") -> bytes:
        """See `Source.read`."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise _short(self.name, offset, size, self.size, what)
        return self.data[offset : offset + size]


class FileSource:
    """An open file; owns the descriptor and closes it at the end of its life, or at `close`."""

    __slots__ = ("fd", "name", "size")

    def __init__(self, fd: int, *, name: str = "") -> None:
        self.fd = fd
        self.name = name or f"<fd {fd}>"
        status = os.fstat(fd)
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise BadInputError(f"{self.name} is not a regular file")

    def read(self, offset: int, size: int, what: str = "") -> bytes:
        """See `Source.read`."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise _short(self.name, offset, size, self.size, what)
        data = os.pread(self.fd, size, offset)
        if len(data) != size:  # it shrank while it was read
            raise _short(self.name, offset, size, offset + len(data), what)
        return data

    def close(self) -> None:
        """Closes the file; later reads raise `OSError`."""
        fd, self.fd = self.fd, -1  # first: whoever closes at the same time must not close another's
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)

    def __del__(self) -> None:
        # Not there where __init__ raised before it was set.
        if getattr(self, "fd", -1) >= 0:
            self.close()


def open_source(path: Path | str) -> FileSource:
    """The file `path`, opened; raises `BadInputError` where it cannot be read or is not a regular file."""
    try:
        # O_NONBLOCK: opening a FIFO by mistake must not wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInputError(f"cannot read {path}: {reason}") from error
    return FileSource(fd, name=str(path))
