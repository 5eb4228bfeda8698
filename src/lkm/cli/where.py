# SPDX-License-Identifier: MIT
"""Which modules directory a verb is about: `--kernel`, or `-b` and `-k` as modinfo and depmod have them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lkm.errors import BadInputError, MissingError, UsageError

if TYPE_CHECKING:
    from lkm.kernel import Kernel
    from lkm.modtree.plan import Planner

F = TypeVar("F", bound=Callable[..., Any])
PLACES = ("lib/modules", "usr/lib/modules")


def release_options(function: F) -> F:
    """`-k RELEASE` and `-b DIR`."""
    function = click.option(
        "-k", "--set-version", "release", metavar="RELEASE", help="This release instead of the running one."
    )(function)
    return click.option(
        "-b",
        "--basedir",
        "base",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Root of the file system that has lib/modules.",
    )(function)


def find_modules_dir(
    *, kernel: str | None = None, base: Path | None = None, release: str | None = None
) -> Path:
    """The modules directory that the options name; by default that of the kernel `lkm` would take.

    Raises `UsageError` where there is none, `MissingError` where a kernel has no modules at hand.
    """
    if base is not None or release is not None:
        if kernel is not None:
            raise UsageError("--kernel cannot go together with -b or -k")
        return _in_root(base or Path("/"), release or os.uname().release)
    if kernel is None:
        try:
            return _in_root(Path("/"), os.uname().release)
        except UsageError:
            pass
    from lkm.kernel import find_kernel

    found = find_kernel(kernel, need_build=False)
    if found.modules is None:
        raise MissingError(f"kernel {found.name} has no modules at hand", hint="lkm kernel list")
    return found.modules


def _in_root(root: Path, release: str) -> Path:
    for place in PLACES:
        directory = root / place / release
        if directory.is_dir():
            return directory
    raise UsageError(
        f"no modules directory {root / PLACES[0] / release}", hint="lkm kernel list, and --kernel NAME"
    )


def _file_hint(word: str) -> str:
    """What to type instead of a word that is neither a module's name nor its file."""
    if Path(word).is_dir():
        return f"lkm build {word} prints the path of its .ko; give that"
    return "give a file, or --kernel NAME"


def is_module_path(word: str) -> bool:
    """Whether a word of the command line is a file rather than a module's name."""
    path = Path(word)
    if path.is_file():
        return True
    if "/" in word or word.endswith((".ko", ".ko.gz", ".ko.xz", ".ko.zst")):
        if path.is_dir():
            raise BadInputError(f"{word} is a directory, not a module's file", hint=_file_hint(word))
        raise BadInputError(f"{word}: no such file")
    return False


def find_module_file(
    word: str, *, kernel: str | None = None, base: Path | None = None, release: str | None = None
) -> Path:
    """The file that a word means: itself, or the module of that name (or alias) in the modules directory.

    Raises `BadInputError` where there is none, or the module is built into the kernel.
    """
    if is_module_path(word):
        return Path(word)
    from lkm.modtree.lookup import Lookup

    directory = find_modules_dir(kernel=kernel, base=base, release=release)
    found = Lookup(directory).find(word)
    if not found:
        raise BadInputError(f"no module '{word}' in {directory}", hint=_file_hint(word))
    if found[0].path is None:
        raise BadInputError(f"{found[0].name} is built into the kernel: it has no module file")
    return found[0].path


def find_named_module(word: str, *, kernel: str | None, start: Path) -> Path | None:
    """The file of the kernel's own module `word`, None where it has none of that name; nothing is fetched.

    Raises `BadInputError` where it is built in, or was not built, and as `find_kernel` does.
    """
    from lkm.kernel import find_kernel

    if re.fullmatch(r"[\w-]+", word) is None:
        return None
    try:
        return find_module_of(find_kernel(kernel, start=start, fetch=False, need_build=False), word)
    except MissingError:
        return None


def find_module_of(kernel: Kernel, word: str) -> Path | None:
    """As `find_named_module`, of a kernel that was found."""
    from lkm.modtree.builtin import built_in_modules
    from lkm.modtree.find import ModuleFiles, fold_name

    if kernel.modules is None:
        return None
    path = ModuleFiles(kernel.modules).find(word, walk=False)
    if path is None and fold_name(word) in built_in_modules(kernel.modules):
        raise BadInputError(f"{word} is built into {kernel.name}: there is nothing to load")
    return path


def find_planner(
    directory: Path, words: Sequence[str], config: Sequence[str | Path] | None
) -> tuple[Planner, list[str]]:
    """A planner for a modules directory, and the names that the words of the command line mean.

    A word that is a file adds it to the directory's modules, in the place of one with the same name, and
    those beside it that it depends on.  Raises `BadInputError` for a name or a file that is not there.
    """
    from lkm.modtree.beside import find_beside
    from lkm.modtree.index import Index, fresh_tree
    from lkm.modtree.plan import Planner
    from lkm.modtree.probe import read_probe_config
    from lkm.modtree.text import build_softdeps, build_weakdeps
    from lkm.modtree.tree import add_file
    from lkm.module import read_module

    tree, _ = fresh_tree(Index(), directory, bad=lambda error: None)
    files = [Path(word) for word in words if is_module_path(word)]
    modules = [read_module(path) for path in files]
    modules = [*find_beside(modules), *modules]
    given = {}
    for module in modules:
        tree, given[module.path] = add_file(tree, module.path)
    names = [given.get(Path(word), word) for word in words]
    found = read_probe_config(
        None,
        config,
        softdeps=build_softdeps(tree).decode("utf-8", "surrogateescape"),
        weakdeps=build_weakdeps(tree).decode("utf-8", "surrogateescape"),
    )
    planner = Planner(tree, found)
    for name in names:
        if not planner.find(name):
            raise BadInputError(f"no module '{name}' in {directory}", hint=_file_hint(name))
    for module in modules:
        for need in module.depends:
            if not planner.find(need):
                raise BadInputError(
                    f"{module.name} depends on {need}, which is neither beside it nor in {directory}",
                    hint=f"name its file too, as in: {need}.ko {module.path}",
                )
    return planner, names
