# SPDX-License-Identifier: MIT
"""Which kernel sources and which build directory the configuring verbs work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli import common
from lkm.errors import UsageError
from lkm.kconfig.tree import Tree, find_source, is_tree, read_config_words, read_tree

if TYPE_CHECKING:
    from lkm.kconfig.index import Index


def tree_option(function: common.F) -> common.F:
    """`--tree DIR`."""
    return click.option(
        "--tree", "tree_name", metavar="DIR|VERSION", help="Kernel sources (default: the build directory's)."
    )(function)


def output_option(function: common.F) -> common.F:
    """`-O DIR`."""
    return click.option(
        "-O",
        "output",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="The build directory (default: here).",
    )(function)


def find_tree(tree_name: str | None, output: Path, words: Mapping[str, str] | None = None) -> Tree:
    """The sources that are named, else those of the build directory, else those here.

    ARCH and the compiler are those the build directory is configured for, where `words` has none.
    """
    words = dict(words or {})
    known = read_config_words(output)
    other = "ARCH" in words and words["ARCH"] != known.get("ARCH", words["ARCH"])
    if other or words.keys() & {"CC", "CROSS_COMPILE", "LLVM"}:
        known = {name: value for name, value in known.items() if name == "ARCH"}
    words = {**known, **words}
    if tree_name is not None:
        return read_tree(find_named(tree_name), words)
    source = find_source(output)
    if source is None and is_tree(Path.cwd()):
        source = Path.cwd()
    if source is None:
        raise UsageError(
            f"{output} is no build directory of a kernel, so that its sources are not known",
            hint="--tree DIR; lkm kernel get 6.12 fetches sources",
        )
    return read_tree(source, words)


def find_named(name: str) -> Path:
    """The tree that `name` is: a directory, or a version of the sources in the cache; `UsageError` else."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    from lkm.release.get import list_trees
    from lkm.release.names import is_wanted
    from lkm.version import release_key

    here = list(list_trees())
    fitting = [
        (release_key(record.version), place)
        for place, record in here
        if name in (place.name, record.version) or record.version.startswith(f"{name}.")
    ]
    if fitting:
        return max(fitting)[1]
    if not is_wanted(name):
        raise UsageError(
            f"{name}: no such directory{', and no release of Linux' if '/' not in name else ''}",
            hint="--tree DIR or VERSION; lkm kernel get 6.12 fetches sources",
        )
    known = ", ".join(record.version for _, record in here)
    raise UsageError(
        f"{name}: no such directory, and no sources of that version here"
        + (f" ({known} are)" if known else ""),
        hint=f"lkm kernel get {name}",
    )


def find_output(output: Path | None, *, configured: bool) -> Path:
    """The build directory, absolute; `configured`: raises `UsageError` where it has no .config."""
    place = (output or Path.cwd()).expanduser().absolute()
    if configured and not (place / ".config").is_file():
        make = f"lkm kernel configure -O {place} --tree DIR defconfig"
        hint = make if output is not None else f"-O BUILD names another directory, or {make}"
        raise UsageError(
            f"{place}: no .config there",
            hint=hint,
        )
    return place


def prompt_of(index: Index | None) -> Callable[[str], str]:
    """Gives an option's prompt, "" where the sources are not at hand."""

    def prompt(name: str) -> str:
        symbol = index.find(name) if index is not None else None
        return symbol.prompt if symbol is not None else ""

    return prompt
