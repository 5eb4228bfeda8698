# SPDX-License-Identifier: MIT
"""`lkm check`: will it load?  The verdict before the kernel's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli import common
from lkm.errors import BadInputError, UsageError

if TYPE_CHECKING:
    from lkm.kernel import Kernel
    from lkm.verdict import Situation, Verdict

_MANY = 200  # modules that are worth a second process
_PIECE = 32


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("words", nargs=-1, required=True, metavar="FILE|DIR... [PARAM=VALUE]...")
@click.option(
    "--kernel",
    "kernels",
    multiple=True,
    metavar="NAME",
    help="The kernel: host, debian:6.1, a directory, an image. Repeatable.",
)
@click.option(
    "--loaded",
    multiple=True,
    metavar="NAME",
    help="Exactly these modules are loaded. Repeatable. Default: what a module needs is loaded first.",
)
@click.option("--alone", is_flag=True, help="No other module is loaded.")
@click.option("--cmdline", default="", metavar="WORDS", help="The kernel's command line.")
@click.option("--explain", is_flag=True, help="Walk through every check in the kernel's order.")
@common.json_option
def command(
    words: tuple[str, ...],
    *,
    kernels: tuple[str, ...],
    loaded: tuple[str, ...],
    alone: bool,
    cmdline: str,
    explain: bool,
    as_json: bool,
) -> int:
    """Whether a kernel will take a module, and if not: which check refuses it, with what, and what to do.

    Nothing is loaded or started: it is decided from the files. Exit status 1 where a module is refused.

    \b
    lkm check hello.ko                  for the kernel lkm would take
    lkm check build/ --kernel debian:6.1 --kernel debian:6.12
    lkm check dummy --kernel own:mine   the kernel's own module of that name
    lkm check --explain visitor.ko --loaded greeter debug=1
    """
    from lkm.kernel import find_kernel
    from lkm.verdict import Situation

    paths, parameters = _split(words, kernels)
    present = frozenset(name.replace("-", "_") for name in loaded) if loaded or alone else None
    verdicts: list[Verdict] = []
    for name in kernels or (None,):
        with common.progress() as bar:
            kernel = find_kernel(name, need_build=False, progress=bar)
        situation = Situation(loaded=present, cmdline=cmdline)
        files = [path if path.exists() else _find_module(kernel, path) for path in paths]
        verdicts += _check(files, parameters, kernel, situation, explain=explain)
    _show(verdicts, explain=explain, as_json=as_json)
    return int(not all(one.loads for one in verdicts))


def _find_module(kernel: Kernel, word: Path) -> Path:
    """The kernel's own module of that name."""
    from lkm.cli.where import find_module_of

    found = find_module_of(kernel, str(word))
    if found is None:
        raise UsageError(f"{word}: there is no such file, and no such module in {kernel.name}")
    return found


def _split(words: tuple[str, ...], kernels: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    from lkm.cli.words import is_assignment
    from lkm.modtree import iter_module_files

    paths: list[Path] = []
    parameters = [word for word in words if is_assignment(word)]
    which = ["--kernel", kernels[0]] if kernels else []
    for word in words:
        if is_assignment(word):
            continue
        path = Path(word)
        if path.is_dir():
            found = sorted(iter_module_files(path))
            if not found:
                raise BadInputError(
                    f"{word}: there is no module's file in this directory",
                    hint=f"lkm build {shlex.join([*which, word])} prints the path of its .ko; give that",
                )
            paths += found
        elif path.exists() or re.fullmatch(r"[\w-]+", word):
            paths.append(path)
        else:
            raise UsageError(f"{word}: there is no such file or directory")
    if not paths:
        raise UsageError("no module was given", hint="lkm check MODULE.ko")
    return paths, parameters


def _check(
    paths: Sequence[Path],
    parameters: Sequence[str],
    kernel: Kernel,
    situation: Situation,
    *,
    explain: bool,
) -> list[Verdict]:
    from dataclasses import replace

    from lkm.module import module_name
    from lkm.verdict import check_module, read_ground, read_neighbours

    ground = read_ground(kernel)
    # All modules of a kernel's own directory are known already.
    inside = f"{kernel.modules}/" if kernel.modules is not None else None
    others = [path for path in paths if inside is None or not str(path.absolute()).startswith(inside)]
    neighbours = read_neighbours([*others, *_beside(others)])
    given = {module_name(path.name) for path in paths}
    unknown = (situation.loaded or frozenset()) - neighbours.keys() - ground.needs.keys() - given
    if unknown:
        raise UsageError(
            f"--loaded {min(unknown)}: no such module beside the files given or in {kernel.name}",
            hint=f"lkm check {min(unknown)}.ko {paths[0]} --loaded {min(unknown)}",
        )
    situation = replace(situation, neighbours=neighbours)

    def check(path: Path) -> Verdict:
        words = tuple(_for_module(parameters, path))
        found = check_module(path, ground, replace(situation, parameters=words))
        return found if explain else replace(found, steps=())

    return [check(path) for path in paths] if len(paths) < _MANY else _share(check, paths)


def _beside(paths: Sequence[Path]) -> list[Path]:
    """The files beside `paths` that these depend on; a damaged one has none, its verdict says so."""
    from lkm.modtree.beside import find_beside
    from lkm.module import Module, read_module

    modules: list[Module] = []
    for path in paths if len(paths) < _MANY else ():
        with suppress(BadInputError):
            modules.append(read_module(path))
    try:
        return [module.path for module in find_beside(modules)]
    except BadInputError:
        return []


def _share(check: Callable[[Path], Verdict], paths: Sequence[Path]) -> list[Verdict]:
    """The verdicts of many modules, by as many processes as there are processors, in the given order."""
    import multiprocessing
    import os

    count = len(os.sched_getaffinity(0))
    if count < 2:
        return [check(path) for path in paths]
    context = multiprocessing.get_context("fork")  # with all that is known of the kernel at hand
    with context.Pool(count, _asked.append, (check,)) as pool:
        return pool.map(_check_one, paths, chunksize=_PIECE)


# In each process: what is asked of it.
_asked: list[Callable[[Path], Verdict]] = []


def _check_one(path: Path) -> Verdict:
    return _asked[0](path)


def _for_module(parameters: Sequence[str], path: Path) -> list[str]:
    """The words for one module: `name=value`, and `module.name=value` where it is that module."""
    from lkm.module import module_name

    found = []
    for word in parameters:
        key, equals, value = word.partition("=")
        owner, dot, short = key.partition(".")
        if not dot:
            found.append(word)
        elif owner.replace("-", "_") == module_name(path.name):
            found.append(f"{short}{equals}{value}")
    return found


def _show(verdicts: Sequence[Verdict], *, explain: bool, as_json: bool) -> None:
    from lkm.show.verdict import SCHEMA, detail_lines, explain_lines, summary_line, verdict_json, verdict_line

    if as_json:
        rows = [verdict_json(one, explain=explain) for one in verdicts]
        common.emit_json({"schema": SCHEMA, "check": rows})
        return
    for verdict in verdicts:
        if explain:
            for line in explain_lines(verdict):
                click.echo(line)
        colour = "red" if not verdict.loads else "yellow" if verdict.warnings else "green"
        click.secho(verdict_line(verdict), fg=colour)
        if not explain:
            for line in detail_lines(verdict):
                click.echo(line)
    if len(verdicts) > 1:
        common.note(summary_line(verdicts))
