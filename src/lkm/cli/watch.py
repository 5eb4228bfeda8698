# SPDX-License-Identifier: MIT
"""`lkm watch`."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from lkm.cli import common
from lkm.cli.tell import Teller, tell_outcome
from lkm.cli.words import guest_options, guest_settings, split_words
from lkm.config import read_config
from lkm.errors import LkmError
from lkm.guest import Standby
from lkm.job import Job, Listener, Outcome, RunResult, run
from lkm.kbuild import Built
from lkm.kernel import Kernel, find_kernel
from lkm.klog import Record

_NOT_SOURCES = (".o", ".ko", ".mod", ".mod.c", ".cmd", ".symvers", ".order", "~", ".swp", ".tmp")


class Quiet(Listener):
    """Shows diagnostics as they come; the log is compared with the last run's at the end."""

    def built(self, built: Built) -> None:
        Teller().built(built)


def changed_lines(before: Sequence[Record], after: Sequence[Record]) -> list[str]:
    """The kernel's messages that came (`+ `) or went (`- `) from one run to the next; times do not count."""
    old, new = [one.text for one in before], [one.text for one in after]
    return [line for line in difflib.ndiff(old, new) if line.startswith(("+ ", "- "))]


def show_change(before: RunResult, after: RunResult) -> None:
    """What is different from the last run, on standard output."""
    lines = changed_lines(before.log, after.log)
    for line in lines:
        click.secho(line, fg="green" if line.startswith("+") else "red")
    if not lines and before.outcome is after.outcome:
        common.note("the kernel said the same as before", dim=True)


@click.command(short_help="Build and run on every save.")
@click.argument("words", nargs=-1, metavar="[DIR] [PARAM=VALUE]...")
@common.kernel_option
@click.option("--exec", "command", metavar="COMMAND", help="Run COMMAND in the guest's shell after loading.")
@guest_options
@common.directory_option
@common.verbose_option
def command(
    *,
    words: tuple[str, ...],
    kernel_name: str | None,
    command: str | None,
    timeout: float | None,
    memory: int | None,
    cpus: int | None,
    cmdline: str | None,
    cold: bool,
    directory: Path | None,
) -> int:
    """Build and run on every save, and show what changed in the kernel's messages. Ctrl-C ends it."""
    start = directory or Path()
    sources, parameters = split_words(words, start)
    guest = guest_settings(
        read_config(start), timeout=timeout, memory=memory, cpus=cpus, cmdline=cmdline, cold=cold
    )
    job = Job(**guest._asdict(), command=command)
    with common.progress() as bar:
        kernel = find_kernel(kernel_name, start=start, progress=bar)
    _watch(sources, parameters, kernel, job)
    return 0


def is_source(change: object, path: str) -> bool:
    """Whether a changed file can matter: not what make leaves behind, not an editor's own files."""
    name = Path(path).name
    return not name.startswith(".") and not name.endswith(_NOT_SOURCES)


def _watch(sources: list[Path], parameters: list[str], kernel: Kernel, job: Job) -> None:
    from watchfiles import watch

    standby = Standby(kernel, memory=job.memory, cpus=job.cpus, cmdline=job.cmdline)
    last: RunResult | None = None
    began = False
    # The watch stands before the first run, so that no save is missed; saves during a run wait.
    changes = watch(
        *sources, watch_filter=is_source, debounce=50, step=20, rust_timeout=50, yield_on_timeout=True
    )
    with standby:
        for change in changes:
            if not change and began:
                continue
            if began:
                names = sorted({Path(path).name for _, path in change if Path(path).exists()})
                common.note(f"— {time.strftime('%H:%M:%S')} {', '.join(names)}", bold=True)
            last = _once(sources, parameters, kernel, job, last, standby=standby)
            if not began:
                common.note("waiting for a save; Ctrl-C ends it", dim=True)
            began = True
            standby.start()


def _once(
    sources: list[Path],
    parameters: list[str],
    kernel: Kernel,
    job: Job,
    last: RunResult | None,
    *,
    standby: Standby,
) -> RunResult | None:
    """One run; the result to compare the next one with."""
    from lkm.cli import show_error

    listener = Teller() if last is None else Quiet()
    try:
        result = run(
            sources, kernel=kernel, parameters=parameters, job=job, listener=listener, standby=standby
        )
    except LkmError as error:
        show_error(error.message, error.hint)
        return last
    if isinstance(listener, Teller):
        listener.close()
    ran = result.outcome is not Outcome.BUILD_FAILED
    if last is not None and ran:
        show_change(last, result)
    tell_outcome(result)
    sys.stdout.flush()
    return result if ran else last
