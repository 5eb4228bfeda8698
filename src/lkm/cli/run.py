# SPDX-License-Identifier: MIT
"""`lkm run`.

The guest is started before what reads modules and shows results is imported: that is done while it wakes up.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli import common
from lkm.cli.words import by_name, guest_options, guest_settings, split_words
from lkm.config import read_config
from lkm.errors import BadInputError, UsageError
from lkm.guest.start import Settings, begin_clone
from lkm.kernel import find_kernel

if TYPE_CHECKING:
    from lkm.guest import Guest


@click.command(short_help="Build, load, show the kernel's messages, unload.")
@click.argument("words", nargs=-1, metavar="[DIR|FILE.c|KO]... [PARAM=VALUE]...")
@common.kernel_option
@click.option("--exec", "command", metavar="COMMAND", help="Run COMMAND in the guest's shell after loading.")
@click.option(
    "--copy",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Copy FILE into the guest, where --exec begins; a program brings its libraries. Repeatable.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0.0),
    default=0.0,
    metavar="SECONDS",
    help="Before unloading: time for timers, work and threads.",
)
@click.option("--keep", is_flag=True, help="A shell in the guest with the modules loaded.")
@click.option("--no-unload", is_flag=True, help="Leave the modules loaded when the guest ends.")
@click.option("--gdb", is_flag=True, help="Wait for gdb before the init function; prints what to type.")
@click.option("--vscode", is_flag=True, help="As --gdb, for Visual Studio Code: prints its launch entry.")
@click.option(
    "--cycles",
    type=click.IntRange(5),
    metavar="N",
    help="Load and unload N times, 5 at least; status 1 where memory or anything else is left behind.",
)
@click.option("--strict", is_flag=True, help="Status 1 where anything is left behind after unloading.")
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
    wait: float,
    keep: bool,
    no_unload: bool,
    cycles: int | None,
    strict: bool,
    gdb: bool,
    vscode: bool,
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
      lkm run dummy --kernel own:mine      the kernel's own module of that name
      lkm run --exec 'cat /proc/modules'   a command while it is loaded
      lkm run --wait 5                     time for its timers before it is unloaded
      lkm run --cycles 100 examples/hello  a hundred times: is memory lost?
      lkm run --gdb examples/hello         step through it with gdb
    """
    start = directory or Path()
    sources, parameters = split_words(words, start, find=by_name(kernel_name, start))
    guest = guest_settings(
        read_config(start), timeout=timeout, memory=memory, cpus=cpus, cmdline=cmdline, cold=cold
    )
    if keep and not sys.stdin.isatty():
        raise UsageError("--keep is for a person at a terminal", hint="--exec 'COMMAND'")
    if keep and as_json:
        raise UsageError("--keep is for a person at a terminal, --json is not", hint="leave one out")
    if (gdb or vscode) and as_json:
        raise UsageError("--gdb is for a person with a debugger, --json is not", hint="leave one out")
    if (gdb or vscode) and cycles:
        raise UsageError("--gdb stops in one load, --cycles makes many", hint="leave one out")
    if cycles and (no_unload or keep):
        raise UsageError("--cycles unloads each time", hint="leave --no-unload and --keep out")
    need_build = any(source.is_dir() or source.suffix == ".c" for source in sources)
    with common.progress() as bar:
        kernel = find_kernel(kernel_name, start=start, need_build=need_build, progress=bar)
    if cycles:
        from lkm.leftovers.cycles import cycles_cmdline

        guest = guest._replace(cmdline=cycles_cmdline(guest.cmdline, kernel))
    begun = begin_clone(Settings(kernel, guest.memory, guest.cpus, guest.cmdline, guest.template))

    from lkm.cli.tell import STATUS, Teller, tell_outcome
    from lkm.job import Job, Listener, run
    from lkm.show.run import run_json

    job = Job(
        **guest._asdict(),
        command=command,
        copy=copy,
        wait=wait,
        unload=not no_unload,
        session=_keep if keep else None,
        jobs=jobs,
        cycles=cycles or 0,
        gdb=gdb or vscode,
        vscode=vscode,
    )
    teller = Teller()
    try:
        result = run(
            sources,
            kernel=kernel,
            parameters=parameters,
            job=job,
            listener=Listener() if as_json else teller,
            begun=begun,
        )
    except BadInputError as error:  # of a source, whose hint is how to build it
        raise BadInputError(error.message, hint=error.hint.replace("lkm build ", "lkm run ")) from error
    if as_json:
        common.emit_json(run_json(result))
    else:
        teller.close()
        tell_outcome(result)
    if result.ok and (strict or cycles) and not result.clean:
        return 1
    return STATUS.get(result.outcome, 1)


def _keep(guest: Guest) -> None:
    common.note("a shell in the guest; 'exit' or Ctrl-D ends it", dim=True)
    guest.shell(sys.stdin.fileno(), sys.stdout.fileno())
