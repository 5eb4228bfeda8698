# SPDX-License-Identifier: MIT
"""Where releases are fetched from: kernel.org, a mirror of it, or a directory on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lkm.errors import MissingError, UsageError
from lkm.progress import Progress, Silent
from lkm.release.http import NotThereError, fetch_url, is_url, read_url
from lkm.release.listing import list_versions, parse_sums
from lkm.release.names import directory_name, is_candidate

KERNEL_ORG = "https://cdn.kernel.org"
RELEASES_JSON = "https://www.kernel.org/releases.json"
# Where candidates' files are made on demand, from the tag, by a machine.
CANDIDATES = "https://git.kernel.org/torvalds/t"
GIT = "https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git"
# The best packed first.
_ENDINGS = ("xz", "gz", "bz2", "zst")
_TREE = "pub/linux/kernel"
SUMS = "sha256sums.asc"
SMALL = 16 << 20
# No compressed kernel is longer (6.12: 148 MB; the .gz 235 MB).
LARGEST = 2 << 30


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that is there: `where` (an address or a path) for the record."""

    path: Path
    where: str


class Mirror(Protocol):
    """What has releases laid out as kernel.org has them."""

    @property
    def name(self) -> str:
        """Its address or directory."""

    def read(self, directory: str, name: str) -> bytes | None:
        """A small file of a directory such as `v6.x`, or of the top (""); None where it is not there."""

    def fetch(self, version: str, into: Path, *, progress: Progress) -> Placed | None:
        """The compressed tar of a release, into the directory `into` where it is not on this machine."""

    def where(self, version: str) -> str:
        """Where that would come from."""

    def list(self, directory: str) -> Sequence[str]:
        """The files in a directory such as `v6.x`, as far as can be told."""


def find_mirror(text: str) -> Mirror:
    """The mirror of this name: an address, or a directory; "" is kernel.org.

    Raises `UsageError` where it is neither.
    """
    if is_url(text):
        return WebMirror(text.rstrip("/"))
    if not text:
        return WebMirror(KERNEL_ORG)
    path = Path(text.removeprefix("file://")).expanduser()
    if not path.is_dir():
        raise UsageError(
            f"--mirror {text}: there is no such directory, and it is no address", hint="--mirror https://…"
        )
    return DirectoryMirror(path.resolve())


class WebMirror:
    """A web server; its tree begins at the address given, or at `pub/linux/kernel` below it."""

    def __init__(self, base: str) -> None:
        self.name = base
        self._trees = [""] if base.endswith("/kernel") else [f"{_TREE}/", ""]

    def _urls(self, version: str) -> Iterator[str]:
        if is_candidate(version):
            base = CANDIDATES if self.name == KERNEL_ORG else f"{self.name}/torvalds/t"
            yield f"{base}/linux-{version}.tar.gz"
            return
        for tree in self._trees:
            for ending in _ENDINGS:
                yield f"{self.name}/{tree}{directory_name(version)}/linux-{version}.tar.{ending}"

    def read(self, directory: str, name: str) -> bytes | None:
        """See `Mirror.read`."""
        if not directory:
            top = self.name.removesuffix("/").removesuffix(f"/{_TREE}")
            urls = [RELEASES_JSON if self.name == KERNEL_ORG else f"{top}/{name}"]
        else:
            urls = [f"{self.name}/{tree}{directory}/{name}" for tree in self._trees]
        for url, tree in zip(urls, list(self._trees), strict=False):
            try:
                data = read_url(url, limit=SMALL)
            except NotThereError:
                continue
            if directory:
                self._trees = [tree]  # the others need not be asked any more
            return data
        return None

    def fetch(self, version: str, into: Path, *, progress: Progress) -> Placed | None:
        """See `Mirror.fetch`."""
        for url in self._urls(version):
            path = into / url.rpartition("/")[2]
            if path.is_file():  # what it is, its checksum and signature tell
                return Placed(path, url)
            try:
                what = f"fetching {path.name}"
                fetch_url(url, path, limit=LARGEST, progress=progress, what=what)
            except NotThereError:
                continue
            return Placed(path, url)
        return None

    def where(self, version: str) -> str:
        """See `Mirror.where`."""
        return next(self._urls(version))

    def list(self, directory: str) -> Sequence[str]:
        """The files that the list of checksums names; whether it is signed is not asked here."""
        return list(parse_sums(self.read(directory, SUMS) or b""))


class DirectoryMirror:
    """A directory: kernel.org's tree or part of it, or one where files were just put."""

    def __init__(self, base: Path) -> None:
        self.name = str(base)
        self._base = base

    def _places(self, directory: str) -> list[Path]:
        places = [
            self._base / _TREE / directory,
            self._base / directory,
            self._base / "torvalds" / "t",
            self._base,
        ]
        return [place for place in dict.fromkeys(places) if place.is_dir()]

    def _find(self, directory: str, name: str) -> Path | None:
        return next((place / name for place in self._places(directory) if (place / name).is_file()), None)

    def read(self, directory: str, name: str) -> bytes | None:
        """See `Mirror.read`."""
        path = self._find(directory, name)
        if path is None:
            return None
        with path.open("rb") as stream:
            data = stream.read(SMALL + 1)
        if len(data) > SMALL:
            raise MissingError(f"{path} is longer than such a file is")
        return data

    def fetch(self, version: str, into: Path, *, progress: Progress) -> Placed | None:
        """The file where it lies; nothing is copied."""
        for ending in _ENDINGS:
            path = self._find(directory_name(version), f"linux-{version}.tar.{ending}")
            if path is not None:
                return Placed(path, str(path))
        return None

    def where(self, version: str) -> str:
        """See `Mirror.where`."""
        found = self.fetch(version, self._base, progress=Silent())
        return found.where if found else f"{self.name}/linux-{version}.tar.xz"

    def list(self, directory: str) -> Sequence[str]:
        """See `Mirror.list`."""
        return [entry.name for place in self._places(directory) for entry in place.iterdir()]


def list_releases(mirror: Mirror, directory: str) -> list[str]:
    """The releases in a directory such as `v6.x`."""
    return list_versions(mirror.list(directory))
