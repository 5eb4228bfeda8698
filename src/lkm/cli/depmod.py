# SPDX-License-Identifier: MIT
"""`lkm depmod`: the `modules.*` files of a modules directory."""

from __future__ import annotations

import gc
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli.common import json_option
from lkm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.modtree.graph import Graph
    from lkm.modtree.search import DepmodConfig


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
    from lkm.modtree.search import read_depmod_config

    if quick and (show or is_up_to_date(directory)):
        return
    paths = list(config) or None
    if show or errsyms or warn:
        graph, problems = _read_graph(directory, read_depmod_config(release, paths), files, start)
        if errsyms:
            _warn_unmet(graph, symvers, filesyms, start)
        if warn:
            _warn(_twice(graph))
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
    problems = [error.message for error in result.problems]
    _warn(problems)
    if as_json:
        from lkm.cli.common import emit_json

        emit_json(
            {
                "schema": 1,
                "directory": str(directory),
                "modules": result.modules,
                "read": result.read,
                "written": list(result.written),
                "problems": problems,
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


def _warn(texts: Iterable[object]) -> None:
    for text in texts:
        click.echo(f"warning: {text}", err=True)


def _read_graph(
    directory: Path, config: DepmodConfig, files: list[Path], prefix: bytes
) -> tuple[Graph, list[str]]:
    """The graph of a directory, and what is wrong with modules of it."""
    from lkm.modtree.graph import build_graph
    from lkm.modtree.tree import read_tree

    problems: list[str] = []
    tree, _ = read_tree(directory, config, bad=lambda error: problems.append(error.message), files=files)
    return build_graph(tree, prefix=prefix), problems


def _warn_unmet(graph: Graph, symvers: Path | None, filesyms: Path | None, prefix: bytes) -> None:
    from lkm.modtree.undefined import find_unmet, read_map_exports, read_symvers_crcs

    if symvers is not None:
        known = read_symvers_crcs(symvers)
    else:
        exports = read_map_exports(filesyms or Path())
        known = {name.removeprefix(prefix): crc for name, crc in exports.items()}
    _warn(find_unmet(graph, known, versions=symvers is not None))


def _twice(graph: Graph) -> list[str]:
    from lkm.modtree.scan import split_texts

    entries = graph.tree.entries
    return [
        f"symbol {name.decode('utf-8', 'replace')} is exported by {entry.name}"
        f" and {entries[graph.owners[name]].name}"
        for number, entry in enumerate(entries)
        for name in split_texts(entry.exports)
        if graph.owners.get(name, number) != number
    ]
