# SPDX-License-Identifier: MIT
"""Where /sys and /proc are read: this machine's, a copy of them, or a file that record.sh wrote.

Paths are without a slash before them (`sys/class/net`); what is not there or may not be read is None or
empty, for no machine has everything.
"""

from __future__ import annotations

import os
import posixpath
from abc import ABC, abstractmethod
from pathlib import Path

from lkm.errors import BadInputError, UsageError

_LARGEST = 1 << 20  # of one file of /sys or /proc
_LARGEST_RECORD = 64 << 20
HEAD = "lkm hardware 1"  # the first line of what record.sh writes
_LINKS = 40  # the kernel's own limit, include/linux/namei.h MAXSYMLINKS
HINT = "sh record.sh > FILE on that machine; lkm doctor --recorder > record.sh writes the script"


class Root(ABC):
    """A machine's /sys and /proc; `denied`: what was asked for and this user may not read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.denied: set[str] = set()

    @property
    def here(self) -> bool:
        """Whether it is this machine itself."""
        return False

    @abstractmethod
    def read_bytes(self, path: str) -> bytes | None:
        """What the file holds, up to 1 MiB."""

    @abstractmethod
    def resolve(self, path: str) -> str:
        """The path without links in it; "" where it leads nowhere."""

    @abstractmethod
    def list(self, path: str) -> list[str]:
        """The names in a directory, in order."""

    def read(self, path: str) -> str | None:
        """The text of a file without blanks around it."""
        data = self.read_bytes(path)
        return None if data is None else data.decode("utf-8", "replace").strip(" \t\n\0")

    def read_number(self, path: str, base: int = 10) -> int | None:
        """The number that a file holds."""
        try:
            return int(self.read(path) or "", base)
        except ValueError:
            return None

    def exists(self, path: str) -> bool:
        """Whether it is there, whatever it is."""
        return self.resolve(path) != ""

    def target(self, path: str) -> str:
        """The last name of what a link leads to; "" where there is none."""
        return posixpath.basename(self.resolve(path))


class Directory(Root):
    """A directory with `sys` and `proc` in it; `/` is this machine."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = os.path.realpath(path)
        self._length = len(self._path.rstrip("/")) + 1

    @property
    def here(self) -> bool:
        """Whether it is this machine itself."""
        return self._path == "/"

    def read_bytes(self, path: str) -> bytes | None:
        """What the file holds, up to 1 MiB."""
        try:
            with Path(self._path, path).open("rb") as stream:
                return stream.read(_LARGEST)
        except PermissionError:
            self.denied.add(path)
        except OSError:
            pass
        return None

    def resolve(self, path: str) -> str:
        """The path without links in it; "" where it leads nowhere, or out of the directory."""
        try:
            found = str(Path(self._path, path).resolve(strict=True))
        except (OSError, RuntimeError):
            return ""
        return found[self._length :] if found.startswith(self._path.rstrip("/") + "/") else ""

    def list(self, path: str) -> list[str]:
        """The names in a directory, in order."""
        try:
            return sorted(os.listdir(Path(self._path, path)))  # noqa: PTH208 - names are all that is asked
        except OSError:
            return []


class Recorded(Root):
    """What record.sh wrote."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name)
        self._files: dict[str, bytes] = {}
        self._links: dict[str, str] = {}
        self._unreadable: set[str] = set()
        self._names: dict[str, set[str]] = {}
        self._parse(text)

    def read_bytes(self, path: str) -> bytes | None:
        """What the file held."""
        found = self.resolve(path)
        if found in self._unreadable:
            self.denied.add(path)
        return self._files.get(found)

    def resolve(self, path: str) -> str:
        """The path without links in it; "" where it was not written down."""
        found = self._walk(path)
        known = found in self._files or found in self._names or found in self._unreadable
        return found if known else ""

    def _walk(self, path: str) -> str:
        """The path without links in it; "" for one that goes round."""
        done: list[str] = []
        left = path.split("/")[::-1]
        links = 0
        while left:
            word = left.pop()
            if word in ("", "."):
                continue
            if word == "..":
                done = done[:-1]
                continue
            target = self._links.get("/".join([*done, word]))
            if target is None:
                done.append(word)
                continue
            links += 1
            if links > _LINKS:
                return ""
            done = [] if target.startswith("/") else done
            left += target.split("/")[::-1]
        return "/".join(done)

    def list(self, path: str) -> list[str]:
        """The names in a directory, in order."""
        return sorted(self._names.get(self.resolve(path), ()))

    def _parse(self, text: str) -> None:
        lines = text.replace("\r\n", "\n").split("\n")
        if lines[0].strip() != HEAD:
            raise BadInputError(f"{self.name}: not what record.sh writes", hint=HINT)
        entries = []
        at = 1
        while at < len(lines):
            kind, _, rest = lines[at].partition(" ")
            at += 1
            body = []
            while at < len(lines) and lines[at].startswith("|"):
                body.append(lines[at][1:])
                at += 1
            path, _, target = rest.partition(" ") if kind == "L" else (rest, "", "\n".join(body))
            if kind in ("F", "X", "L", "U") and path.startswith(("/sys/", "/proc/")):
                entries.append((kind, path.strip("/"), target))
        # What was reached by way of a link is kept where it is; so the links come first, the shorter before.
        for kind, path, said in sorted(entries, key=lambda one: (one[0] != "L", one[1].count("/"))):
            parent, _, name = path.rpartition("/")
            place = self._walk(parent)
            if place.startswith(("sys", "proc")):
                self._keep(kind, f"{place}/{name}", said)

    def _keep(self, kind: str, path: str, text: str) -> None:
        self._add(path)
        if kind == "F":
            self._files[path] = text.encode()
        elif kind == "X":
            try:
                self._files[path] = bytes.fromhex(text.replace("\n", " "))
            except ValueError as error:
                raise BadInputError(f"{self.name}: {path} is no bytes in hex", hint=HINT) from error
        elif kind == "U":
            self._unreadable.add(path)
        else:
            self._links[path] = text
            # What a link leads to was there, whether or not a file of it was written down.
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
            if place.startswith(("sys/", "proc/")):
                self._add(place)
                self._names.setdefault(place, set())

    def _add(self, path: str) -> None:
        """Enters a name in its directory, and that in its own."""
        parent, slash, name = path.rpartition("/")
        while slash and name not in self._names.setdefault(parent, set()):
            self._names[parent].add(name)
            parent, slash, name = parent.rpartition("/")


def open_root(path: Path) -> Root:
    """The machine at `path`: `/`, a directory with copies of /sys and /proc, or a file of record.sh.

    Raises `UsageError` where there is none of these, `BadInputError` for a file that is something else.
    """
    if path.is_dir():
        if not (path / "sys").is_dir() and not (path / "proc").is_dir():
            raise UsageError(f"{path}: neither sys nor proc in it", hint=HINT)
        return Directory(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_RECORD + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint=HINT) from error
    if len(data) > _LARGEST_RECORD:
        raise BadInputError(f"{path}: too big for what record.sh writes (over 64 MiB)", hint=HINT)
    return Recorded(str(path), data.decode("utf-8", "replace"))
