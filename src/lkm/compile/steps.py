# SPDX-License-Identifier: MIT
"""The steps of a build, as Kbuild says them: those to come (`make -n`) and those that are done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lkm.compile.value import Step
from lkm.kbuild.commands import cmd_path

# `  CC [M]  drivers/pps/pps.o`
_LINE = re.compile(r"^  (?P<kind>[A-Z][A-Z0-9_]*)(?: (?P<mod>\[M\]))? +(?P<target>\S+)")
# The same, as make -n shows the shell's words: `set -e;  echo '  CC      init/main.o';  gcc …`
_ECHO = re.compile(r"echo '  (?P<kind>[A-Z][A-Z0-9_]*)(?: (?P<mod>\[M\]))? +(?P<target>[^\s']+)")
# Steps that compile: these take the time, and each leaves a file that says when it was done.
COMPILING = frozenset({"CC", "AS", "HOSTCC", "HOSTCXX", "RUSTC", "CXX"})
# The first step of the link: from here on there is nothing more to count by.
_LAST = re.compile(r"^  (?:LD      vmlinux\.o|MODPOST |LTO     vmlinux\.o|GEN     \.vmlinux\.objs)")

# What is built is put into packages from here on (scripts/package/builddeb, buildtar, rpmbuild).
_PACKING = re.compile(r"^(?:  INSTALL (?:debian|tar-install)/|dpkg-deb: |dh_|Processing files: |  TAR )")


def parse_line(line: str) -> Step | None:
    """The step that a line of make's output names, or None."""
    match = _LINE.match(line)
    return Step(match["kind"], match["target"]) if match else None


def is_link(line: str) -> bool:
    """Whether the kernel is being put together from here on."""
    return _LAST.match(line) is not None


def is_packing(line: str) -> bool:
    """Whether packages are made from here on."""
    return _PACKING.match(line) is not None


def parse_plan(lines: Iterable[str]) -> Iterator[Step]:
    """The steps in what `make -n` printed."""
    for line in lines:
        for match in _ECHO.finditer(line):
            yield Step(match["kind"], match["target"])


def measure_step(build: Path, target: str, begun: float) -> float | None:
    """Seconds from `begun` (seconds since 1970) until Kbuild noted that `target` is made, or None."""
    try:
        done = cmd_path(build / target).stat().st_mtime
    except OSError:
        return None
    return max(done - begun, 0.0) if done >= begun - 0.1 else None
