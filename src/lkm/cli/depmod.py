# SPDX-License-Identifier: MIT
"""`lkm depmod`: the `modules.*` files of a modules directory."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from lkm.cli.common import json_option
from lkm.errors import UsageError


def _path(*, directory: bool = False) -> click.Path:
    return click.Path(path_type=Path, file_okay=not directory)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("version", required=False)
@click.argument("files", nargs=-1, type=_path())
@click.option("-a", "--all", "_all", is_flag=True, expose_value=False, help="All modules (the default).")
@click.option("-A", "--quick", is_flag=True, help="Only if a module is newer than modules.dep.")
@click.option(
    "-b", "--basedir", "base", type=_path(directory=True), metavar="DIR", help="Root, in place of /."
)
@click.option("-m", "--moduledir", "place", metavar="DIR", help="Below the root, in place of lib/modules.")
@click.option("-o", "--outdir", "out", type=_path(directory=True), metavar="DIR", help="Root to write below.")
@click.option(
    "-C",
    "--config",
    multiple=True,
    type=_path(),
    metavar="PATH",
    help="In place of depmod.d; may be repeated.",
)
@click.option("-e", "--errsyms", is_flag=True, help="Report symbols that nothing defines; with -E or -F.")
@click.option("-E", "--symvers", type=_path(), metavar="FILE", help="The kernel's Module.symvers.")
@click.option("-F", "--filesyms", type=_path(), metavar="FILE", help="The kernel's System.map.")
@click.option(
    "-n", "--show", "--dry-run", "show", is_flag=True, help="The texts to standard output, no file."
)
@click.option("-w", "--warn", is_flag=True, help="Warn of symbols that two modules export.")
@click.option("--full", is_flag=True, help="Read every module again, and write every file.")
@json_option
def command(
    version: str | None,
    *,
    files: tuple[Path, ...],
    quick: bool,
    base: Path | None,
    place: str | None,
    out: Path | None,
    config: tuple[Path, ...],
    errsyms: bool,
    symvers: Path | None,
    filesyms: Path | None,
    show: bool,
    warn: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Writes modules.dep, modules.alias, modules.symbols and the rest, as depmod does.

    VERSION is the kernel's release, by default the running one. Only modules that were changed since
    the last time are read, and only files that come out different are written.

    \b
    lkm depmod -b DIR 6.1.0-56-amd64
    lkm depmod -n -e -F System.map 6.1.0-56-amd64
    """
    release = version or os.uname().release
    if not re.match(r"\d+\.\d+", release):
        raise UsageError(f"'{release}' is not a kernel version", hint="lkm depmod 6.1.0-56-amd64")
    if files:
        raise UsageError(
            "single files are not supported: all modules are looked at", hint=f"lkm depmod {release}"
        )
    if errsyms and not (symvers or filesyms):
        raise UsageError("-e needs -E or -F", hint="-e -F System.map")
    directory = _modules_dir(base or Path("/"), place, release, must=True)
    target = _modules_dir(out, place, release, must=False) if out else None
    from lkm.modtree.depmod import depmod_texts, is_up_to_date, run_depmod
    from lkm.modtree.index import Index

    if quick and (show or is_up_to_date(directory)):
        return
    paths = list(config) or None
    if show or errsyms or warn:
        from lkm.modtree.graph import build_graph
        from lkm.modtree.search import read_depmod_config
        from lkm.modtree.tree import read_tree

        problems: list[Exception] = []
        tree, _ = read_tree(directory, read_depmod_config(release, paths), bad=problems.append)
        graph = build_graph(tree)
        if errsyms:
            from lkm.modtree.undefined import find_unmet, read_map_exports, read_symvers_crcs

            known = read_symvers_crcs(symvers) if symvers else read_map_exports(filesyms or Path())
            for unmet in find_unmet(graph, known, versions=symvers is not None):
                click.echo(f"warning: {unmet}", err=True)
        if warn:
            for text in _twice(graph):
                click.echo(f"warning: {text}", err=True)
        if show:
            _warn(problems)
            sys.stdout.flush()
            sys.stdout.buffer.write(depmod_texts(graph))
            return
    result = run_depmod(
        directory, release=release, output=target, config_paths=paths, index=Index(), full=full
    )
    _warn(result.problems)
    if as_json:
        from lkm.cli.common import emit_json

        emit_json(
            {
                "schema": 1,
                "directory": str(directory),
                "modules": result.modules,
                "read": result.read,
                "written": list(result.written),
                "problems": [error.args[0] for error in result.problems],
            }
        )


def _modules_dir(root: Path, place: str | None, release: str, *, must: bool) -> Path:
    from lkm.cli.where import PLACES

    places = [place.strip("/")] if place else list(PLACES)
    for one in places:
        directory = root / one / release
        if directory.is_dir():
            return directory
    if must:
        raise UsageError(
            f"no modules directory {root / places[0] / release}", hint="lkm depmod -b DIR VERSION"
        )
    return root / places[0] / release


def _warn(problems: object) -> None:
    for error in problems if isinstance(problems, (list, tuple)) else ():
        click.echo(f"warning: {error.args[0]}", err=True)


def _twice(graph: object) -> list[str]:
    from lkm.modtree.graph import Graph
    from lkm.modtree.scan import split_texts

    assert isinstance(graph, Graph)
    entries = graph.tree.entries
    return [
        f"symbol {name.decode('utf-8', 'replace')} is exported by {entry.name}"
        f" and {entries[graph.owners[name]].name}"
        for number, entry in enumerate(entries)
        for name in split_texts(entry.exports)
        if graph.owners[name] != number
    ]
