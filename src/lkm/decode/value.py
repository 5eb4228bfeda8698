# SPDX-License-Identifier: MIT
"""What a decoded report holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.klog.report import Frame, Report


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A place in source.

    `function`: what the line is in.  `path`: as the compiler knew it.  `line` and `column` from 1, 0 where
    unknown.  `inlined`: the function has no code of its own here, it was put into the next one.  `own`:
    it is of the module's own source, not of a header of the kernel.
    """

    function: str
    path: str
    line: int
    column: int = 0
    inlined: bool = False
    own: bool = True

    @property
    def short(self) -> str:
        """`hello.c:12`."""
        return f"{self.path.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Step:
    """A frame of a trace at its source lines: the innermost inlined call first, the function itself last.

    `lines` is empty where nothing could say them.  `known`: the frame is of a module that was given.
    """

    frame: Frame
    lines: tuple[SourceLine, ...] = ()
    known: bool = False

    @property
    def own(self) -> SourceLine | None:
        """The innermost line of the module's own source."""
        return next((line for line in self.lines if line.own and line.line), None)


@dataclass(frozen=True, slots=True)
class Walk:
    """A stack trace at source lines; `title` as in the report, "" for the place of the fault alone."""

    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a source file: `lines`, the first of which has the number `first`; `marked` is the number of
    the one that matters.  `newer`: the file was changed after the module was built."""

    path: Path
    first: int
    lines: tuple[str, ...]
    marked: int
    newer: bool = False


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `offset` is in bytes from the one where the processor was."""

    offset: int
    data: bytes
    text: str

    @property
    def marked(self) -> bool:
        """Whether it is the one where the processor was."""
        return self.offset == 0


@dataclass(frozen=True, slots=True)
class Register:
    """A register that the faulting instruction uses; `meaning`: what its value is known for, or ""."""

    name: str
    value: int
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A report made readable.

    `means`: one sentence, what happened.  `usually`: what usually causes it and what to look at, or "".
    `place`: the line of the module's own source that it is about; None where none is known.
    `expression`: what was followed there (`dev->name`), or "".  `walks`: where the processor was and the
    stack traces, at source lines.  `notes`: what could not be found out, and why.  `follows`: an earlier
    report of the same log came first and is the likelier cause.
    """

    report: Report
    means: str
    usually: str = ""
    place: SourceLine | None = None
    expression: str = ""
    excerpt: Excerpt | None = None
    instructions: tuple[Instruction, ...] = ()
    registers: tuple[Register, ...] = ()
    walks: tuple[Walk, ...] = ()
    notes: tuple[str, ...] = ()
    follows: bool = False
