# SPDX-License-Identifier: MIT
"""The guest's first file system: a cpio archive of the agent, the modules it needs and a shell.

Format: Documentation/driver-api/early-userspace/buffer-format.rst, "newc".
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive: `mode` with its type bits; `data` is a link's target for a symbolic link."""

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(path: str, mode: int = 0o755) -> Entry:
    """A directory."""
    return Entry(path, stat.S_IFDIR | mode)


def file(path: str, data: bytes, mode: int = 0o644) -> Entry:
    """A regular file."""
    return Entry(path, stat.S_IFREG | mode, data)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def device(path: str, major: int, minor: int, mode: int = 0o600) -> Entry:
    """A character device."""
    return Entry(path, stat.S_IFCHR | mode, device=(major, minor))


def build_cpio(entries: Iterable[Entry]) -> bytes:
    """The archive, the same bytes for the same entries; directories that a path needs come by themselves."""
    out = bytearray()
    made: set[str] = set()
    number = 1

    def add(entry: Entry) -> None:
        nonlocal number
        name = entry.path.strip("/").encode()
        fields = (
            number,
            entry.mode,
            0,
            0,
            1,
            0,
            len(entry.data),
            0,
            0,
            *entry.device,
            len(name) + 1,
            0,
        )
        number += 1
        out.extend(b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0")
        out.extend(bytes(-len(out) % 4))
        out.extend(entry.data)
        out.extend(bytes(-len(out) % 4))

    for entry in entries:
        parts = entry.path.strip("/").split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            if parent not in made:
                made.add(parent)
                add(directory(parent))
        if entry.path.strip("/") not in made:
            made.add(entry.path.strip("/"))
            add(entry)
    add(Entry("TRAILER!!!", 0))
    out.extend(bytes(-len(out) % 512))
    return bytes(out)
