# SPDX-License-Identifier: MIT
"""A build as a person sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.compile.record import BuildRecord
from lkm.compile.value import Cached, Jobs, KernelBuilt, Part, Step
from lkm.kbuild.value import Diagnostic, Severity
from lkm.show.compile import format_built, format_left, format_line, format_seconds

BUILD = Path("/b")
BUILT = KernelBuilt(
    ok=True,
    record=BuildRecord(
        name="6.12.9-mine", version="6.12.9", release="6.12.9-mine", arch="x86", tree="/src", build="/b",
        source={"message": "signed by somebody"}, config_sha256="", compiler="", variables={}, targets=[],
        jobs=2, started="", on_disk=3 << 30,
    ),
    jobs=Jobs(2, "2 processors"),
    seconds=754.2,
    steps=1114,
    diagnostics=(Diagnostic(None, 0, 0, Severity.WARNING, "x"),),
    parts=(
        Part(BUILD / "vmlinux", 12 << 20, "kernel, an ELF file"),
        Part(BUILD / "bzImage", 5 << 18, "image"),
    ),
    modules=(2, 20480),
    slowest=tuple(Step("CC", f"k/{number}.o", 9.0 - number) for number in range(7)),
    cached=Cached(100, 547),
    log=BUILD / ".lkm-build.log",
    command="make -C /src O=/b",
)  # fmt: skip


def test_all_of_it() -> None:
    lines = list(format_built(BUILT, "own:6.12.9-mine", [("boot protocol", "2.15")]))
    assert lines[0] == "built 6.12.9-mine in 12 min 34 s: 1114 steps, 2 jobs (2 processors)"
    text = "\n".join(lines)
    for part in ("vmlinux", "12 MiB", "1.2 MiB", "boot protocol    2.15", "2 modules", "20 KiB", "1 warning"):
        assert part in text, part
    assert "slowest: k/0.o 9.0 s, k/1.o 8.0 s, k/2.o 7.0 s, k/3.o 6.0 s, k/4.o 5.0 s\n" in text
    assert "100 objects taken from it, 547 compiled" in text and "sources: signed by somebody" in text
    assert lines[-2:] == ["  by hand: make -C /src O=/b", "kernel own:6.12.9-mine"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (3, "about 10 s left"),
        (44, "about 40 s left"),
        (100, "about 2 min left"),
        (7200, "about 2.0 h left"),
    ],
)
def test_an_estimate_is_rounded(seconds: float | None, text: str) -> None:
    assert format_left(seconds) == text


def test_a_line_where_there_is_no_terminal() -> None:
    assert format_line("compiling", 140, 472, 185.0) == "compiling: 140 of 472 steps, about 3 min left"
    assert format_line("compiling", 140, None, None) == "compiling: 140 steps"
    assert format_line("preparing", 0, None, None) == "preparing"
    assert (format_seconds(8.12), format_seconds(185), format_seconds(4800)) == (
        "8.1 s",
        "3 min 5 s",
        "1 h 20 min",
    )
