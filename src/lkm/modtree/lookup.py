# SPDX-License-Identifier: MIT
"""From a name as a person or a device writes it to modules: names, symbols, aliases, built-in ones.

Source of the order: kmod, libkmod-module.c `kmod_module_new_from_lookup`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lkm.modtree.builtin import Information, built_in_modules, read_built_in_information
from lkm.modtree.find import ModuleFiles, fold_name
from lkm.modtree.scan import split_texts
from lkm.modtree.text import alias_entries, fold_alias
from lkm.modtree.tree import Tree, read_tree
from lkm.modtree.trie import Trie, build_trie, read_trie


@dataclass(frozen=True, slots=True)
class Named:
    """A module that a name leads to: `path` None where built in, `alias` what led to it or ""."""

    name: str
    path: Path | None
    alias: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it is part of the kernel image."""
        return self.path is None


class Lookup:
    """Finds modules of one directory by name.

    The indexes of depmod serve where they are there and not older than the modules; else the modules
    themselves are read (`tree`, made once where it is not given).
    """

    def __init__(self, modules_dir: Path, *, tree: Tree | None = None) -> None:
        self.modules_dir = modules_dir
        self._given = tree

    @cached_property
    def tree(self) -> Tree:
        """All modules of the directory; damaged ones are there without facts."""
        return self._given or read_tree(self.modules_dir, bad=lambda error: None)[0]

    @cached_property
    def built_in(self) -> frozenset[str]:
        """Names of the built-in modules."""
        return built_in_modules(self.modules_dir)

    @cached_property
    def built_in_information(self) -> dict[str, Information]:
        """What each built-in module says of itself."""
        return read_built_in_information(self.modules_dir)

    @cached_property
    def _files(self) -> ModuleFiles:
        return ModuleFiles(self.modules_dir)

    @cached_property
    def _aliases(self) -> Trie:
        return self._index("modules.alias.bin") or Trie(build_trie(alias_entries(self.tree)))

    @cached_property
    def _symbols(self) -> Trie:
        found = self._index("modules.symbols.bin")
        if found is not None:
            return found
        return Trie(
            build_trie(
                (b"symbol:" + symbol, number, entry.name.encode())
                for number, entry in enumerate(self.tree.entries)
                for symbol in split_texts(entry.exports)
            )
        )

    @cached_property
    def _built_in_aliases(self) -> Trie:
        def entries() -> Iterator[tuple[bytes, int, bytes]]:
            for name, pairs in self.built_in_information.items():
                for key, value in pairs:
                    folded = fold_alias(value.encode("utf-8", "surrogateescape")) if key == "alias" else None
                    if folded:
                        yield folded, 0, name.encode("utf-8", "surrogateescape")

        return Trie(build_trie(entries()))

    def _index(self, name: str) -> Trie | None:
        return None if self._given else read_trie(self.modules_dir / name)

    def find_name(self, name: str) -> Named | None:
        """The module, or built-in module, of that name; dashes and underscores alike."""
        folded = fold_name(name)
        if "/" in folded:
            return None
        path = self._files.find(folded, walk=folded not in self.built_in)
        if path is not None:
            return Named(folded, path)
        return Named(folded, None) if folded in self.built_in else None

    def find(self, name: str) -> list[Named]:
        """The modules that `name` stands for: a module's name, `symbol:NAME`, or an alias; [] for none."""
        direct = self.find_name(name)
        if direct is not None and not direct.built_in:
            return [direct]
        folded = fold_alias(name.encode("utf-8", "surrogateescape"))
        if folded is None:
            return []
        found: list[bytes] = []
        if folded.startswith(b"symbol:"):
            found = [value for _, value in self._symbols.search(folded)]
        found = found or [value for _, value in self._aliases.search_patterns(folded)]
        if found:
            names = dict.fromkeys(value.decode("utf-8", "surrogateescape") for value in found)
            return [Named(one, self._files.find(one), name) for one in names]
        if direct is not None:
            return [direct]
        values = [value for _, value in self._built_in_aliases.search_patterns(folded)]
        return [Named(one.decode("utf-8", "surrogateescape"), None, name) for one in dict.fromkeys(values)]


def open_lookup(modules_dir: Path) -> Lookup:
    """A lookup that need not read modules again: by depmod's indexes, else by what the cache keeps of them.

    Modules that no depmod has seen, as those of a package unpacked by hand, are packed and many.  Raises
    `BadInputError` where the directory cannot be read.
    """
    if (modules_dir / "modules.alias.bin").is_file():
        return Lookup(modules_dir)
    from lkm.modtree.index import Index, fresh_tree

    return Lookup(modules_dir, tree=fresh_tree(Index(), modules_dir, bad=lambda error: None)[0])
