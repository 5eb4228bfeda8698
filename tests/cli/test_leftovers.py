# SPDX-License-Identifier: MIT
"""What `lkm run` says of leftovers and cycles, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lkm
from lkm.cli import run_command
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest

FORGETFUL = Path(__file__).parents[1] / "leftovers" / "modules"


@pytest.fixture(scope="module")
def left_proc(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("left")
    (place / "left_proc.c").write_bytes((FORGETFUL / "left_proc.c").read_bytes())
    (place / "Kbuild").write_text("obj-m += left_proc.o\n")
    return str(lkm.build(place, kernel=kernel).modules[0])


def test_it_is_a_warning_and_an_error_where_asked_for(
    kernel: Kernel, left_proc: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["run", "--kernel", kernel.name, left_proc]) == 0
    said = capfd.readouterr().err
    assert "left behind: /proc/left_proc is still there: proc_remove()" in said
    assert run_command(["run", "--kernel", kernel.name, "--strict", left_proc]) == 1


def test_in_json(kernel: Kernel, left_proc: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "--kernel", kernel.name, "--json", left_proc]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["cycles"] is None
    (one,) = found["leftovers"]
    assert (one["kind"], one["name"], one["detail"]) == ("proc", "/proc/left_proc", "")
    assert one["cause"] in one["text"]


def test_cycles(kernel: Kernel, examples: Path, capfd: pytest.CaptureFixture[str]) -> None:
    argv = ["run", "--kernel", kernel.name, "--cycles", "5", str(examples / "hello")]
    assert run_command(argv) == 0
    said = capfd.readouterr()
    assert said.out.count("Hello!") == 1
    assert "5 cycles: no memory is left behind" in said.err


@pytest.mark.parametrize(
    "words", [["--cycles", "4"], ["--cycles", "x"], ["--cycles", "5", "--no-unload"]], ids=" ".join
)
def test_wrong_use(words: list[str], examples: Path) -> None:
    assert run_command(["run", *words, str(examples / "hello")]) == 2


def test_a_cycle_unlike_the_first_is_shown(
    kernel: Kernel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What init registered twice: the kernel warns from the second load on."""
    place = tmp_path / "twice"
    place.mkdir()
    (place / "twice.c").write_text(
        "#include <linux/module.h>\n#include <linux/proc_fs.h>\n"
        'static int __init twice_init(void) { proc_mkdir("twice", NULL); return 0; }\n'
        "module_init(twice_init);\nstatic void __exit twice_exit(void) { }\nmodule_exit(twice_exit);\n"
        'MODULE_LICENSE("GPL");\nMODULE_DESCRIPTION("Registers what it never takes back");\n'
    )
    assert run_command(["run", "--kernel", kernel.name, "--cycles", "5", str(place / "twice.c")]) == 1
    said = capfd.readouterr()
    assert "already registered" in said.out
    assert "1 of 5 cycles went as the first" in said.err
    assert "ok, but cycle 2 was not like the first" in said.err
    assert "twice.c:3" in said.err


def test_timers_are_given_their_time(
    kernel: Kernel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "late"
    place.mkdir()
    (place / "late.c").write_text(
        "#include <linux/module.h>\n#include <linux/workqueue.h>\n"
        'static void ring(struct work_struct *work) { pr_info("it rings\\n"); }\n'
        "static DECLARE_DELAYED_WORK(bell, ring);\n"
        "static int __init late_init(void) { schedule_delayed_work(&bell, HZ); return 0; }\n"
        "module_init(late_init);\n"
        "static void __exit late_exit(void) { cancel_delayed_work_sync(&bell); }\nmodule_exit(late_exit);\n"
        'MODULE_LICENSE("GPL");\nMODULE_DESCRIPTION("Does something a second later");\n'
    )
    assert run_command(["run", "--kernel", kernel.name, str(place / "late.c")]) == 0
    assert "it rings" not in capfd.readouterr().out
    assert run_command(["run", "--kernel", kernel.name, "--wait", "3", str(place / "late.c")]) == 0
    assert "it rings" in capfd.readouterr().out
