# SPDX-License-Identifier: MIT
"""What a build says: values only, nothing is started or read here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lkm.kernel.value import Kernel


class How(StrEnum):
    """How a build came to its answer."""

    NOTHING = "nothing"  # nothing had changed: nothing was started
    FAST = "fast"  # the saved command lines of what had changed, without make
    KBUILD = "kbuild"  # the kernel's own Kbuild


class Severity(StrEnum):
    """How bad a diagnostic is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message of the compiler, modpost, objtool, the linker or make.

    `path`: the real source file, or None where the message names none.  `line` and `column`: from 1, 0
    where unknown.  `option`: the switch that governs it (`-Wunused-variable`), or "".  `source_line`: the
    text of the line, or "".  A note belongs to the error or warning before it.
    """

    path: Path | None
    line: int
    column: int
    severity: Severity
    text: str
    option: str = ""
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a module source for one kernel.

    `ok`: whether every module of it was made.  `modules`: the `.ko` files, in an order in which they can
    be loaded (who exports a symbol before who uses it).  `diagnostics`: of everything these modules are
    made of, also of what did not need to be compiled again, first cause first.  `output`: the build's own
    directory, with Module.symvers and compile_commands.json.  `seconds`: wall time of this call.
    `log`: what the tools said in this call.
    """

    source: Path
    kernel: Kernel
    ok: bool
    modules: tuple[Path, ...]
    diagnostics: tuple[Diagnostic, ...]
    output: Path
    how: How
    seconds: float
    log: str

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The errors alone."""
        return tuple(item for item in self.diagnostics if item.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The warnings alone."""
        return tuple(item for item in self.diagnostics if item.severity is Severity.WARNING)


# Diagnostics by what was being made when they came (`sub/hello.o`, `Module.symvers`), "" if unknown.
Targets = dict[str, list[Diagnostic]]


def flatten(targets: Targets) -> tuple[Diagnostic, ...]:
    """All diagnostics in one row: in the order of their targets' names, modpost's and make's last.

    A message that several targets share (a warning in a header) is kept once.
    """
    names = sorted(targets, key=lambda name: (_rank(name), name))
    seen: dict[Diagnostic, None] = {}
    for name in names:
        for item in targets[name]:
            seen.setdefault(item)
    return tuple(seen)


def is_object(target: str) -> bool:
    """Whether it is what a compiler makes of the person's own source."""
    return target.endswith(".o") and not target.endswith(".mod.o")


def _rank(target: str) -> int:
    return 0 if is_object(target) else 2 if not target else 1
