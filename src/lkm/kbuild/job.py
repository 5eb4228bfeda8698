# SPDX-License-Identifier: MIT
"""One build: what was asked for, and where its files are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lkm.kbuild.mirror import Mirror, target_name
from lkm.kbuild.value import Diagnostic, How
from lkm.kernel.value import Kernel


@dataclass(frozen=True, slots=True)
class Job:
    """All that a build is told (see `build`).

    `directory`: the kernel's build directory.  `words`: make words by name.  `place`: the directory in the
    cache that is this source's and this kernel's own.
    """

    source: Path
    kernel: Kernel
    directory: Path
    words: Mapping[str, str]
    jobs: int
    place: Path
    mirror: Mirror
    on_line: Callable[[str], None] | None
    timeout: float

    @property
    def record_path(self) -> Path:
        """Where a finished build is remembered."""
        return self.place / "record.json"

    @property
    def modules_path(self) -> Path:
        """Where finished modules are put, whole."""
        return self.place / "ko"

    @property
    def scratch(self) -> Path:
        """For logs of the fast path."""
        return self.place / "fast"

    @property
    def environment_path(self) -> Path:
        """What Kbuild hands to the commands it starts, as `env -0` wrote it."""
        return self.place / "environment"

    def real_path(self, text: str) -> Path:
        """A path as a tool printed it, to the source file's own."""
        mirror = self.mirror
        path = Path(text)
        if not path.is_absolute():
            bases = (mirror.work, self.directory)
            path = next((base / path for base in bases if (base / path).exists()), mirror.work / path)
        if mirror.only is not None and path == mirror.root / target_name(mirror, mirror.only.name):
            return mirror.only
        if path.is_relative_to(mirror.root):
            return Path(os.path.normpath(mirror.source / path.relative_to(mirror.root)))
        return Path(os.path.normpath(path))

    def key(self, text: str, *, is_relative: bool) -> str | None:
        """How a dependency is remembered.

        A path below the source, for a file that was copied from there; an absolute path for another of the
        person's files; None for one of the kernel's.  `is_relative`: the command ran in the work directory.
        """
        mirror = self.mirror
        path = text if text.startswith("/") else f"{mirror.work if is_relative else self.directory}/{text}"
        root = f"{mirror.root}/"
        if path.startswith(root):
            inside = os.path.normpath(path[len(root) :])
            if inside.startswith("..") or (mirror.root / inside).is_symlink():
                return os.path.normpath(f"{mirror.source}/{inside}")
            if mirror.only is not None and inside == target_name(mirror, mirror.only.name):
                return mirror.only.name
            return inside
        return None if not path.startswith(f"{self.place}/") else os.path.realpath(path)


@dataclass(frozen=True, slots=True)
class Work:
    """What came of a job; `modules` in load order."""

    ok: bool
    modules: tuple[Path, ...]
    diagnostics: tuple[Diagnostic, ...]
    how: How
    log: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since the last build.

    `contents`: paths below the source, as `compare` gives them.  `outside`: files of the person's elsewhere.
    `listing`: whether files have come or gone.
    """

    contents: frozenset[str]
    outside: frozenset[str]
    listing: bool

    @property
    def all(self) -> frozenset[str]:
        """Every changed file, as `Record.objects` names it."""
        return self.contents | self.outside

    def __bool__(self) -> bool:
        return bool(self.contents or self.outside or self.listing)
