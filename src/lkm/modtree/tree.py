# SPDX-License-Identifier: MIT
"""A modules directory read once: the facts of every module that counts, in the kernel's build order."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from lkm.errors import BadInputError
from lkm.modtree.built import read_order
from lkm.modtree.scan import scan_file
from lkm.modtree.search import (
    DepmodConfig,
    Found,
    Stamp,
    Walked,
    choose_files,
    find_changed,
    given_files,
    walk_files,
)
from lkm.module import module_name

_PADDED = 56  # what a name in `__versions` is padded to


class Entry(NamedTuple):
    """One module of a directory: where it is, whether it changed, and its facts (see `scan.Facts`).

    `path`: relative to the directory, absolute outside it.  `imports`: numbers of names in `Tree.names`,
    u32 each, in the symbol table's order where `ordered`.
    """

    path: str
    name: str
    stamp: tuple[int, int, int]
    aliases: bytes
    softdeps: bytes
    weakdeps: bytes
    exports: bytes
    imports: bytes
    ordered: bool


class Tree:
    """The modules of a directory.

    `names`: every symbol name that is imported, by its number.  `walked`: of the walk that found them; None
    where they are not all that it found.
    """

    def __init__(
        self, directory: Path, entries: list[Entry], names: list[bytes], walked: Walked | None = None
    ) -> None:
        self.walked = walked
        self.directory = directory
        self.entries = entries
        self.names = names

    def path(self, entry: Entry) -> Path:
        """Where the file of an entry is."""
        return self.directory / entry.path


class _Names(dict[bytes, int]):
    """Numbers names as they are first seen."""

    def __missing__(self, name: bytes) -> int:
        number = self[name] = len(self)
        return number


def read_tree(
    directory: Path,
    config: DepmodConfig | None = None,
    *,
    old: Tree | None = None,
    same_order: bool = False,
    bad: Callable[[BadInputError], None] | None = None,
    files: Sequence[Path] = (),
) -> tuple[Tree, list[Entry]]:
    """The modules of a directory (with `files`, only these), and those of them that had to be read.

    What `old` knows of files whose size, modification time and inode are as they were is taken over;
    `same_order` says that `modules.order` and `config` are as they were too.  `bad` is called for a
    damaged module, which is then there without facts; without it the error is raised.  Also raises
    `BadInputError` where the directory cannot be read.
    """
    config = config or DepmodConfig()
    if old is not None and old.walked is not None and same_order and not files:
        changed = find_changed(directory, config, old.walked, old.entries)
        if changed is not None:
            return _read_again(directory, old, changed, bad)
    walked = None
    if files:
        found = sort_files(directory, given_files(directory, files))
    else:
        all_files, walked = walk_files(directory, config)
        found = sort_files(directory, choose_files(all_files, config))
        walked = walked if len(found) == len(all_files) else None
    known = {entry.path: entry for entry in old.entries} if old else {}
    names = _Names()
    entries: list[Entry] = []
    read: list[Entry] = []
    for file in found:
        entry = known.get(file.path)
        if entry is None or entry.stamp != file.stamp:
            if old is not None and not read:
                names = _numbered(old)
            entry = read_entry(directory, file, names, bad, padded=old is None)
            read.append(entry)
        entries.append(entry)
    if old is None:
        return Tree(directory, entries, [name.rstrip(b"\0") for name in names], walked), read
    return Tree(directory, entries, list(names) if read else old.names, walked), read


def _read_again(
    directory: Path,
    old: Tree,
    changed: list[tuple[int, Stamp]],
    bad: Callable[[BadInputError], None] | None,
) -> tuple[Tree, list[Entry]]:
    """The tree where only these files are other ones than before."""
    if not changed:
        return Tree(directory, old.entries, old.names, old.walked), []
    names = _numbered(old)
    entries = list(old.entries)
    for number, stamp in changed:
        before = entries[number]
        entries[number] = read_entry(directory, Found(before.path, before.name, stamp), names, bad)
    return Tree(directory, entries, list(names), old.walked), [entries[number] for number, _ in changed]


def _numbered(tree: Tree) -> _Names:
    return _Names(zip(tree.names, range(len(tree.names)), strict=True))


def same_files(one: Tree, two: Tree) -> bool:
    """Whether two trees of a directory have the same files in the same order, changed or not."""
    if len(one.entries) != len(two.entries):
        return False
    pairs = zip(one.entries, two.entries, strict=True)
    return all(
        before is after or (before.path, before.name) == (after.path, after.name) for before, after in pairs
    )


def read_entry(
    directory: Path,
    file: Found,
    names: _Names,
    bad: Callable[[BadInputError], None] | None = None,
    *,
    padded: bool = False,
) -> Entry:
    """The entry of one file; its imported names are added to `names`.

    `padded`: those names have NULs up to 56 bytes, as in `__versions`: for all modules of a directory this
    is quicker than to take them off each time.
    """
    place = file.path if file.path.startswith("/") else f"{directory}/{file.path}"
    try:
        facts = scan_file(place)
    except BadInputError as error:
        if bad is None:
            raise
        bad(error)
        return Entry(*file, b"", b"", b"", b"", b"", True)
    imports = facts.imports
    if padded and facts.ordered:
        imports = [name.ljust(_PADDED, b"\0") for name in imports]
    elif not padded and not facts.ordered:
        imports = [name.rstrip(b"\0") for name in imports]
    numbers = array("I", map(names.__getitem__, imports))
    return Entry(
        *file,
        facts.aliases,
        facts.softdeps,
        facts.weakdeps,
        facts.exports,
        numbers.tobytes(),
        facts.ordered,
    )


def sort_files(directory: Path, files: Iterable[Found]) -> list[Found]:
    """In the order of `modules.order`, then those that it does not have, by path.

    A compressed module takes the place of the `.ko` that the file names.
    """
    lines = read_order(directory)
    place = {line: number for number, line in reversed([*enumerate(lines)])}

    def key(file: Found) -> tuple[int, str]:
        head, _, name = file.path.rpartition("/")
        plain = f"{head}/{name.partition('.')[0]}.ko" if head else f"{name.partition('.')[0]}.ko"
        return place.get(plain, len(lines)), file.path

    return sorted(files, key=key)


def add_file(tree: Tree, path: Path) -> tuple[Tree, str]:
    """The tree with one more module, in the place of the one with its name; and that name.

    Raises `BadInputError` where the file is damaged or no module.
    """
    names = _numbered(tree)
    try:
        status = path.stat()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
    found = Found(str(path.absolute()), module_name(path.name), stamp)
    entry = read_entry(tree.directory, found, names)
    entries = [one for one in tree.entries if one.name != entry.name]
    return Tree(tree.directory, [*entries, entry], list(names)), entry.name
