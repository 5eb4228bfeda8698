# SPDX-License-Identifier: MIT
"""One module in front of one kernel: what the rules look at, and what they leave for those after them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lkm.paths import cache_dir
from lkm.verdict.ground import Ground, Offer
from lkm.verdict.subject import Subject
from lkm.verdict.value import Finding, Taint


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another module that was given: what it exports, by name, and whether it may use GPL-only symbols."""

    name: str
    exports: Mapping[str, Offer]
    gpl_compatible: bool
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """What else decides: not in the file, and not in the kernel's either.

    `parameters`: `name=value` words.  `loaded`: names of the modules that are loaded, None where whatever
    the module needs will be loaded before it, as modprobe and `lkm run` do.  `cmdline`: words of the
    kernel's command line.  `neighbours`: modules given together with this one, by name.
    """

    parameters: tuple[str, ...] = ()
    loaded: frozenset[str] | None = None
    cmdline: str = ""
    neighbours: Mapping[str, Neighbour] = field(default_factory=dict)

    def word(self, name: str) -> str | None:
        """The value of the last `name=value` on the kernel's command line."""
        found = None
        try:
            words = shlex.split(self.cmdline)
        except ValueError:
            words = self.cmdline.split()
        for word in words:
            key, equals, value = word.partition("=")
            if key.replace("-", "_") == name:
                found = value if equals else "1"
        return found


class Case:
    """What the rules share; `taints` and `wanted` in the order in which they came up."""

    def __init__(self, path: Path, subject: Subject, ground: Ground, situation: Situation) -> None:
        self.path = path
        self.subject = subject
        self.ground = ground
        self.situation = situation
        self.taints: dict[Taint, None] = {}
        self.doubts: list[str] = []
        self.wanted: dict[str, None] = {}
        self.proprietary = False
        self.signed = False
        self.found: dict[str, Offer] = {}

    @property
    def name(self) -> str:
        """The name it is loaded under."""
        return self.subject.own_name

    def doubt(self, text: str) -> None:
        """Notes what cannot be known."""
        if text not in self.doubts:
            self.doubts.append(text)

    def refuse(
        self, rule: str, number: int, message: str = "", *values: object, why: str = "", hint: str = ""
    ) -> Finding:
        """A finding that the load fails with; `message` is a name in the kernel's table of texts."""
        said = self.ground.messages.say(message, *values) if message else ""
        return Finding(rule, number, said, why or said, hint)

    def warn(self, rule: str, message: str = "", *values: object, why: str = "", hint: str = "") -> Finding:
        """A finding that only tells what follows."""
        return self.refuse(rule, 0, message, *values, why=why, hint=hint)

    @cached_property
    def own_build(self) -> bool:
        """Whether the kernel's own build made it, byte for byte: signed with its key, for its release.

        Its relocations, its types and its CRCs are then what that build made for this kernel.
        """
        return self.signed and self.subject.value("vermagic") == self.ground.vermagic is not None

    @property
    def rebuild(self) -> str:
        """The command that builds it anew for this kernel, as far as the file tells where from."""
        place = self.path.parent
        # A module is beside its source where make made it; what `lkm build` made lies in the cache.
        source = any((place / name).is_file() for name in ("Kbuild", "Makefile"))
        where = place if source and cache_dir() not in place.parents else "SOURCE_DIR"
        return f"lkm build --kernel {self.ground.name} {where}"

    @property
    def elsewhere(self) -> str:
        """That it was built for another release, "" where it was not, or does not say."""
        release = (self.subject.value("vermagic") or "").partition(" ")[0]
        here = self.ground.kernel.release
        if not release or release == here:
            return ""
        return f"{self.name} was built for {release}, this kernel is {here}"
