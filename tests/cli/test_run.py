# SPDX-License-Identifier: MIT
"""`lkm run`: what a person sees, what a machine reads, and what one can get wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import lkm
from lkm.cli import run_command
from lkm.kernel import Kernel

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.guest


def run(*words: str | Path, kernel: Kernel | None = None) -> int:
    named = ["--kernel", kernel.name] if kernel else []
    return run_command(["run", *named, *map(str, words)])


def marked(mark: str) -> list[str]:
    """Command lines of the processes that have the mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"LKM_TEST_MARK={mark}".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found


def left_behind(mark: str) -> list[str]:
    """The same, once they had five seconds to end."""
    until = time.monotonic() + 5
    while marked(mark) and time.monotonic() < until:
        time.sleep(0.05)
    return marked(mark)


def start(mark: str, kernel: Kernel, *words: str | Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "lkm", "run", "--kernel", kernel.name, *words]
    environment = {**os.environ, "LKM_TEST_MARK": mark}
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_kernels_words_are_the_output_and_the_outcome_is_not(
    kernel: Kernel, examples: Path, capfd: Capture
) -> None:
    assert run(examples / "hello", "month=December", "day=31", kernel=kernel) == 0
    said = capfd.readouterr()
    assert said.out.splitlines()[-2].endswith("] Hello! We are on 31 December")
    assert said.out.splitlines()[-1].endswith("] Goodbye, cruel world")
    assert said.err.splitlines()[-1].startswith("ok: ")
    assert kernel.release in said.err


def test_json_is_one_object_with_the_documented_fields(
    kernel: Kernel, examples: Path, capfd: Capture
) -> None:
    status = run(examples / "exports", "--exec", "echo out; echo err >&2", "--json", kernel=kernel)
    assert status == 0
    answer = json.loads(capfd.readouterr().out)
    assert set(answer) == {
        "schema", "outcome", "kernel", "accelerator", "modules", "exec", "log", "timing", "diagnostics",
        "left_out", "ending", "hint", "clean", "leftovers", "cycles", "reports",
    }  # fmt: skip
    assert answer["schema"] == 1
    assert answer["outcome"] == "ok"
    assert answer["kernel"] == {"release": kernel.release, "name": kernel.name, "arch": kernel.arch}
    assert answer["exec"] == {"status": 0, "stdout": "out\n", "stderr": "err\n"}
    assert [module["name"] for module in answer["modules"]] == ["greeter", "visitor"]
    assert answer["modules"][0]["load"] == {"ok": True, "errno": 0, "error": ""}
    assert answer["modules"][0]["unload"] == {"ok": True, "errno": 0, "error": ""}
    assert set(answer["timing"]) == {"build", "start", "load", "unload", "total"}
    sequence = [record["seq"] for record in answer["log"]]
    assert sequence == sorted(sequence)
    assert all(set(record) == {"seq", "seconds", "level", "text"} for record in answer["log"])
    assert answer["log"][-1]["text"] == "greeter: greeted 1 times"


def test_the_log_holds_only_what_this_run_caused(kernel: Kernel, examples: Path, capfd: Capture) -> None:
    run(examples / "first", "--json", kernel=kernel)
    texts = [record["text"] for record in json.loads(capfd.readouterr().out)["log"]]
    assert not any("Linux version" in text for text in texts)
    assert sum(text == "first: hello, world" for text in texts) == 1


def test_a_failing_command_is_an_outcome(kernel: Kernel, examples: Path, capfd: Capture) -> None:
    assert run(examples / "first", "--exec", "exit 3", kernel=kernel) == 1
    assert "exec-failed: the command failed: status 3" in capfd.readouterr().err


def test_a_source_that_does_not_compile_is_an_outcome(kernel: Kernel, tmp_path: Path, capfd: Capture) -> None:
    place = lkm.new_module("broken", parent=tmp_path)
    source = place / "broken.c"
    source.write_text(source.read_text().replace("return 0;", "return nothing;"))
    assert run(place, kernel=kernel) == 1
    said = capfd.readouterr().err
    assert f"{source}:" in said
    assert "error: 'nothing' undeclared" in said.replace("‘", "'").replace("’", "'")
    assert "build-failed" in said
    assert run(place, "--json", kernel=kernel) == 1
    answer = json.loads(capfd.readouterr().out)
    assert (answer["outcome"], answer["modules"]) == ("build-failed", [])
    assert answer["diagnostics"][0]["path"] == str(source)


