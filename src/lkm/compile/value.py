# SPDX-License-Identifier: MIT
"""What a build of a kernel is asked, and what came of it: values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lkm.compile.record import BuildRecord
from lkm.kbuild.value import Diagnostic, Severity
from lkm.kconfig.tree import Tree


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be built.

    `tree`: the sources, with make's words for ARCH and compiler.  `build`: a build directory with a .config.
    `targets`: of make; none is all of it.  `words`: further words for make (`W=1`).  `jobs`: None as the
    machine allows.  `ccache`: use it where it is there.  `name`: of the own kernel, for the record.
    """

    tree: Tree
    build: Path
    targets: Sequence[str] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    jobs: int | None = None
    ccache: bool = True
    name: str = ""


@dataclass(frozen=True, slots=True)
class Jobs:
    """How many of make's jobs run at once, and `why` so many."""

    count: int
    why: str


@dataclass(frozen=True, slots=True)
class Step:
    """One line of Kbuild's: `kind` (`CC`, `LD`), what is made, and seconds (None where it cannot be told)."""

    kind: str
    target: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A file that came of it, its size in bytes, and what it is."""

    path: Path
    size: int
    what: str


@dataclass(frozen=True, slots=True)
class Cached:
    """What ccache did: objects taken from it, and objects compiled and put there."""

    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class KernelBuilt:
    """What became of a build.

    `ok`: whether make came to its end with all of it.  `parts`: vmlinux, System.map, image, those that are
    there; `packages`: the .deb files of bindeb-pkg.  `modules`: how many are there and their bytes.  `steps`:
    what was made in this call; `seconds`: wall time of make.  `command`: the line that does the same by hand.
    """

    ok: bool
    record: BuildRecord
    jobs: Jobs
    seconds: float
    steps: int
    diagnostics: tuple[Diagnostic, ...]
    parts: tuple[Part, ...]
    modules: tuple[int, int]
    slowest: tuple[Step, ...]
    cached: Cached | None
    log: Path
    command: str
    packages: tuple[Path, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The errors, first cause first."""
        return tuple(item for item in self.diagnostics if item.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The warnings, in the order in which they came."""
        return tuple(item for item in self.diagnostics if item.severity is Severity.WARNING)
