# SPDX-License-Identifier: MIT
"""The lecture's modules, from source to the kernel's answer, each as the lecture has it done."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import lkm
from lkm.job import Outcome
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest


def texts(result: lkm.RunResult) -> list[str]:
    return [record.text for record in result.log]


def write_module(directory: Path, name: str, source: str) -> Path:
    place = directory / name
    place.mkdir()
    (place / f"{name}.c").write_text("// SPDX-License-Identifier: GPL-2.0\n" + source)
    (place / "Makefile").write_text(f"obj-m += {name}.o\n")
    return place


def test_hello_world_says_one_thing_when_it_comes_and_one_when_it_goes(
    kernel: Kernel, examples: Path
) -> None:
    """Example: Hello World; insmod, dmesg, rmmod, dmesg."""
    result = lkm.run([examples / "first"], kernel=kernel)
    assert result.outcome is Outcome.OK
    assert texts(result)[-2:] == ["first: hello, world", "first: goodbye"]


def test_parameters_have_default_values(kernel: Kernel, examples: Path) -> None:
    """Module Parameters: with default values."""
    result = lkm.run([examples / "hello"], kernel=kernel)
    assert "Hello! We are on 1 January" in texts(result)


def test_parameters_are_given_when_loading(kernel: Kernel, examples: Path) -> None:
    """Module Parameters: with parameters; the one with permission 0 is not in sysfs."""
    result = lkm.run([examples / "hello"], kernel=kernel, parameters=["month=December", "day=31"])
    assert "Hello! We are on 31 December" in texts(result)
    assert result.modules[0].parameters == {"month": "December"}


def test_the_custom_makefile_works_by_hand(kernel: Kernel, tmp_path: Path) -> None:
    """Building a Module: `make` and `make clean` with the wrapper Makefile, the kernel directory given."""
    if kernel.toolchain is None or kernel.toolchain.root is not None:
        pytest.skip("this machine's own compiler is not the kernel's")
    place = lkm.new_module("byhand", parent=tmp_path)
    done = subprocess.run(
        ["make", "-C", place, f"KDIR={kernel.build}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "byhand.ko").is_file()
    assert lkm.run([place / "byhand.ko"], kernel=kernel).ok
    subprocess.run(["make", "-C", place, f"KDIR={kernel.build}", "clean"], capture_output=True, check=True)
    assert not (place / "byhand.ko").exists()


def test_powering_the_machine_off_is_an_outcome(kernel: Kernel, examples: Path) -> None:
    """Kernel Dynamic Linker: the module that uses an exported symbol to turn the machine off."""
    result = lkm.run([examples / "poweroff"], kernel=kernel)
    assert result.outcome is Outcome.POWERED_OFF
    assert result.log, "the last words are kept"


def test_a_module_may_use_only_what_is_exported(kernel: Kernel, tmp_path: Path) -> None:
    """Kernel Dynamic Linker: no access to a symbol that is not exported, though it is not static."""
    source = """#include <linux/module.h>
extern int tasklist_lock_of_mine;
static int __init touch_init(void) { return tasklist_lock_of_mine; }
module_init(touch_init);
MODULE_LICENSE("GPL");
"""
    built = lkm.build(write_module(tmp_path, "touch", source), kernel=kernel)
    assert not built.ok
    assert "tasklist_lock_of_mine" in built.errors[0].text


def test_the_licence_decides_which_symbols_may_be_used(kernel: Kernel, tmp_path: Path) -> None:
    """Module Information: the licence is not only informative."""
    source = """#include <linux/module.h>
#include <linux/kobject.h>
static int __init closed_init(void)
{
	kobject_put(kobject_create_and_add("closed", NULL));
	return 0;
}
module_init(closed_init);
MODULE_LICENSE("%s");
"""
    free = lkm.build(write_module(tmp_path, "free", source.replace("closed", "free") % "GPL"), kernel=kernel)
    assert free.ok, free.log
    closed = lkm.build(write_module(tmp_path, "closed", source % "Proprietary"), kernel=kernel)
    assert not closed.ok
    assert any("GPL-incompatible" in error.text for error in closed.errors), closed.log


def test_a_module_that_another_one_uses_is_loaded_first_and_unloaded_last(
    kernel: Kernel, examples: Path
) -> None:
    """Module Dependencies: Y before X where X uses a symbol of Y, and the other way round for unloading."""
    built = lkm.build(examples / "exports", kernel=kernel)
    backwards = list(reversed(built.modules))
    result = lkm.run(backwards, kernel=kernel)
    assert result.ok, texts(result)
    assert [module.name for module in result.modules] == ["greeter", "visitor"]
    assert texts(result)[-1] == "greeter: greeted 1 times"


def test_loaded_modules_are_listed_with_who_uses_them(kernel: Kernel, examples: Path) -> None:
    """Module Dependencies: lsmod's third column."""
    built = lkm.build(examples / "exports", kernel=kernel)
    with lkm.Guest(kernel) as guest:
        for path in built.modules:
            assert guest.load(path).ok
        greeter = next(module for module in guest.modules() if module.name == "greeter")
        assert tuple(greeter.used_by) == ("visitor",)
        refused = guest.unload("greeter")
        assert (refused.ok, refused.errno) == (False, 11)  # EWOULDBLOCK
