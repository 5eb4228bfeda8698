# SPDX-License-Identifier: MIT
"""What the lecture has vmlinux, symbol maps and a virtual machine for: looking at a module as it runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import lkm
from lkm.guest.gdb.debugger import Waiting
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not on this machine")
def test_a_module_is_stepped_through_and_the_kernel_that_calls_it_is_named(
    kernel: Kernel, examples: Path
) -> None:
    words = ["continue", "next", "print day", "backtrace", "info symbol printk", "delete", "continue"]
    ran: list[subprocess.Popen[str]] = []

    def start(waiting: Waiting) -> None:
        given = [part for word in words for part in ("-ex", word)]
        argv = [*waiting.command, "-nx", "-batch", *given]
        ran.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True))

    path = lkm.build(examples / "hello", kernel=kernel).modules[0]
    with lkm.Guest(kernel, timeout=60) as guest:
        debugger = guest.gdb(start)
        with debugger.expecting("hello", path, others={}):
            assert guest.load(path, month="December", day=31).ok
        assert guest.unload("hello").ok
    said = ran[0].communicate(timeout=60)[0]
    # The function that module_init() registered, called by the kernel; both sides have names.
    assert "hello_init ()" in said
    assert "$1 = 31" in said
    assert " in do_one_initcall ()" in said
    assert " in do_init_module ()" in said
