# SPDX-License-Identifier: MIT
"""`lkm depmod`: the `modules.*` files of a modules directory."""

from __future__ import annotations

import gc
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
@click.argument("words", nargs=-1, metavar="[VERSION] [FILE]...")
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
@click.option("-P", "--symbol-prefix", "prefix", metavar="LETTER", help="What begins each symbol's name.")
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
    words: tuple[str, ...],
    *,
    prefix: str | None,
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

    VERSION is the kernel's release, by default the running one. With FILEs (absolute) only these modules
    are looked at. Otherwise only modules that were changed since the last time are read, and only files
    that come out different are written.

    \b
    lkm depmod -b DIR 6.1.0-56-amd64
    lkm depmod -n -e -F System.map 6.1.0-56-amd64
    """
    gc.disable()  # tens of thousands of values, none of them garbage before the end
    release, files = _split(words)
    if prefix is not None and len(prefix) != 1:
        raise UsageError(f"-P takes a single letter, not '{prefix}'", hint="-P _")
    start = (prefix or "").encode("utf-8", "surrogateescape")
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
        tree, _ = read_tree(directory, read_depmod_config(release, paths), bad=problems.append, files=files)
        graph = build_graph(tree, prefix=start)
        if errsyms:
            from lkm.modtree.undefined import find_unmet, read_map_exports, read_symvers_crcs

            if symvers:
                known = read_symvers_crcs(symvers)
            else:
                exports = read_map_exports(filesyms or Path())
                known = {name.removeprefix(start): crc for name, crc in exports.items()}
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
        directory,
        release=release,
        output=target,
        config_paths=paths,
        index=Index(),
        full=full,
        files=files,
        prefix=start,
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


def _split(words: tuple[str, ...]) -> tuple[str, list[Path]]:
    """The release, the running one by default, and the files."""
    release, rest = os.uname().release, words
    if words and re.match(r"\d+\.\d+", words[0]):
        release, rest = words[0], words[1:]
    for word in rest:
        if not word.startswith("/"):
            what = f"'{word}' is neither a kernel version nor an absolute path"
            raise UsageError(what, hint="lkm depmod 6.1.0-56-amd64")
    return release, [Path(word) for word in rest]


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
