# SPDX-License-Identifier: MIT
"""What a run of depmod leaves for the next one, kept in the index.

The modules' facts take megabytes, and most runs change a few of them: those are kept beside the whole until
there are many.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lkm.modtree.graph import Graph
from lkm.modtree.index import Index, pack_tree, unpack_tree
from lkm.modtree.search import DepmodConfig, Walked
from lkm.modtree.tree import Entry, Tree, same_files

_MOST_BESIDE = 100  # modules

Stamp = tuple[int, int, int]


@dataclass
class State:
    """The tree, its graph, and the files that were written.

    `files` and `sources`: size, modification time and inode of the files written, and of the others of the
    directory that they were made from.  `sizes`: of the indexes when they were last built whole.
    `base`, `beside`: which whole is kept, and the modules that were changed since, by path; `base_names`:
    how many names the whole has.
    """

    tree: Tree
    graph: Graph
    config: DepmodConfig
    files: dict[str, Stamp] = field(default_factory=dict)
    sources: dict[str, Stamp] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    base: str = ""
    base_names: int = 0
    beside: dict[str, Entry] = field(default_factory=dict)


def save_state(index: Index, place: str, state: State, old: State | None, read: list[Entry]) -> None:
    """Keeps a state; `old` is the one it came from, `read` the modules that were read since."""
    config = state.config
    plain = (config.search, config.overrides, config.external, tuple(sorted(config.exclude)))
    graph = state.graph
    if (
        old is not None
        and old.base
        and len(old.beside) + len(read) <= _MOST_BESIDE
        and same_files(old.tree, state.tree)
    ):
        state.base, state.base_names = old.base, old.base_names
        state.beside = old.beside | {entry.path: entry for entry in read}
    else:
        state.base = str(time.time_ns())
        index.save(place, "depmod-tree", pack_tree(state.tree), state.base)
        state.base_names = len(state.tree.names)
    # Names only grow while a whole is kept: what is beside it has those from its end on.
    names = b"\0".join(state.tree.names[state.base_names :])
    index.save(
        place,
        "depmod",
        (
            state.base,
            [tuple(entry) for entry in state.beside.values()],
            names,
            graph.needed,
            graph.orders,
            plain,
            state.files,
            state.sources,
            state.sizes,
            state.tree.walked and tuple(state.tree.walked),
        ),
    )


def load_state(index: Index, place: str, modules_dir: Path) -> State | None:
    """The state that was kept, None where there is none that is whole."""
    found: Any = index.load(place, "depmod")
    if found is None:
        return None
    base, beside, names, needed, orders, plain, files, sources, sizes, walked = found
    packed = index.load(place, "depmod-tree", base)
    if packed is None:
        return None
    tree = unpack_tree(modules_dir, packed)
    base_names = len(tree.names)
    changed = {entry[0]: Entry._make(entry) for entry in beside}
    if changed:
        entries = [changed.get(entry.path, entry) for entry in tree.entries]
        tree = Tree(modules_dir, entries, [*tree.names, *(names.split(b"\0") if names else ())])
    if walked is not None:
        tree.walked = Walked(*walked)
    search, overrides, external, exclude = plain
    config = DepmodConfig(search, overrides, external, frozenset(exclude))
    graph = Graph(tree, None, needed, orders)
    return State(tree, graph, config, files, sources, sizes, base, base_names, changed)
