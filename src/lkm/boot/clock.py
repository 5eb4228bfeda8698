# SPDX-License-Identifier: MIT
"""Two clocks joined: this machine's, which counts from power-on, and the kernel's own, which stamps its log.

Some functions are seen by both: they are watched, and print a line as the first thing they do.  Two of them
give the rate, too: a kernel finds out how fast its clock runs by waiting for another one for a moment, and
where this machine was busy in that moment its clock is wrong from then on, by half or more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lkm.boot.stages import LEVELS
from lkm.boot.value import Initcall
from lkm.klog import Record

# init/main.c run_init_process(); kernel/smp.c smp_init(); init/initramfs.c do_populate_rootfs()
_LAST = "run_init_process", re.compile(r"Run \S+ as init process")
_FIRST = (
    ("smp_init", re.compile(r"smp: Bringing up secondary CPUs")),
    ("do_populate_rootfs", re.compile(r"(?:Unpacking initramfs|Trying to unpack rootfs image)")),
)
JOINTS = frozenset({_LAST[0], *(name for name, _ in _FIRST), *(f"level {number}" for number in LEVELS)})
_LEAST = 0.05  # seconds between two joints that tell a rate


@dataclass(frozen=True, slots=True)
class Clock:
    """The kernel's clock by the host's: it showed 0 at `begin`, and each second of it took `rate` seconds.

    `rate` is None where only one place joins the two.
    """

    begin: float
    rate: float | None

    def host(self, seconds: float) -> float:
        """A time of the kernel's by the host's clock."""
        return self.begin + seconds * (self.rate or 1.0)


def join_clocks(marks: Mapping[str, float], records: Sequence[Record]) -> Clock | None:
    """The kernel's clock; None where nothing was seen by both.

    `marks`: seconds by the host's clock at which a function was entered.
    """
    last = _join(*_LAST, marks, records)
    if last is None:
        return None
    for name, pattern in _FIRST:
        first = _join(name, pattern, marks, records)
        if first is not None and last[1] - first[1] > _LEAST and last[0] > first[0]:
            rate = (last[0] - first[0]) / (last[1] - first[1])
            return Clock(last[0] - rate * last[1], rate)
    return Clock(last[0] - last[1], None)


def join_levels(
    marks: Mapping[str, float], calls: Sequence[Initcall], records: Sequence[Record]
) -> dict[str, float]:
    """Seconds by the host's clock that each of the kernel's took, for each initcall level.

    A kernel that counts ticks loses some where the host is busy, so its clock runs now slower, now faster.
    A level's first call is seen by both clocks; levels too short to tell a rate are left out.
    """
    starts = {one.level: one.start for one in reversed(calls)}
    joints = [
        (level, marks[f"level {number}"], starts[level])
        for number, level in LEVELS.items()
        if f"level {number}" in marks and level in starts
    ]
    last = _join(*_LAST, marks, records)
    if last is not None:
        joints.append(("", *last))
    return {
        level: (end - start) / (shown_end - shown)
        for (level, start, shown), (_, end, shown_end) in pairwise(joints)
        if shown_end - shown > _LEAST and end > start
    }


def _join(
    name: str, pattern: re.Pattern[str], marks: Mapping[str, float], records: Sequence[Record]
) -> tuple[float, float] | None:
    """The same moment by the host's clock and by the kernel's."""
    said = next((one.seconds for one in records if one.seconds > 0 and pattern.match(one.text)), None)
    mark = marks.get(name)
    return (mark, said) if mark is not None and said is not None else None
