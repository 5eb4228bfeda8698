# SPDX-License-Identifier: MIT
"""Why the lecture develops in a virtual machine: a bug takes its kernel with it, and nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import lkm
from lkm.cli import run_command
from lkm.job import Outcome
from lkm.kernel import Kernel
from lkm.klog import Kind

pytestmark = pytest.mark.guest

SOURCE = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>

struct device_state {
	struct list_head queue;
	const char *name;
};

static struct device_state *find_device(int id)
{
	return NULL;
}

static inline char first_letter(struct device_state *dev)
{
	return dev->name[0]; /* the pointer was not checked */
}

static int __init crash_init(void)
{
	struct device_state *dev = find_device(3);

	OPTIMIZER_HIDE_VAR(dev);
	pr_info("its name begins with %c\\n", first_letter(dev));
	return 0;
}
module_init(crash_init);

MODULE_DESCRIPTION("Follows a NULL pointer");
MODULE_LICENSE("GPL");
"""
LINE = next(number for number, line in enumerate(SOURCE.splitlines(), 1) if "not checked" in line)


@pytest.fixture
def crash(tmp_path: Path) -> Path:
    place = tmp_path / "crash"
    place.mkdir()
    (place / "crash.c").write_text(SOURCE)
    (place / "Makefile").write_text("obj-m += crash.o\n")
    return place


def test_a_crash_is_told_at_its_source_line_and_the_next_run_is_as_ever(
    crash: Path, kernel: Kernel, examples: Path
) -> None:
    """Cons of the own machine: "if a crash occurs, you can do nothing"; pros of a virtual one."""
    result = lkm.run(crash, kernel=kernel)
    assert result.outcome is Outcome.OOPS
    first = result.reports[0]
    assert first.report.kind is Kind.NULL_POINTER
    assert first.place is not None and (first.place.function, first.place.line) == ("first_letter", LINE)
    assert Path(first.place.path) == crash / "crash.c"
    assert first.expression == "dev->name" and "(offset 0x10 of struct device_state)" in first.means
    assert first.excerpt is not None and "dev->name[0]" in first.excerpt.lines[LINE - first.excerpt.first]
    (here, trace, *_) = first.walks
    functions = [line.function for step in (*here.steps, *trace.steps) for line in step.lines]
    assert functions == ["first_letter", "crash_init"]
    assert lkm.run(examples / "first", kernel=kernel).ok


def test_it_is_shown_after_the_run_and_again_when_asked_for(
    crash: Path,
    kernel: Kernel,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert run_command(["run", "--kernel", kernel.name, str(crash)]) == 1
    said = capfd.readouterr()
    assert "BUG: kernel NULL pointer dereference" in said.out
    assert "null-pointer: a NULL pointer was followed: `dev->name`" in said.err
    assert f"crash.c:{LINE}, in first_letter(), inlined into crash_init()" in " ".join(said.err.split())
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert run_command(["decode"]) == 0
    assert "`dev->name`" in capfd.readouterr().out
