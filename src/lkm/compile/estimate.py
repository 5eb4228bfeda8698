# SPDX-License-Identifier: MIT
"""How far a build is, and how long it still takes.

An estimate: a step's weight is guessed from its kind, its place and the size of its source, what a unit of
weight takes is measured as the build goes on, and what comes after the last compile step (the link, the
image, the modules' link) is taken from the last build on this machine.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lkm.compile.steps import COMPILING
from lkm.compile.value import Step
from lkm.paths import state_dir

# Units of weight: 1 is a C file of average size.  Fitted to the steps of preset `guest`, Linux 6.12, x86, gcc
# 12, on two idle processors (bench/README.md); those of places are what a C file there takes more or less,
# by the headers that are usual there.
_WEIGHTS = {"CC": 0.72, "RUSTC": 3.0, "CXX": 1.0, "HOSTCC": 0.33, "HOSTCXX": 1.0, "AS": 0.04}
_OTHER = 0.01
_PER_BYTE = 0.28 / 24_000
_LEAST = 0.1
_PLACES = (
    ("drivers/acpi/acpica/", -0.43), ("drivers/", -0.14), ("lib/", -0.34), ("kernel/", 0.05), ("block/", 0.1),
    ("mm/", 0.05), ("fs/", 0.06), ("arch/x86/boot/", -0.53), ("arch/", -0.13),
)  # fmt: skip
# Until a build has been seen: the end of a build by its whole weight, without debug information and with it.
_TAILS = {"plain": 0.025, "debug": 0.07}
# No estimate before this much was done.
_SURE = 0.04


@dataclass(frozen=True, slots=True)
class Experience:
    """What builds took on this machine: `unit`, seconds of one job for a unit of weight; `tail`, the end of
    a build as a share of the units before it."""

    unit: float = 0.0
    tail: float = _TAILS["plain"]


def weigh(step: Step, tree: Path) -> float:
    """The weight of a step."""
    if step.kind not in COMPILING:
        return _OTHER
    weight = _WEIGHTS.get(step.kind, _OTHER)
    if step.kind == "CC":
        weight += next((more for place, more in _PLACES if step.target.startswith(place)), 0.0)
        try:
            weight += (tree / f"{step.target.removesuffix('.o')}.c").stat().st_size * _PER_BYTE
        except OSError:
            weight += 0.2  # generated
    return max(weight, _LEAST if step.kind == "CC" else 0.0)


class Estimate:
    """Follows a build; all times are seconds of one clock."""

    def __init__(self, tree: Path, jobs: int, experience: Experience, *, start: float) -> None:
        self._tree = tree
        self._jobs = jobs
        self._experience = experience
        self._start = start
        self._weights: dict[str, float] = {}
        self._begun: dict[str, None] = {}
        self._done = 0.0
        self._known = 0.0
        self._planned = False
        self._linking: float | None = None
        self._lock = threading.Lock()  # the plan comes from a thread of its own

    def plan(self, steps: Iterable[Step]) -> None:
        """Takes in what is to come; steps that were begun already do not count twice."""
        with self._lock:
            for step in steps:
                self._weigh(step)
            self._planned = True

    def begin(self, step: Step, now: float) -> None:
        """A step begins."""
        if not self._begun and step.kind in COMPILING:
            self._start = now
        with self._lock:
            weight = self._weigh(step)
            if step.target not in self._begun:
                self._begun[step.target] = None
                self._done += weight

    def link(self, now: float) -> None:
        """The last part begins."""
        if self._linking is None:
            self._linking = now

    @property
    def counts(self) -> tuple[int, int | None]:
        """How many steps were begun, of how many (None: not known yet)."""
        total = max(len(self._weights), len(self._begun))
        return len(self._begun), total if self._planned else None

    def left(self, now: float) -> float | None:
        """Seconds to go; None where nothing can be said yet."""
        unit = self._unit(now)
        if not self._planned or unit is None:
            return None
        tail = self._known * self._experience.tail * unit
        if self._linking is not None:
            # Never "done" before it is.
            return max(tail - (now - self._linking), tail * 0.1)
        return max(self._known - self._finished(), 0.0) * unit + tail

    def learn(self, now: float) -> Experience | None:
        """What this build, which is at its end, says of the next; None where it was too short to tell."""
        if self._linking is None or self._finished() < 60:
            return None
        unit = (self._linking - self._start) / self._finished()
        tail = (now - self._linking) / unit / self._finished()
        return Experience(unit * self._jobs, tail)

    def _weigh(self, step: Step) -> float:
        weight = self._weights.get(step.target)
        if weight is None:
            weight = self._weights[step.target] = weigh(step, self._tree)
            self._known += weight
        return weight

    def _finished(self) -> float:
        """Units of weight that are done: of those begun last each job is in the middle of one."""
        return max(self._done - (0 if self._linking is not None else 0.5 * self._jobs), 0.0)

    def _unit(self, now: float) -> float | None:
        """Seconds a unit takes, measured once enough is done, before that as the last time."""
        done = self._finished()
        enough = self._planned and done > max(self._known * _SURE, 3.0 * self._jobs)
        end = self._linking if self._linking is not None else now
        if enough:
            return (end - self._start) / done
        return self._experience.unit / self._jobs or None


def _store() -> Path:
    return state_dir() / "compile.json"


def read_experience(key: str) -> Experience:
    """What builds of that kind (`key`: `x86-debug`) took on this machine, or what is assumed of the first."""
    assumed = Experience(tail=_TAILS[key.rpartition("-")[2]])
    try:
        known = json.loads(_store().read_bytes())[key]
        unit, tail = float(known["unit"]), float(known["tail"])
    except (OSError, ValueError, KeyError, TypeError):
        return assumed
    return Experience(unit, tail) if 0 < unit < 1e4 and 0 < tail < 10 else assumed


def write_experience(key: str, experience: Experience) -> None:
    """Keeps it for the next build; a state directory that cannot be written is no error."""
    from lkm.kernel.compiler import write_json

    try:
        known = json.loads(_store().read_bytes())
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    write_json(_store(), {**known, key: {"unit": experience.unit, "tail": experience.tail}})
