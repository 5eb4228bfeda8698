# SPDX-License-Identifier: MIT
"""What a verdict is made of: values only."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.verdict.case import Case


class Taint(StrEnum):
    """What a module leaves on the kernel for good; the letters of admin-guide/tainted-kernels.rst."""

    PROPRIETARY = "P"
    FORCED = "F"
    STAGING = "C"
    OUT_OF_TREE = "O"
    UNSIGNED = "E"
    LIVEPATCH = "K"
    TEST = "N"
    UNSAFE_PARAMETER = "U"


TAINT_MEANINGS = {
    Taint.PROPRIETARY: "its licence is not one the kernel takes as GPL-compatible",
    Taint.FORCED: "it lacks what would show that it was built for this kernel",
    Taint.STAGING: "it comes from the staging directory",
    Taint.OUT_OF_TREE: "it was built outside the kernel's tree",
    Taint.UNSIGNED: "it has no signature made with a key that this kernel knows",
    Taint.LIVEPATCH: "it patches the running kernel",
    Taint.TEST: "it is a test",
    Taint.UNSAFE_PARAMETER: "a parameter that is marked as unsafe is set",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule has to say.

    `errno`: the number the load fails with, 0 for what only follows from it.  `message`: the kernel's own
    words, a line each, without level and time, "" where it says nothing; `…` stands for what only the
    running kernel knows.  `why`: the same for a person.  `hint`: the next thing to type or to write.
    """

    rule: str
    errno: int
    message: str = ""
    why: str = ""
    hint: str = ""

    @property
    def fatal(self) -> bool:
        """Whether the kernel refuses the module for it."""
        return self.errno != 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One check of the kernel's loader.

    `name`: short and lasting.  `title`: what is checked.  `source`: the kernel's file and function.
    `versions`: where it holds, in words.  `check` gives what it finds, in the kernel's order, [] where the
    module passes; the last fatal one's errno is the load's.
    """

    name: str
    title: str
    source: str
    versions: str
    check: Callable[[Case], list[Finding]]


@dataclass(frozen=True, slots=True)
class Step:
    """One rule as it was applied: `findings` are [] where the module passes, `doubts` what was not known."""

    rule: Rule
    findings: tuple[Finding, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a kernel will take a module, as far as the files tell: up to the module's own init function.

    `module`: its name.  `path`: the file.  `kernel`: the kernel's name.  `findings`: what refuses it, or
    what follows from the load.  `steps`: each check in the kernel's order, to the one that refuses.
    `unproved`: what could not be known, so that this verdict leaves it open.  `order`: modules to load
    before it, in that order.
    """

    module: str
    path: Path
    kernel: str
    findings: tuple[Finding, ...]
    taints: tuple[Taint, ...]
    unproved: tuple[str, ...]
    order: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def refusal(self) -> Finding | None:
        """What decides the errno: the last fatal finding; None where the module loads."""
        return next((one for one in reversed(self.findings) if one.fatal), None)

    @property
    def loads(self) -> bool:
        """Whether the kernel takes it, as far as it can be known."""
        return self.refusal is None

    @property
    def errno(self) -> int:
        """The number that init_module(2) fails with, 0 where it does not."""
        return self.refusal.errno if self.refusal else 0

    @property
    def error(self) -> str:
        """The errno's name (`ENOEXEC`), "" where it loads."""
        return errno.errorcode.get(self.errno, str(self.errno)) if self.errno else ""

    @property
    def rule(self) -> str:
        """The rule that refuses it, or ""."""
        return self.refusal.rule if self.refusal else ""

    @property
    def message(self) -> str:
        """All that the kernel will say of why it refuses the module, a line each."""
        return "\n".join(one.message for one in self.findings if one.fatal and one.message)

    @property
    def hint(self) -> str:
        """What to do about it."""
        return next((one.hint for one in reversed(self.findings) if one.fatal and one.hint), "")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What surely follows though it loads."""
        return tuple(one for one in self.findings if not one.fatal)
