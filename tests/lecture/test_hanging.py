# SPDX-License-Identifier: MIT
"""Develop here, run in a virtual machine: a module that never comes back costs some seconds, no more."""

from __future__ import annotations

from pathlib import Path

import pytest

import lkm
from lkm.guest import Detail
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest

SOURCE = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>

static int ready;

static int __init forever_init(void)
{
	while (!READ_ONCE(ready))
		cpu_relax();
	return 0;
}
module_init(forever_init);

MODULE_DESCRIPTION("Waits for what nobody does");
MODULE_LICENSE("GPL");
"""


def test_a_module_that_never_comes_back_is_told_and_the_next_one_runs(
    kernel: Kernel, examples: Path, tmp_path: Path
) -> None:
    place = tmp_path / "forever"
    place.mkdir()
    (place / "forever.c").write_text(SOURCE)
    (place / "Makefile").write_text("obj-m += forever.o\n")
    result = lkm.run(place, kernel=kernel, job=lkm.Job(timeout=5))
    assert result.outcome is lkm.Outcome.HANG
    assert result.ending is not None
    assert result.ending.detail is Detail.LOOPING
    assert result.ending.where.startswith("forever_init+0x")
    assert result.ending.context == "init"
    assert lkm.run(examples / "hello", kernel=kernel).ok
