# SPDX-License-Identifier: MIT
"""The lecture's `file arch/x86/boot/bzImage`: what it says of a real image, and what it means."""

from __future__ import annotations

import re
import subprocess

import pytest

from lkm.cli import run_command
from lkm.kernel import Kernel
from lkm.kernel.setup_header import read_setup_header

# The lecture's own line, but for the kernel's version, the builder and the size.
LINE = re.compile(
    r"Linux kernel x86 boot executable bzImage, version (\S+) \(\S+@\S+\) #1 SMP.*, "
    r"RO-rootFS, swap_dev 0X([0-9A-F]+), Normal VGA"
)


def test_file_and_kernel_show_say_the_lectures_line(
    kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    said = subprocess.run(["file", "-b", str(kernel.image)], capture_output=True, text=True, check=True)
    assert run_command(["kernel", "show", kernel.name]) == 0
    shown = capsys.readouterr().out
    for text in (said.stdout, shown):
        found = LINE.search(text)
        assert found is not None and found[1] == kernel.release, text


def test_swap_dev_is_the_size_and_no_device(kernel: Kernel) -> None:
    """The lecture's `swap_dev 0XC` stands beside an image of 13M: 12 MiB and a part."""
    assert kernel.image is not None
    header = read_setup_header(kernel.image)
    assert header is not None
    assert header.swap_dev == (kernel.image.stat().st_size - header.setup_size) >> 20
