# SPDX-License-Identifier: MIT
"""A build as a person sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lkm.compile.record import BuildRecord
from lkm.compile.value import Cached, Jobs, KernelBuilt, Part, Step
from lkm.kbuild.value import Diagnostic, Severity
from lkm.kernel.arm64_header import Arm64Header
from lkm.kernel.payload import Packing
from lkm.show.compile import (
    format_built,
    format_header,
    format_install,
    format_left,
    format_line,
    format_seconds,
)

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
    lines = list(format_built(BUILT, "own:6.12.9-mine", "boot protocol 2.15"))
    assert lines[0] == "built 6.12.9-mine in 12 min 34 s: 1114 steps, 2 jobs (2 processors)"
    text = "\n".join(lines)
    for part in ("vmlinux", "12 MiB", "1.2 MiB", "boot protocol 2.15", "2 modules", "20 KiB", "1 warning"):
        assert part in text, part
    assert "  slowest:    9.0 s  k/0.o\n              8.0 s  k/1.o\n" in text and "k/5.o" not in text
    assert "100 of 647 compilations taken from it" in text and "sources: signed by somebody" in text
    again = "  again, elsewhere: lkm kernel build --from-record /b"
    assert lines[-3:] == ["  by hand: make -C /src O=/b", again, "kernel own:6.12.9-mine"]
    assert max(map(len, lines)) <= 80


def test_a_part_is_not_told_as_a_kernel() -> None:
    part = replace(BUILT, record=replace(BUILT.record, targets=["kernel/irq/"]), steps=12)
    lines = list(format_built(part, "", "boot protocol 2.15"))
    assert lines[0].startswith("made kernel/irq/ in 12 min 34 s: 12 steps")
    text = "\n".join(lines)
    assert not any(word in text for word in ("built", "vmlinux", "boot protocol", "modules", "--from-record"))


def test_modules_alone_are_told_without_the_image() -> None:
    alone = replace(BUILT, record=replace(BUILT.record, targets=["modules"]), steps=12)
    lines = list(format_built(alone, "", "boot protocol 2.15"))
    assert lines[0].startswith("made modules in 12 min 34 s: 12 steps")
    text = "\n".join(lines)
    assert "2 modules" in text and not any(word in text for word in ("vmlinux", "boot protocol", "--from"))


def test_a_program_of_the_build_is_told_below_the_build_directory() -> None:
    slowest = (Step("HOSTCC", "/b/tools/objtool/check.o", 3.0),)
    text = "\n".join(format_built(replace(BUILT, slowest=slowest), "", ""))
    assert "    3.0 s  tools/objtool/check.o" in text


def test_an_image_for_arm64() -> None:
    header = Arm64Header(
        packing=Packing.NONE, zboot=False, text_offset=0, image_size=4 << 20, big_endian=False,
        page_size=4096, anywhere=True, efi_stub=False, file_size=3 << 20,
    )  # fmt: skip
    assert format_header(header) == "arm64, takes 4 MiB of memory, 4 KiB pages, no EFI stub"


def test_the_kernels_own_packages_are_installed() -> None:
    kinds = ("linux-image-6.12-x-dbg", "linux-image-6.12-x", "linux-libc-dev", "linux-headers-6.12-x")
    packages = [Path(f"/p/{kind}_6.12-1_amd64.deb") for kind in kinds]
    wanted = "/p/linux-image-6.12-x_6.12-1_amd64.deb /p/linux-headers-6.12-x_6.12-1_amd64.deb"
    assert format_install(packages) == f"sudo dpkg -i {wanted}"
    assert format_install([Path("/p/kernel.rpm")]) == ""


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
    assert format_line("compiling", 140, 472, 185.0) == "compiling: 140 of about 472 steps, about 3 min left"
    assert format_line("compiling", 140, None, None) == "compiling: 140 steps so far"
    assert format_line("compiling", 1, None, None) == "compiling: 1 step so far"
    assert format_line("preparing", 0, None, None) == "preparing"
    assert (format_seconds(8.12), format_seconds(185), format_seconds(4800)) == (
        "8.1 s",
        "3 min 5 s",
        "1 h 20 min",
    )
