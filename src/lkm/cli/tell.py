# SPDX-License-Identifier: MIT
"""What happens in a guest, told to a person as it happens; an outcome's exit status."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

import click

from lkm.cli import common
from lkm.guest import ExecResult
from lkm.job import Listener, ModuleResult, Outcome, RunResult
from lkm.klog import Record, format_record
from lkm.show.run import outcome_line, parameters_line

if TYPE_CHECKING:
    from lkm.guest.gdb.debugger import Waiting
    from lkm.kbuild import Built
    from lkm.kernel import Kernel

STATUS = {Outcome.OK: 0, Outcome.HANG: 124, Outcome.GUEST_LOST: 128}
_MOST, _LAST = 2000, 100  # records that a terminal is shown of a flood, from its beginning and end
_MOST_REPORTS = 3  # after the first, a line each
_LEVEL_STYLE = {0: "red", 1: "red", 2: "red", 3: "red", 4: "yellow"}


def show_record(record: Record) -> None:
    """A printk record on standard output, in the colour of its level on a terminal."""
    click.secho(format_record(record), fg=_LEVEL_STYLE.get(record.level))
    sys.stdout.flush()


class Teller(Listener):
    """Tells a person what happens as it happens: the kernel's words on stdout, all else on stderr."""

    def __init__(self) -> None:
        self._count = 0
        self._hidden: deque[Record] = deque(maxlen=_LAST)

    def built(self, built: Built) -> None:
        if built.diagnostics:
            from lkm.show.diagnostics import format_diagnostics, symbols_hint

            click.echo(format_diagnostics(built.diagnostics, color=sys.stderr.isatty()), err=True, nl=False)
            if text := symbols_hint(built.diagnostics, kernel=built.kernel.name):
                common.hint(text)
        if not built.ok and not built.diagnostics:
            click.echo(built.log, err=True, nl=False)

    def booting(self, kernel: Kernel) -> None:
        common.note(f"the first guest of {kernel.release}: booting it once, some seconds", dim=True)

    def record(self, record: Record) -> None:
        self._count += 1
        if self._count <= _MOST or not sys.stdout.isatty():
            show_record(record)
        else:
            self._hidden.append(record)

    def close(self) -> None:
        """Shows the end of a log that was too long for a terminal."""
        if self._hidden:
            left = self._count - _MOST - len(self._hidden)
            if left:
                common.note(f"({left} records are not shown on a terminal: lkm run ... >FILE)", dim=True)
            for record in self._hidden:
                show_record(record)
            self._hidden.clear()

    def loaded(self, result: ModuleResult) -> None:
        line = parameters_line(result)
        if line:
            common.note(line, dim=True)

    def executed(self, result: ExecResult) -> None:
        click.echo(result.stdout, nl=False)
        click.echo(result.stderr, nl=False, err=True)

    def repeating(self, cycles: int) -> None:
        common.note(f"the same {cycles - 1} times more, not shown unless it goes wrong", dim=True)

    def waiting(self, waiting: Waiting) -> None:
        tell_waiting(waiting)


def tell_waiting(waiting: Waiting) -> None:
    """A guest that waits for gdb, on standard error: what to type, or paste."""
    import json
    import shlex

    from lkm.process import find_program
    from lkm.requirements import install_command, read_requirements

    common.note(f"the guest waits before {waiting.module}'s init function; in another terminal:")
    common.note(f"    {shlex.join(waiting.command)}", bold=True)
    if not waiting.lines:
        common.note(f"{waiting.module} has no debug information: gdb shows instructions, not lines")
        common.hint("ccflags-y += -g in its Makefile")
    if waiting.entry:
        common.note('or, in .vscode/launch.json under "configurations", then F5:')
        common.note(json.dumps(waiting.entry, indent=4))
    if find_program("gdb") is None:
        argv = install_command(row for row in read_requirements() if row.probe == "cmd:gdb")
        common.note("gdb is not on this machine", fg="yellow")
        common.hint(shlex.join(argv) if argv else "install gdb")


def tell_outcome(result: RunResult) -> None:
    """The closing lines of a run, on standard error."""
    if result.left_out:
        common.note(f"({result.left_out} records were too many to keep)", dim=True)
    if result.leftovers or result.cycles:
        tell_leftovers(result)
    colour = "green" if result.ok and result.clean else "yellow" if result.ok else "red"
    common.say(outcome_line(result), fg=colour, bold=True)
    if result.reports:
        tell_reports(result)
    if result.hint:
        common.hint(result.hint)


def tell_reports(result: RunResult) -> None:
    """What the kernel reported, at its source lines, on standard error; kept for `lkm decode`."""
    from dataclasses import replace

    from lkm.decode import find_vmlinux
    from lkm.decode.last import write_last
    from lkm.klog.report import Kind
    from lkm.show.decode import format_decoded, later_lines

    first, *others = result.reports
    if result.outcome is Outcome.HANG and first.report.kind in {Kind.STACK_TRACE, Kind.PANIC}:
        first = replace(first, means="where it was when it did not answer", usually="")
    click.echo(err=True)
    # click takes the colours out where they are not wanted.
    click.echo(
        format_decoded(first, brief=True, color=True, width=min(common.terminal_width(), 120)),
        err=True,
        nl=False,
    )
    for line in later_lines(others, most=_MOST_REPORTS):
        common.note(line)
    modules = [module.path for module in result.modules]
    vmlinux = find_vmlinux(result.kernel)
    write_last(result.kernel.name, modules, result.log, first=first.report.first, vmlinux=vmlinux)


def tell_leftovers(result: RunResult) -> None:
    """What is still there after unloading, and what cycles cost, on standard error."""
    from lkm.show.leftovers import cycles_lines

    for one in result.leftovers or ():
        common.say(f"left behind: {one.text}", fg="yellow")
    if result.cycles is not None:
        for line in cycles_lines(result.cycles):
            common.say(line, fg="yellow" if result.cycles.growths else None)
