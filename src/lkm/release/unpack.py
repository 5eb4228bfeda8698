# SPDX-License-Identifier: MIT
"""Unpacking kernel sources where nothing is: whatever the archive says, nothing is written outside.

The directory is new, ours alone while it is filled, and everything in it was made here; so what a path leads
through is known without asking the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lkm.progress import Progress
from lkm.release.tar import HostileError, Kind, Member, TarReader, show_name

# Linux 6.12 has 87,000 files, the longest of 23 MB.
MEMBERS_LIMIT = 1_000_000
FILE_LIMIT = 1 << 30
_TOP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a manifest: `value` is a file's SHA-256 in hex digits, or a link's target; `path` is
    relative to the tree."""

    kind: Kind
    value: str
    path: str


class _Names:
    """What was made so far, and whether a member may be made beside it."""

    def __init__(self) -> None:
        self.top = ""
        self.directories: set[str] = set()
        self.others: dict[str, Kind] = {}

    def check(self, member: Member) -> str:
        """The path of a member below the top directory ("" for that itself); raises `HostileError`."""
        parts = _split(member.name)
        if not self.top:
            if not _TOP.fullmatch(parts[0]):
                raise HostileError(f"{show_name(parts[0])} is no name for a directory of sources")
            self.top = parts[0]
        if parts[0] != self.top:
            raise HostileError(
                f"there is more than one directory at the top: {self.top}, and {show_name(parts[0])}"
            )
        if len(parts) == 1:
            if member.kind is not Kind.DIRECTORY:
                raise HostileError(
                    f"{show_name(member.name)} lies beside the directory of sources, not in it"
                )
            return ""
        if member.mode & 0o7000:
            raise HostileError(
                f"{show_name(member.name)} would be set-user-ID or the like (mode {member.mode:o})"
            )
        path = "/".join(parts[1:])
        for count in range(1, len(parts) - 1):
            above = "/".join(parts[1 : 1 + count])
            if above in self.others:
                what = "a link" if self.others[above] is Kind.LINK else "a file"
                raise HostileError(
                    f"{show_name(member.name)} would be written through {what}, {show_name(above)}"
                )
        if path in self.others or (path in self.directories and member.kind is not Kind.DIRECTORY):
            raise HostileError(f"{show_name(member.name)} is in it twice")
        if member.kind is Kind.LINK:
            _check_target(member, parts)
        return path


def _split(name: str) -> list[str]:
    if not name.isprintable():
        raise HostileError(f"{show_name(name)} has characters that are not to be printed")
    if name.startswith("/"):
        raise HostileError(f"{show_name(name)} is an absolute path")
    parts = name.removeprefix("./").removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise HostileError(f"{show_name(name)} leads elsewhere")
    if len(name.encode()) > 4000 or any(len(part.encode()) > 255 for part in parts):
        raise HostileError(f"{show_name(name)} is too long a name")
    return parts


def _check_target(member: Member, parts: list[str]) -> None:
    """A link leads to a place below the top directory, by its words; `_check_links` asks the disk, too."""
    target = member.target
    if not target or not target.isprintable():
        raise HostileError(f"{show_name(member.name)} is a link to {target!r}")
    depth = len(parts) - 2
    for part in target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            break
    if target.startswith("/") or depth < 0:
        raise HostileError(f"{show_name(member.name)} is a link to {show_name(target)}, outside")


def read_members(chunks: Iterable[bytes]) -> Iterator[tuple[Member, str, TarReader, str]]:
    """Each member that may be unpacked: itself, its path below the top, where its body is, and the top."""
    names, reader = _Names(), TarReader(chunks)
    for count, member in enumerate(reader):
        if count >= MEMBERS_LIMIT:
            raise HostileError(f"more than {MEMBERS_LIMIT} files; kernel sources have a tenth of that")
        if member.size > FILE_LIMIT:
            raise HostileError(f"{show_name(member.name)} would have {member.size >> 20} MiB")
        path = names.check(member)
        yield member, path, reader, names.top
        if member.kind is Kind.DIRECTORY:
            names.directories.add(path)
        else:
            names.others[path] = member.kind
            above = path.rpartition("/")[0]
            while above and above not in names.directories:
                names.directories.add(above)
                above = above.rpartition("/")[0]
    if not names.others:
        raise HostileError("there is nothing in it")


def unpack(
    chunks: Iterable[bytes], into: Path, *, size: int, progress: Progress, what: str
) -> tuple[str, list[Entry]]:
    """Unpacks a tar into `into`, an empty directory that nobody else writes; its top directory's contents
    become those of `into`.  Gives the name of that directory and what was unpacked, in order.

    `size`: bytes of the tar, for the progress; 0 where not known.  Raises `HostileError`
    for what kernel sources never hold.
    """
    root, top = str(into), ""
    manifest: list[Entry] = []
    made = {""}
    links: list[str] = []
    for member, path, reader, top in read_members(chunks):  # noqa: B007 - the last one's top is given
        place = f"{root}/{path}"
        above = path.rpartition("/")[0]
        if above not in made:
            os.makedirs(f"{root}/{above}", mode=0o755, exist_ok=True)  # noqa: PTH103 - 90,000 times
            while above not in made:
                made.add(above)
                above = above.rpartition("/")[0]
        if member.kind is Kind.DIRECTORY:
            if path not in made:
                os.mkdir(place, 0o755)  # noqa: PTH102
                made.add(path)
        elif member.kind is Kind.LINK:
            os.symlink(member.target, place)  # noqa: PTH211
            links.append(path)
            manifest.append(Entry(Kind.LINK, member.target, path))
        else:
            manifest.append(Entry(member.kind, _write(member, place, reader), path))
        if not len(manifest) & 0xFF:
            progress.update(what, reader.position, size or None)
    _check_links(into, links)
    return top, manifest


def _write(member: Member, place: str, reader: TarReader) -> str:
    mode = 0o755 if member.kind is Kind.PROGRAM else 0o644
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        digest = hashlib.sha256()
        for piece in reader.read_body():
            digest.update(piece)
            while piece:
                piece = piece[os.write(fd, piece) :]  # noqa: PLW2901 - what is left of it
        with contextlib.suppress(OSError, OverflowError):  # make compares times; any will do
            os.utime(fd, (member.time, member.time))
    finally:
        os.close(fd)
    return digest.hexdigest()


def _check_links(into: Path, links: Iterable[str]) -> None:
    """No link leads outside by way of others, which its own words do not tell."""
    root = PurePosixPath(os.path.realpath(into))
    for path in links:
        if not PurePosixPath(os.path.realpath(into / path)).is_relative_to(root):
            raise HostileError(f"{show_name(path)} is a link that leads outside by way of another")


def read_manifest_of(chunks: Iterable[bytes]) -> list[Entry]:
    """What unpacking a tar would make; nothing is written."""
    manifest = []
    for member, path, reader, _top in read_members(chunks):
        if member.kind is Kind.LINK:
            manifest.append(Entry(Kind.LINK, member.target, path))
        elif member.kind is not Kind.DIRECTORY:
            digest = hashlib.sha256()
            for piece in reader.read_body():
                digest.update(piece)
            manifest.append(Entry(member.kind, digest.hexdigest(), path))
    return manifest
