# SPDX-License-Identifier: MIT
"""The lecture's building of a kernel: what `make -j` leaves, how long it took, what the image says."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from lkm.cli import run_command
from lkm.compile import read_build_record
from lkm.kernel import find_kernel
from lkm.kernel.own import register_own, remove_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from own_build import OwnBuild

pytestmark = pytest.mark.fetch


@pytest.fixture
def name(own_kernel: OwnBuild) -> Iterator[str]:
    """The kernel's name, for as long as the test runs."""
    name = "lecture-tiny"
    register_own(name, own_kernel.build)
    yield name
    remove_own(name)


def test_the_raw_kernel_its_symbol_map_and_the_compressed_image(own_kernel: OwnBuild) -> None:
    vmlinux, image = own_kernel.build / "vmlinux", own_kernel.build / "arch/x86/boot/bzImage"
    assert vmlinux.read_bytes()[:4] == b"\x7fELF"
    assert vmlinux.stat().st_size > 3 * image.stat().st_size
    lines = (own_kernel.build / "System.map").read_text().splitlines()
    assert all(len(line.split()) == 3 for line in lines)
    assert any(line.endswith(" T start_kernel") for line in lines)


def test_how_long_it_took_and_with_how_many_jobs(own_kernel: OwnBuild) -> None:
    """`time make -j $(nproc)`."""
    record = read_build_record(own_kernel.build)
    assert record is not None and record.seconds is not None and record.jobs >= 1
    assert record.ok and record.compiler


def test_what_file_says_of_the_image(own_kernel: OwnBuild) -> None:
    image = own_kernel.build / "arch/x86/boot/bzImage"
    said = subprocess.run(["file", image], capture_output=True, text=True, check=True, timeout=20).stdout
    assert f"Linux kernel x86 boot executable bzImage, version {own_kernel.release} (lkm@lkm) #1" in said
    assert "Normal VGA" in said


@pytest.mark.guest
def test_a_module_is_built_for_it_and_loaded_at_once(
    name: str, own_kernel: OwnBuild, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = find_kernel(name)
    assert kernel.can_build and kernel.can_boot and kernel.release == own_kernel.release
    assert run_command(["run", "--kernel", name, str(examples / "hello"), "month=December", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["outcome"] == "ok"
    assert any("December" in record["text"] for record in said["log"])
