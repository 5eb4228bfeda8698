# SPDX-License-Identifier: MIT
"""depmod: the `modules.*` files of a modules directory, whole or only what a change touches.

Source: kmod, tools/depmod.c; man 8 depmod.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError
from lkm.modtree import text
from lkm.modtree.commit import Maker, commit_files
from lkm.modtree.graph import Graph, build_graph, rebuild_graph
from lkm.modtree.index import Index
from lkm.modtree.patch import patch_trie
from lkm.modtree.search import DepmodConfig, read_depmod_config
from lkm.modtree.state import Stamp, State, load_state, save_state
from lkm.modtree.tree import Entry, read_tree, same_files
from lkm.modtree.trie import read_trie

# What else of the directory the files are made from.
_SOURCES = ("modules.order", "modules.builtin", "modules.builtin.modinfo")
# An index that was patched until it is this much bigger than when it was built whole is built anew.
_SLACK = 1.25
_MOST_CHANGES = 2000
# What a second process makes when all are made: about half of the work.
_BESIDE = frozenset(
    {"modules.alias", "modules.alias.bin", "modules.builtin.bin", "modules.builtin.alias.bin"}
)


@dataclass(frozen=True, slots=True)
class DepmodResult:
    """What was done.

    `written`: names of the files that were replaced.  `modules`: how many there are; `read`: how many of
    them were read, the others being as they were.  `problems`: damaged modules, that are listed
    but depend on nothing.
    """

    directory: Path
    written: tuple[str, ...]
    modules: int
    read: int
    problems: tuple[BadInputError, ...] = ()


def run_depmod(
    modules_dir: Path,
    *,
    release: str = "",
    output: Path | None = None,
    config_paths: Sequence[Path] | None = None,
    index: Index | None = None,
    full: bool = False,
    files: Sequence[Path] = (),
    prefix: bytes = b"",
) -> DepmodResult:
    """Writes the `modules.*` files of `modules_dir` into it, or into `output`.

    Modules whose size, modification time and inode are as at the last run are not read again, and files
    that would come out the same are not written; the result is that of a full run.  `full` does all
    anew.  `index` keeps what is known (None: nothing is kept).  `release` is what depmod.d rules are
    matched with (default: the directory's name).  `files`: only these modules, whatever depmod.d says.
    `prefix`: as in `build_graph`.  With either nothing is taken over and nothing kept.

    Raises `BadInputError` where the directory cannot be read or modules need each other in a circle,
    `MissingError` where the files cannot be written.  The old files are then still there.
    """
    config = read_depmod_config(release or modules_dir.name, config_paths)
    target = output or modules_dir
    if files or prefix:
        index = None
    place = f"{modules_dir.resolve()}\0{target.resolve()}"
    old = load_state(index, place, modules_dir) if index and not full else None
    problems: list[BadInputError] = []
    usable = old if old is not None and old.config == config else None
    sources = _stamps(modules_dir, _SOURCES)
    tree, read = read_tree(
        modules_dir,
        config,
        old=usable.tree if usable else None,
        same_order=usable is not None and usable.sources == sources,
        bad=problems.append,
        files=files,
    )
    if usable is not None and (usable.sources != sources or usable.files != _stamps(target, usable.files)):
        usable.files = {}  # changed by others: only what was read of the modules is still good
    graph = rebuild_graph(tree, usable.graph) if usable else build_graph(tree, prefix=prefix)
    if usable is None or graph.needed is not usable.graph.needed:
        graph.check()
    new = State(tree, graph, config, sources=sources)
    made = _changed(usable, new, target) if usable and usable.files else text.builders(graph)
    if made:
        commit_files(target, made, beside=_BESIDE if len(made) > len(_BESIDE) + 2 else ())
    else:
        os.utime(target / "modules.dep")  # newer than the modules, which is what `depmod -A` looks at
    new.files = _stamps(target, text.builders(graph))
    # What was built whole; what was patched keeps the size it had when it was.
    new.sizes = {name: stamp[0] for name, stamp in new.files.items() if name in made} | new.sizes
    if index:
        save_state(index, place, new, usable, read)
    return DepmodResult(modules_dir, tuple(made), len(tree.entries), len(read), tuple(problems))


def depmod_texts(graph: Graph) -> bytes:
    """All text files one after another, as `depmod -n` prints them."""
    made = text.builders(graph)
    return b"".join(make() for name, make in made.items() if not name.endswith(".bin"))


def is_up_to_date(modules_dir: Path) -> bool:
    """Whether `modules.dep` is there and no module is newer (`depmod -A`)."""
    from lkm.modtree.search import find_files

    try:
        made = (modules_dir / "modules.dep").stat().st_mtime_ns
    except OSError:
        return False
    second = 1_000_000_000
    return all(
        found.stamp[1] // second <= made // second for found in find_files(modules_dir, DepmodConfig())
    )


def _changed(old: State, new: State, target: Path) -> dict[str, Maker]:
    """The files that come out otherwise than they are.

    Texts are made anew from what is known, which is quick; of the indexes only the changed keys are.
    """
    make = text.builders(new.graph)
    new.sizes = dict(old.sizes)
    before, after = old.tree.entries, new.tree.entries
    if not same_files(old.tree, new.tree):
        return make  # modules came or went: their numbers, which are in the indexes, are others
    files: dict[str, Maker] = {}
    pairs = [(one, two) for one, two in zip(before, after, strict=True) if one is not two]
    if any(one.aliases != two.aliases for one, two in pairs):
        files["modules.alias"] = _spliced(target / "modules.alias", new, pairs)
        numbers = [
            number for number, (one, two) in enumerate(zip(before, after, strict=True)) if one is not two
        ]
        gone, come = (list(text.alias_entries(tree, numbers)) for tree in (old.tree, new.tree))
        files["modules.alias.bin"] = _patched(target / "modules.alias.bin", new, gone, come)
        if any(text.has_device(one) or text.has_device(two) for one, two in pairs):
            files["modules.devname"] = make["modules.devname"]
    for name, field_name in (("modules.softdep", "softdeps"), ("modules.weakdep", "weakdeps")):
        if any(getattr(one, field_name) != getattr(two, field_name) for one, two in pairs):
            files[name] = make[name]
    if any(one.exports != two.exports for one, two in pairs):
        files["modules.symbols"] = make["modules.symbols"]
        gone, come = _owner_changes(old.graph, new.graph)
        files["modules.symbols.bin"] = _patched(target / "modules.symbols.bin", new, gone, come)
    if (old.graph.needed, old.graph.orders) != (new.graph.needed, new.graph.orders):
        for name in ("modules.dep", "modules.dep.bin"):
            files[name] = make[name]
    return files


def _spliced(path: Path, new: State, pairs: list[tuple[Entry, Entry]]) -> Maker:
    """`modules.alias` with the lines of some modules in the place of those they had."""
    data = path.read_bytes()
    for one, two in pairs:
        before, after = text.alias_lines(one), text.alias_lines(two)
        if not before or data.count(before) != 1:
            return text.builders(new.graph)[path.name]
        data = data.replace(before, after)
    return lambda: data


Key = tuple[bytes, int, bytes]


def _owner_changes(old: Graph, new: Graph) -> tuple[list[Key], list[Key]]:
    def keys(graph: Graph, other: Graph) -> list[Key]:
        names = graph.tree.entries
        return [
            (b"symbol:" + symbol, owner, names[owner].name.encode("utf-8", "surrogateescape"))
            for symbol, owner in graph.owners.items()
            if other.owners.get(symbol) != owner
        ]

    return keys(old, new), keys(new, old)


def _patched(path: Path, new: State, gone: list[Key], come: list[Key]) -> Maker:
    trie = read_trie(path)
    # Where much is changed, or was before, a whole one is smaller and not slower to make.
    if trie is not None and len(gone) + len(come) < _MOST_CHANGES:
        data = patch_trie(trie, gone, come)
        if len(data) <= new.sizes.get(path.name, 0) * _SLACK:
            return lambda: data
    new.sizes.pop(path.name, None)
    return text.builders(new.graph)[path.name]


def _stamps(directory: Path, names: Iterable[str]) -> dict[str, Stamp]:
    found = {}
    for name in names:
        try:
            status = (directory / name).stat()
        except OSError:
            continue
        found[name] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return found
