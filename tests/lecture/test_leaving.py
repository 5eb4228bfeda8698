# SPDX-License-Identifier: MIT
"""Loading and unloading, as the lecture has it: what init registers, exit has to give back."""

from __future__ import annotations

from pathlib import Path

import pytest

import lkm
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest

_SOURCE = """// SPDX-License-Identifier: GPL-2.0
#include <linux/init.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
static int show(struct seq_file *file, void *data) { seq_puts(file, "Hello World!\\n"); return 0; }
static int __init my_init(void) { return proc_create_single("hello", 0444, NULL, show) ? 0 : -ENOMEM; }
static void __exit my_exit(void) { %s }
module_init(my_init);
module_exit(my_exit);
MODULE_LICENSE("GPL");
"""


def build_module(directory: Path, kernel: Kernel, undo: str) -> Path:
    directory.mkdir()
    (directory / "entry.c").write_text(_SOURCE % undo)
    (directory / "Kbuild").write_text("obj-m += entry.o\n")
    return lkm.build(directory, kernel=kernel).modules[0]


def test_module_exit_undoes_what_module_init_did(kernel: Kernel, tmp_path: Path) -> None:
    """Kernel Modules Interface: a function is called when loaded, another when unloaded."""
    clean = lkm.run(
        build_module(tmp_path / "clean", kernel, 'remove_proc_entry("hello", NULL);'), kernel=kernel
    )
    assert (clean.ok, clean.clean, clean.leftovers) == (True, True, ())
    forgot = lkm.run(build_module(tmp_path / "forgot", kernel, 'pr_info("bye\\n");'), kernel=kernel)
    assert (forgot.ok, forgot.clean) == (True, False)
    assert forgot.leftovers is not None
    (one,) = forgot.leftovers
    assert one.text.startswith("/proc/hello is still there: ")
    assert "remove_proc_entry() is missing in the exit function" in one.text


def test_hello_world_may_be_loaded_again_and_again(kernel: Kernel, examples: Path) -> None:
    """Loading a Module, Unloading a Module: nothing of it stays."""
    result = lkm.run(examples / "hello", kernel=kernel, parameters=["month=May"], job=lkm.Job(cycles=20))
    assert (result.ok, result.clean) == (True, True)
    assert result.cycles is not None
    assert result.cycles.done == 20
