# SPDX-License-Identifier: MIT
"""Kbuild's lines, and what make -n prints of the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.compile.steps import is_link, is_packing, measure_step, parse_line, parse_plan
from lkm.compile.value import Step

# Of Linux 6.12, gcc 12, cut.
PLAN = """\
make -f /src/scripts/Makefile.build obj=init need-builtin=1 need-modorder=1
set -e;  echo '  CC      init/main.o';   trap 'rm -f init/main.o; trap - HUP; kill -s HUP $$' HUP;  gcc -c
:
set -e;  echo '  CC [M]  drivers/pps/pps.o';  gcc -DMODULE -c
set -e;  echo '  AR      init/built-in.a';  rm -f init/built-in.a
\techo >&2 "*** The source tree is not clean, please run 'make mrproper'"; \\
set -e;  echo '  AS      arch/x86/kernel/head_64.o';  gcc -D__ASSEMBLY__
"""


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("  CC      init/main.o", Step("CC", "init/main.o")),
        ("  CC [M]  drivers/pps/pps.o", Step("CC", "drivers/pps/pps.o")),
        ("  LD [M]  drivers/pps/pps_core.ko", Step("LD", "drivers/pps/pps_core.ko")),
        ("  HOSTCC  scripts/basic/fixdep", Step("HOSTCC", "scripts/basic/fixdep")),
        ("  DESCEND objtool", Step("DESCEND", "objtool")),
        ("init/main.c:3:5: error: no", None),
        ("Kernel: arch/x86/boot/bzImage is ready  (#1)", None),
        ("", None),
    ],
)
def test_a_line_names_a_step(line: str, step: Step | None) -> None:
    assert parse_line(line) == step


def test_what_is_to_come() -> None:
    assert [step.target for step in parse_plan(PLAN.splitlines())] == [
        "init/main.o",
        "drivers/pps/pps.o",
        "init/built-in.a",
        "arch/x86/kernel/head_64.o",
    ]


def test_the_link_begins() -> None:
    assert is_link("  LD      vmlinux.o") and is_link("  MODPOST Module.symvers")
    assert not is_link("  LD      arch/x86/boot/setup.elf") and not is_link("  AR      vmlinux.a")


def test_where_the_packages_begin() -> None:
    image = "  INSTALL debian/linux-image-6.12/lib/modules/6.12/kernel/drivers/pps/pps_core.ko"
    for line in (image, "dpkg-deb: building package 'x' in '../x.deb'.", "  TAR     linux-6.12-x86.tar.gz"):
        assert is_packing(line), line
    assert not is_packing("  INSTALL ./usr/include") and not is_packing("  LD      vmlinux.o")


def test_a_step_ends_when_its_command_is_noted(tmp_path: Path) -> None:
    (tmp_path / "init").mkdir()
    note = tmp_path / "init/.main.o.cmd"
    note.touch()
    os.utime(note, (1000.0, 1002.5))
    assert measure_step(tmp_path, "init/main.o", 1001.0) == 1.5
    assert measure_step(tmp_path, "init/main.o", 1009.0) is None  # noted by an earlier build
    assert measure_step(tmp_path, "init/other.o", 1001.0) is None
