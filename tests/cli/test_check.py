# SPDX-License-Identifier: MIT
"""`lkm check`: one line a module and kernel, every check, and for a machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import lkm
from lkm.cli import run_command
from lkm.kernel import Kernel
from lkm.verdict import read_ground

Capture = pytest.CaptureFixture[str]
FIELDS = {
    "module", "path", "kernel", "loads", "errno", "error", "message", "rule", "why", "hint", "taints",
    "warnings", "unproved", "order",
}  # fmt: skip


@pytest.fixture(scope="module")
def hello(kernel: Kernel) -> Path:
    return lkm.build(Path(__file__).parents[2] / "examples" / "hello", kernel=kernel).modules[0]


@pytest.fixture
def judge(kernel: Kernel, tmp_path: Path, capfd: Capture) -> Callable[[str], tuple[int, str]]:
    """Checks a word, `.` for an empty directory: the status, and what is said on standard error."""

    def check(word: str) -> tuple[int, str]:
        return run(tmp_path if word == "." else word, kernel=kernel), capfd.readouterr().err

    return check


def run(*words: object, kernel: Kernel) -> int:
    return run_command(["check", *map(str, words), "--kernel", kernel.name])


def test_a_line_for_each_module_and_kernel(hello: Path, kernel: Kernel, capfd: Capture) -> None:
    assert run(hello, "month=May", kernel=kernel) == 0
    said = capfd.readouterr()
    assert said.out == f"{hello}: {kernel.name}: loads with warnings: taints E O\n"
    assert not said.err


def test_a_refusal_names_its_cause_the_kernels_words_and_what_to_do(
    hello: Path, kernel: Kernel, capfd: Capture
) -> None:
    assert run(hello, "day=x", kernel=kernel) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith(f"{hello}: {kernel.name}: refused, EINVAL: parameter day: 'x' is not a number")
    assert lines[1:] == ["  kernel: hello: `x' invalid for parameter `day'", f"  hint: lkm params {hello}"]


def test_every_check_in_order(hello: Path, kernel: Kernel, capfd: Capture) -> None:
    assert run("--explain", hello, kernel=kernel) == 0
    lines = capfd.readouterr().out.splitlines()
    numbers = [line.split()[0] for line in lines if line[:4].strip().isdigit()]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert len(numbers) > 25
    order = [
        next(at for at, line in enumerate(lines) if word in line)
        for word in ("signature", "magic", "symbol it")
    ]
    assert order == sorted(order)


def test_for_a_machine(hello: Path, kernel: Kernel, capfd: Capture) -> None:
    assert run("--json", hello, "dya=3", kernel=kernel) == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer["schema"] == 1
    (row,) = answer["check"]
    assert set(row) == FIELDS
    assert (row["module"], row["loads"], row["errno"], row["taints"]) == ("hello", True, 0, ["E", "O"])
    assert row["warnings"][0]["message"] == "hello: unknown parameter 'dya' ignored"
    assert run("--json", "--explain", hello, kernel=kernel) == 0
    (row,) = json.loads(capfd.readouterr().out)["check"]
    assert {"rule", "title", "source", "versions", "passed", "findings", "unproved"} == set(row["checks"][0])


def test_a_directory_is_all_its_modules(hello: Path, kernel: Kernel, tmp_path: Path, capfd: Capture) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.ko").write_bytes(hello.read_bytes())
    (tmp_path / "two.ko").write_bytes(b"no module at all")
    assert run(tmp_path, kernel=kernel) == 1
    said = capfd.readouterr()
    assert [line.split(":")[0] for line in said.out.splitlines() if line[:1] != " "] == [
        str(tmp_path / "one.ko"),
        str(tmp_path / "two.ko"),
    ]
    assert said.err == "2 checked: 1 load, 1 of them with warnings, 1 refused\n"


def test_modules_given_together_are_there_for_each_other(kernel: Kernel, capfd: Capture) -> None:
    greeter, visitor = lkm.build(Path(__file__).parents[2] / "examples" / "exports", kernel=kernel).modules
    assert run(visitor, greeter, kernel=kernel) == 0
    assert "first load: greeter" in capfd.readouterr().out
    assert run(visitor, greeter, "--alone", kernel=kernel) == 1
    assert "greeter, which is not loaded" in capfd.readouterr().out
    assert run(visitor, greeter, "--loaded", "greeter", kernel=kernel) == 1, (
        "greeter itself is loaded already"
    )
    assert "a module named greeter is loaded already" in capfd.readouterr().out


def test_what_lies_beside_counts_and_what_is_nowhere_is_named(
    kernel: Kernel, tmp_path: Path, capfd: Capture
) -> None:
    for path in lkm.build(Path(__file__).parents[2] / "examples" / "exports", kernel=kernel).modules:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    visitor = tmp_path / "visitor.ko"
    assert run(visitor, kernel=kernel) == 0
    assert "first load: greeter" in capfd.readouterr().out
    assert run(visitor, "--loaded", "nosuch", kernel=kernel) == 2
    assert "--loaded nosuch: no such module" in capfd.readouterr().err
    (tmp_path / "greeter.ko").unlink()
    assert run(visitor, kernel=kernel) == 1
    assert "it depends on greeter; give its file too" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("word", "status", "message"),
    [
        ("gone.ko", 2, "gone.ko: there is no such file"),
        ("day=1", 2, "no module was given"),
        (".", 1, " in this directory"),
        (".", 1, "hint: lkm build --kernel debian:"),
    ],
)
def test_wrong_use(word: str, status: int, message: str, judge: Callable[[str], tuple[int, str]]) -> None:
    said = judge(word)
    assert said[0] == status
    assert message in said[1]


def test_any_module_there_is_may_be_loaded_already(hello: Path, kernel: Kernel, capfd: Capture) -> None:
    assert run(hello, "--loaded", "hello", kernel=kernel) == 1
    assert "a module named hello is loaded already" in capfd.readouterr().out
    alone = next(name for name, needs in read_ground(kernel).needs.items() if not needs)
    assert run(hello, "--loaded", alone, kernel=kernel) == 0


def test_a_build_warns_of_what_is_certain(kernel: Kernel, tmp_path: Path, capfd: Capture) -> None:
    source = """// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
static int __init stay_init(void) { return 0; }
module_init(stay_init);
asm(".pushsection .stay, \\"awx\\"\\n .long 0\\n .popsection");
MODULE_LICENSE("GPL");
"""
    (tmp_path / "stay.c").write_text(source)
    assert run_command(["build", str(tmp_path / "stay.c"), "--kernel", kernel.name]) == 0
    said = capfd.readouterr().err
    assert "stay: will not load (ENOEXEC): section .stay is both to write and to execute" in said


def test_nothing_of_it_is_imported_by_a_run_that_succeeds() -> None:
    """Starting counts: a verdict is asked for only where something failed."""
    import subprocess
    import sys

    script = (
        "import sys, lkm.cli.run; print([name for name in sys.modules if name.startswith('lkm.verdict')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
