# SPDX-License-Identifier: MIT
"""`lkm run --gdb` with a real gdb: where it stops, what it knows there, and what becomes of the guest."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.guest.gdb.debugger import Waiting
from lkm.job import Job, Listener, Outcome, RunResult, run
from lkm.kbuild import build
from lkm.kernel import Kernel

pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not on this machine"),
]
JOB = Job(gdb=True, timeout=60)
MODULES = Path(__file__).parent / "debugged"


@pytest.fixture(scope="session")
def debugged(kernel: Kernel) -> Callable[[str], Path]:
    """A built module of `debugged/`, by name."""
    built = build(MODULES, kernel=kernel)
    assert built.ok, built.diagnostics
    return {path.stem: path for path in built.modules}.__getitem__


class Gdb(Listener):
    """Starts gdb with these commands once the guest waits, as a person would in another terminal."""

    def __init__(self, commands: Sequence[str], *more: str) -> None:
        self.commands = commands
        self.more = more
        self.waits: list[Waiting] = []
        self.process: subprocess.Popen[bytes] | None = None

    def waiting(self, waiting: Waiting) -> None:
        self.waits.append(waiting)
        if self.commands:
            self.start(waiting.command)

    def start(self, argv: Sequence[str]) -> None:
        words = [word for command in self.commands for word in ("-ex", command)]
        self.process = subprocess.Popen(
            [*argv, "-nx", "-batch", *self.more, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
        )

    @property
    def said(self) -> str:
        assert self.process is not None, "the guest never waited for gdb"
        return self.process.communicate(timeout=60)[0].decode()


def debug(
    kernel: Kernel, source: Path | Sequence[Path], *commands: str, job: Job = JOB, words: Sequence[str] = ()
) -> tuple[RunResult, str, Gdb]:
    """A run under a gdb that is given these commands; what it said."""
    gdb = Gdb(commands)
    result = run(source, kernel=kernel, parameters=words, job=job, listener=gdb)
    return result, gdb.said, gdb


def frames(said: str) -> list[str]:
    """The names of the functions in the backtraces, in order."""
    lines = [line.split() for line in said.splitlines() if line.startswith("#")]
    return [words[words.index("in") + 1] if "in" in words else words[1] for words in lines]


def test_a_session_from_before_init_to_after_exit(kernel: Kernel, hello: Path) -> None:
    result, said, gdb = debug(
        kernel,
        hello,
        "break hello.c:18",
        "bt",
        "continue",
        "continue",
        "print month",
        "print day",
        "bt",
        "next",
        "continue",
        "bt",
        "continue",
        words=["month=May", "day=7"],
    )
    assert gdb.waits[0].module == "hello"
    assert gdb.waits[0].lines
    before, _, after = said.partition("Temporary breakpoint 1, hello_init ()")
    assert "hello is in memory; its init function has not run yet" in before
    assert frames(before)[0] == "do_init_module"
    assert "hello.c:18" in after
    assert '"May"' in after
    assert "= 7" in after
    stack = frames(after)
    # Through the kernel, whose unwinding tables gdb was given, to the system call.
    assert stack[:4] == ["hello_init", "do_one_initcall", "do_init_module", "__do_sys_init_module"]
    assert stack[-4:-2] == ["hello_exit", "__do_sys_delete_module"] or "hello_exit" in stack
    assert "\n19\t" in after  # the line that `next` came to
    assert "exited normally" in after
    assert result.outcome is Outcome.OK
    texts = [record.text for record in result.log]
    assert texts[-2:] == ["Hello! We are on 7 May", "Goodbye, cruel world"]


@pytest.mark.fetch
@pytest.mark.parametrize(("name", "cpus"), [("debian", 2), ("debian:6.12", 1), ("debian:7.3", 1)])
def test_other_kernels_and_processors(
    kernel_named: Callable[[str], Kernel], examples: Path, name: str, cpus: int
) -> None:
    result, said, _ = debug(
        kernel_named(name),
        examples / "hello",
        "bt",
        "continue",
        "info args",
        "print day",
        "bt",
        "continue",
        "continue",
        job=replace(JOB, cpus=cpus),
        words=["day=23"],
    )
    stack = frames(said)
    assert "do_init_module" in stack[:2]  # the thread that is chosen is shown, too
    assert "= 23" in said
    assert stack[-7:-2] == ["hello_init", "do_one_initcall", "do_init_module", *stack[-4:-2]]
    assert "do_syscall_64" in stack
    assert "hello.c:17" in said
    assert result.outcome is Outcome.OK


def test_every_module_of_a_run_is_stopped_at_and_named(kernel: Kernel, examples: Path) -> None:
    result, said, _ = debug(
        kernel,
        examples / "exports",
        *["continue", "bt 1", "continue", "bt 1", "continue", "bt 1", "continue", "bt 1", "continue"],
    )
    # The second module's exit function may lie where the first one's init function was.
    assert frames(said) == ["greeter_init", "visitor_init", "visitor_exit", "greeter_exit"]
    assert result.outcome is Outcome.OK


def test_once_gdb_left_later_modules_are_not_stopped_at(kernel: Kernel, examples: Path) -> None:
    result, said, gdb = debug(kernel, examples / "exports", "continue", "detach")
    assert "greeter_init" in said
    assert len(gdb.waits) == 1
    assert result.outcome is Outcome.OK


def test_what_a_module_depends_on_is_known_too(kernel: Kernel, examples: Path) -> None:
    built = run(examples / "exports", kernel=kernel, job=Job(timeout=60))
    visitor = next(module.path for module in built.modules if module.name == "visitor")
    result, said, gdb = debug(
        kernel, visitor, "break greeter_greet", "continue", "continue", "bt 2", "delete", "continue"
    )
    assert [one.module for one in gdb.waits] == ["visitor"]
    assert frames(said) == ["greeter_greet", "visitor_init"]
    assert [module.name for module in result.modules] == ["greeter", "visitor"]
    assert result.outcome is Outcome.OK


def test_without_debug_information_there_are_still_names(kernel: Kernel, hello: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "hello.ko"
    subprocess.run(["objcopy", "--strip-debug", hello, stripped], check=True)
    result, said, gdb = debug(kernel, stripped, "continue", "x/2i $pc", "bt", "continue", "continue")
    assert not gdb.waits[0].lines
    assert "<init_module" in said  # which is another name of the function, and global
    assert "do_one_initcall" in frames(said)
    assert result.outcome is Outcome.OK


def test_what_is_refused_before_its_init_function_is_told_as_ever(kernel: Kernel, hello: Path) -> None:
    gdb = Gdb(["continue"])
    result = run(hello, kernel=kernel, parameters=["day=never"], job=JOB, listener=gdb)
    assert not gdb.waits
    assert result.outcome is Outcome.LOAD_FAILED
    assert "day" in result.hint


def test_a_gdb_that_is_killed_leaves_a_guest_that_goes_on(kernel: Kernel, hello: Path) -> None:
    class Killed(Gdb):
        def waiting(self, waiting: Waiting) -> None:
            super().waiting(waiting)
            assert self.process is not None and self.process.stdout is not None
            while b"in do_init_module" not in self.process.stdout.readline():
                pass
            self.process.send_signal(signal.SIGKILL)

    result = run(hello, kernel=kernel, job=JOB, listener=Killed(["break printk", "shell sleep 60"]))
    assert result.outcome is Outcome.OK
    assert result.log[-1].text == "Goodbye, cruel world"


def test_the_limit_counts_from_when_gdb_left(kernel: Kernel, debugged: Callable[[str], Path]) -> None:
    commands = ["shell sleep 3", "detach"]
    result, said, _ = debug(kernel, debugged("stuck"), *commands, job=replace(JOB, timeout=2))
    assert "detached" in said
    assert result.outcome is Outcome.HANG
    assert "stuck: begins" in [record.text for record in result.log]


def test_gdb_sees_where_a_module_hangs_and_may_come_back(
    kernel: Kernel, debugged: Callable[[str], Path]
) -> None:
    class Twice(Gdb):
        def waiting(self, waiting: Waiting) -> None:
            super().waiting(waiting)
            assert self.process is not None
            self.process.wait(60)
            # Connected again it stops the guest where it is; what ends the loop is written into memory.
            self.commands = ["bt", "set var on = 0", "delete", "continue"]
            self.start(waiting.command)

    gdb = Twice(["continue", "detach"])
    result = run(debugged("stuck"), kernel=kernel, job=JOB, listener=gdb)
    assert "stuck_init" in frames(gdb.said)
    assert result.outcome is Outcome.OK


def test_a_panic_ends_the_run_and_gdb_hears_of_it(kernel: Kernel, debugged: Callable[[str], Path]) -> None:
    result, said, _ = debug(kernel, debugged("over"), "continue", "continue")
    assert "over_init" in said
    assert "exited" in said or "closed" in said
    assert result.outcome is Outcome.PANIC


def test_a_command_of_the_run_is_not_hurried_while_gdb_is_there(kernel: Kernel, hello: Path) -> None:
    job = replace(JOB, timeout=2, command="cat /proc/version")
    commands = [
        "hbreak version_proc_show",
        "continue",
        "continue",
        "shell sleep 3",
        "bt 1",
        "delete",
        "detach",
    ]
    result, said, _ = debug(kernel, hello, *commands, job=job)
    assert frames(said) == ["version_proc_show"]
    assert result.outcome is Outcome.OK
    assert result.exec is not None and "Linux version" in result.exec.stdout


def test_an_editor_is_offered_a_port_and_its_entry_works(kernel: Kernel, hello: Path) -> None:
    class Editor(Gdb):
        """As the C/C++ extension of VS Code: the entry's commands, its program, then the connection."""

        def waiting(self, waiting: Waiting) -> None:
            self.waits.append(waiting)
            entry = waiting.entry
            address = entry["miDebuggerServerAddress"]
            # What is no gdb, as a browser, gets no answer.
            with socket.create_connection(tuple(address.split(":"))) as other:
                other.sendall(b"POST / HTTP/1.1\r\n\r\n$qRcmd,71756974#00")
                self.answer = other
                self.commands = [
                    *(one["text"] for one in entry["setupCommands"]),
                    f"file {entry['program']}",
                    f"target remote {address}",
                    *["continue", "bt 1", "continue", "continue"],
                ]
                self.start(["gdb"])

    editor = Editor([])
    result = run(hello, kernel=kernel, job=replace(JOB, vscode=True), listener=editor)
    assert editor.waits[0].entry["type"] == "cppdbg"
    assert frames(editor.said) == ["hello_init"]
    assert result.outcome is Outcome.OK
