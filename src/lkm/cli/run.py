# SPDX-License-Identifier: MIT
"""`lkm run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli import common
from lkm.config import Config, read_config
from lkm.errors import BadInputError, UsageError
from lkm.guest import ExecResult, Guest
from lkm.job import Job, Listener, ModuleResult, Outcome, RunResult, is_assignment, run
from lkm.kernel import find_kernel
from lkm.klog import Record, format_record
from lkm.show.run import outcome_line, parameters_line, run_json

if TYPE_CHECKING:
    from lkm.kbuild import Built

STATUS = {Outcome.OK: 0, Outcome.HANG: 124, Outcome.GUEST_LOST: 128}
_LEVEL_STYLE = {0: "red", 1: "red", 2: "red", 3: "red", 4: "yellow"}


def show_record(record: Record) -> None:
    """A printk record on standard output, in the colour of its level on a terminal."""
    click.secho(format_record(record), fg=_LEVEL_STYLE.get(record.level))
    sys.stdout.flush()


class Teller(Listener):
    """Tells a person what happens as it happens: the kernel's words on stdout, all else on stderr."""

    def built(self, built: Built) -> None:
        if built.diagnostics:
            from lkm.show.diagnostics import format_diagnostics

            click.echo(format_diagnostics(built.diagnostics, color=sys.stderr.isatty()), err=True, nl=False)
        if not built.ok and not built.diagnostics:
            click.echo(built.log, err=True, nl=False)

    def record(self, record: Record) -> None:
        show_record(record)

    def loaded(self, result: ModuleResult) -> None:
        line = parameters_line(result)
        if line:
            common.note(line, dim=True)

    def executed(self, result: ExecResult) -> None:
        click.echo(result.stdout, nl=False)
        click.echo(result.stderr, nl=False, err=True)


def tell_outcome(result: RunResult) -> None:
    """The closing lines of a run, on standard error."""
    common.note(outcome_line(result), fg="green" if result.ok else "red", bold=True)
    if result.hint:
        click.secho("hint: ", fg="cyan", bold=True, nl=False, err=True)
        click.echo(result.hint, err=True)


def split_words(words: tuple[str, ...], directory: Path) -> tuple[list[Path], list[str]]:
    """Module sources and files, and `name=value` words; no source means `directory` itself."""
    parameters = [word for word in words if is_assignment(word)]
    sources = []
    for word in words:
        if is_assignment(word):
            continue
        path = directory / word
        if not path.exists():
            hint = f"lkm new {word}" if word.isidentifier() else ""
            raise UsageError(f"{word}: there is no such file or directory", hint=hint)
        sources.append(path)
    return sources or [directory], parameters


def guest_options(function: common.F) -> common.F:
    """The options that shape a guest."""
    for option in reversed(
        (
            click.option("--timeout", type=click.FloatRange(0.1), metavar="SECONDS", help="For the guest."),
            click.option("--memory", type=click.IntRange(64), metavar="MIB", help="The guest's memory."),
            click.option("--cpus", type=click.IntRange(1, 64), metavar="N", help="The guest's processors."),
            click.option("--cmdline", metavar="WORDS", help="Added to the kernel command line."),
            click.option("--cold", is_flag=True, help="Boot, do not start from the saved guest."),
        )
    ):
        function = option(function)
    return function


def guest_settings(
    config: Config,
    *,
    timeout: float | None,
    memory: int | None,
    cpus: int | None,
    cmdline: str | None,
    cold: bool,
) -> Job:
    """A job's guest settings: options first, then lkm.toml, then the defaults."""
    return Job(
        timeout=config.timeout if timeout is None else timeout,
        memory=config.memory if memory is None else memory,
        cpus=config.cpus if cpus is None else cpus,
        cmdline=config.cmdline if cmdline is None else cmdline,
        template=not cold,
    )


@click.command(short_help="Build, load, show the kernel's messages, unload.")
@click.argument("words", nargs=-1, metavar="[DIR|KO]... [PARAM=VALUE]...")
@common.kernel_option
@click.option("--exec", "command", metavar="COMMAND", help="Run COMMAND in the guest's shell after loading.")
@click.option(
    "--copy",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Copy FILE into the guest, where --exec begins; a program brings its libraries. Repeatable.",
)
@click.option("--keep", is_flag=True, help="A shell in the guest with the modules loaded.")
@click.option("--no-unload", is_flag=True, help="Leave the modules loaded when the guest ends.")
@guest_options
@click.option("-j", "jobs", type=click.IntRange(1), metavar="N", help="Compile N files at a time.")
@common.directory_option
@common.json_option
@common.verbose_option
def command(
    *,
    words: tuple[str, ...],
    kernel_name: str | None,
    command: str | None,
    copy: tuple[Path, ...],
    keep: bool,
    no_unload: bool,
    timeout: float | None,
    memory: int | None,
    cpus: int | None,
    cmdline: str | None,
    cold: bool,
    jobs: int | None,
    directory: Path | None,
    as_json: bool,
) -> int:
    """Build what is a source, load it in a guest, show the kernel's messages, unload.

    \b
      lkm run                              the module source in this directory
      lkm run examples/hello month=May     with a parameter
      lkm run a.ko b.ko b.debug=1          ready modules; b's parameter
      lkm run --exec 'cat /proc/modules'   a command while it is loaded
    """
    from dataclasses import replace

    start = directory or Path()
    sources, parameters = split_words(words, start)
    job = guest_settings(
        read_config(start), timeout=timeout, memory=memory, cpus=cpus, cmdline=cmdline, cold=cold
    )
    if keep and not sys.stdin.isatty():
        raise UsageError("--keep is for a person at a terminal", hint="--exec 'COMMAND'")
    if keep and as_json:
        raise UsageError("--keep is for a person at a terminal, --json is not", hint="leave one out")
    job = replace(
        job,
        command=command,
        copy=copy,
        unload=not no_unload,
        session=_keep if keep else None,
        jobs=jobs,
    )
    need_build = any(source.is_dir() or source.suffix == ".c" for source in sources)
    with common.progress() as bar:
        kernel = find_kernel(kernel_name, start=start, need_build=need_build, progress=bar)
    try:
        result = run(
            sources,
            kernel=kernel,
            parameters=parameters,
            job=job,
            listener=Listener() if as_json else Teller(),
        )
    except BadInputError as error:  # of a source, whose hint is how to build it
        raise BadInputError(error.message, hint=error.hint.replace("lkm build ", "lkm run ")) from error
    if as_json:
        common.emit_json(run_json(result))
    else:
        tell_outcome(result)
    return STATUS.get(result.outcome, 1)


def _keep(guest: Guest) -> None:
    common.note("a shell in the guest; 'exit' or Ctrl-D ends it", dim=True)
    guest.shell(sys.stdin.fileno(), sys.stdout.fileno())