def test_a_bad_value_is_refused_by_the_kernel(kernel: Kernel, examples: Path, capfd: Capture) -> None:
    assert run(examples / "hello", "day=abc", kernel=kernel) == 1
    said = capfd.readouterr()
    assert "`abc' invalid for parameter `day'" in said.out
    assert "load-failed" in said.err
    assert "Invalid argument (errno 22)" in said.err


def test_values_with_white_space_and_empty_ones_arrive(
    kernel: Kernel, examples: Path, capfd: Capture
) -> None:
    run(examples / "hello", "month=late in May", kernel=kernel)
    assert "Hello! We are on 1 late in May" in capfd.readouterr().out
    run(examples / "hello", "month=", kernel=kernel)
    assert "Hello! We are on 1 \n" in capfd.readouterr().out


@pytest.mark.fetch
def test_a_module_for_another_kernel_is_explained(
    kernel_named: Callable[[str], Kernel], examples: Path, capfd: Capture
) -> None:
    old, new = kernel_named("debian:6.1"), kernel_named("debian:6.12")
    module = lkm.build(examples / "first", kernel=old).modules[0]
    assert run(module, kernel=new) == 1
    said = capfd.readouterr().err
    assert "Exec format error (errno 8)" in said
    assert f"first was built for {old.release}, this kernel is {new.release}" in said


@pytest.mark.parametrize(
    ("words", "status", "message", "hint"),
    [
        (["nowhere"], 2, "nowhere: there is no such file or directory", "lkm new nowhere"),
        (["--kernel", "debian:0.1"], 2, "0.1", "lkm kernel list"),
        (["--kernel", "/no/such/kernel"], 2, "/no/such/kernel", "lkm kernel list"),
        (["hello", "mnth=May"], 2, "hello has no parameter 'mnth'", "month="),
        (["empty"], 1, "no module source here", "lkm new"),
        (["text.ko"], 1, "text.ko is not an ELF file", ""),
        (["cut.ko"], 1, "cut.ko: truncated", ""),
        (["--keep", "--json", "hello"], 2, "--keep is for a person", ""),
        (["--timeout", "-1", "hello"], 2, "--timeout", "lkm run --help"),
    ],
)
def test_what_one_can_get_wrong(  # noqa: PLR0917 - a table's columns
    words: list[str],
    status: int,
    message: str,
    hint: str,
    kernel: Kernel,
    examples: Path,
    tmp_path: Path,
    capfd: Capture,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "hello").symlink_to(examples / "hello")
    (tmp_path / "text.ko").write_text("just text")
    module = lkm.build(examples / "first", kernel=kernel).modules[0]
    (tmp_path / "cut.ko").write_bytes(module.read_bytes()[:4000])
    named = [] if "--kernel" in words else ["--kernel", kernel.name]
    assert run_command(["run", "-C", str(tmp_path), *named, *words]) == status
    said = capfd.readouterr()
    assert said.out == ""
    assert message in said.err
    assert hint in said.err


