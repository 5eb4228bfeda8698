# SPDX-License-Identifier: MIT
"""`lkm shell`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lkm.cli import common
from lkm.cli.tell import Teller
from lkm.cli.words import by_name, guest_options, guest_settings, split_words
from lkm.config import read_config
from lkm.errors import UsageError
from lkm.guest import Guest
from lkm.job import iter_modules
from lkm.job.order import plan_load
from lkm.kbuild import Built
from lkm.kernel import find_kernel


@click.command(short_help="A terminal in a guest.")
@click.argument("words", nargs=-1, metavar="[DIR|KO]...")
@common.kernel_option
@guest_options
@common.directory_option
@common.verbose_option
def command(
    *,
    words: tuple[str, ...],
    kernel_name: str | None,
    timeout: float | None,
    memory: int | None,
    cpus: int | None,
    cmdline: str | None,
    cold: bool,
    directory: Path | None,
) -> int:
    """A terminal in a guest, with the built modules (and what they depend on) in the directory it starts in.

    Without DIR or KO: the module source here where there is one, else just the guest. Ctrl-D ends it.
    """
    if not sys.stdin.isatty():
        raise UsageError("lkm shell is for a person at a terminal", hint="lkm run --exec 'COMMAND'")
    start = directory or Path()
    sources, parameters = split_words(words, start, find=by_name(kernel_name, start))
    if parameters:
        raise UsageError(
            f"'{parameters[0]}': parameters are given in the shell: insmod NAME.ko {parameters[0]}"
        )
    if not words and not any((start / name).exists() for name in ("Makefile", "Kbuild")):
        sources = []
    settings = guest_settings(
        read_config(start), timeout=timeout, memory=memory, cpus=cpus, cmdline=cmdline, cold=cold
    )
    with common.progress() as bar:
        kernel = find_kernel(kernel_name, start=start, need_build=bool(sources), progress=bar)
    modules: list[Path] = []
    for part in iter_modules(sources, kernel=kernel):
        if isinstance(part, Built):
            Teller().built(part)
            if not part.ok:
                return 1
            modules += part.modules
        else:
            modules.append(part)
    modules = list(plan_load(modules, modules_dir=kernel.modules).paths)
    guest = Guest(kernel, **settings._asdict())
    if not guest.begin() and settings.template:
        Teller().booting(kernel)
    with guest:
        for path in modules:
            guest.copy_in(path, f"/root/{path.name}")
        common.note(f"{kernel.release} ({guest.accelerator}); exit or Ctrl-D ends it", dim=True)
        if modules:
            common.note(f"here: {' '.join(path.name for path in modules)}", dim=True)
        return guest.shell(sys.stdin.fileno(), sys.stdout.fileno())