def test_without_qemu_doctor_is_named(
    kernel: Kernel, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    module = lkm.build(examples / "first", kernel=kernel).modules[0]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(module, kernel=kernel) == 3
    said = capfd.readouterr().err
    assert "qemu" in said.lower()
    assert "lkm doctor" in said


@pytest.mark.parametrize("delay", [0.02, 0.15, 0.3, 0.6])
def test_ctrl_c_ends_it_at_every_stage_and_leaves_nothing(
    delay: float, kernel: Kernel, examples: Path
) -> None:
    mark = f"{os.getpid()}.{delay}"
    process = start(mark, kernel, examples / "first", "--exec", "sleep 30")
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    # Before our own code runs, it is the interpreter that the signal ends.
    early = process.returncode in (1, -signal.SIGINT) and b"/lkm/cli/" not in said
    assert process.returncode == 130 or early, said
    assert not left_behind(mark)


def test_a_killed_run_leaves_no_guest(kernel: Kernel, examples: Path) -> None:
    mark = f"{os.getpid()}.killed"
    process = start(mark, kernel, examples / "first", "--exec", "sleep 60")
    until = time.monotonic() + 60
    while not any("qemu-system" in line for line in marked(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(marked(mark)) > 1, "no guest was seen"
    process.kill()
    process.communicate(timeout=20)
    assert not left_behind(mark)


def write_module(place: Path, name: str, body: str, licence: str = "GPL") -> Path:
    """A module source whose file is `body` after the usual includes."""
    (place / name).mkdir()
    head = "// SPDX-License-Identifier: GPL-2.0\n#include <linux/module.h>\n"
    text = f'{head}{body}\nMODULE_LICENSE("{licence}");\n'
    (place / name / f"{name}.c").write_text(text)
    (place / name / "Makefile").write_text(f"obj-m := {name}.o\n")
    return place / name


def test_an_init_that_refuses_is_told_from_a_kernel_that_does(
    kernel: Kernel, tmp_path: Path, capfd: Capture
) -> None:
    body = "static int __init no(void) { return -ENODEV; }\nmodule_init(no);"
    assert run(write_module(tmp_path, "no", body), kernel=kernel) == 1
    said = capfd.readouterr().err
    assert "No such device (errno 19)" in said
    assert "its init function returned -ENODEV" in said


def test_an_oops_is_named_with_its_place(kernel: Kernel, tmp_path: Path, capfd: Capture) -> None:
    body = (
        "static int * volatile p;\nstatic int __init boom_init(void) { return *p; }\nmodule_init(boom_init);"
    )
    assert run(write_module(tmp_path, "boom", body), "--json", kernel=kernel) == 1
    answer = json.loads(capfd.readouterr().out)
    assert answer["outcome"] == "oops"
    (report,) = answer["reports"]
    assert report["kind"] == "null-pointer" and "NULL pointer dereference" in report["title"]
    assert report["place"]["function"] == "boom_init" and report["traces"][0]["frames"][0]["module"] == "boom"
    assert all(record["text"] for record in answer["log"])


def test_a_source_may_use_what_one_before_it_exports(kernel: Kernel, tmp_path: Path, capfd: Capture) -> None:
    giver = write_module(
        tmp_path, "giver", "int gives(void);\nint gives(void) { return 42; }\nEXPORT_SYMBOL_GPL(gives);"
    )
    taker = write_module(
        tmp_path,
        "taker",
        "extern int gives(void);\n"
        'static int __init take(void) { pr_info("taker: %d\\n", gives()); return 0; }\n'
        "static void __exit leave(void) {}\nmodule_init(take);\nmodule_exit(leave);",
    )
    assert run(giver, taker, kernel=kernel) == 0
    assert "taker: 42" in capfd.readouterr().out


def test_a_command_that_does_not_end_is_an_outcome(kernel: Kernel, examples: Path, capfd: Capture) -> None:
    assert run(examples / "first", "--timeout", "2", "--exec", "sleep 60", "--json", kernel=kernel) == 1
    answer = json.loads(capfd.readouterr().out)
    assert answer["outcome"] == "exec-failed"
    assert answer["exec"]["status"] == 124
    assert "no end after 2 s" in answer["hint"]
    assert answer["log"][-1]["text"] == "first: goodbye"


def test_an_init_that_never_returns_is_a_hang(kernel: Kernel, tmp_path: Path, capfd: Capture) -> None:
    body = "static int __init spin(void) { for (;;) cpu_relax(); return 0; }\nmodule_init(spin);"
    assert run(write_module(tmp_path, "spin", body), "--timeout", "3", "--json", kernel=kernel) == 124
    answer = json.loads(capfd.readouterr().out)
    assert answer["outcome"] == "hang"
    assert answer["modules"][0]["load"] == {"ok": False, "errno": 0, "error": "no answer: hang"}
