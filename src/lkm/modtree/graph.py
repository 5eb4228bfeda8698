# SPDX-License-Identifier: MIT
"""Which module needs which, by the symbols they import and export, and in the order that depmod has.

Source: kmod, tools/depmod.c (`depmod_load_module_dependencies`, `depmod_calculate_dependencies`).  The same
order matters: `modules.dep` then is the same text, and modprobe loads in the same order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from functools import cached_property

from lkm.errors import BadInputError
from lkm.modtree.scan import read_import_order, split_texts
from lkm.modtree.tree import Entry, Tree


class Graph:
    """Dependencies between the modules of a tree, by their numbers in `Tree.entries`.

    `first_direct`: for each module, those whose symbols it uses, in the order in which it first names one.
    """

    def __init__(
        self, tree: Tree, owners: dict[bytes, int] | None, first_direct: list[tuple[int, ...]]
    ) -> None:
        self.tree = tree
        self._owners = owners
        self.first_direct = first_direct
        self._all: dict[int, frozenset[int]] = {}

    @cached_property
    def owners(self) -> dict[bytes, int]:
        """The module that exports each symbol."""
        return self._owners if self._owners is not None else find_owners(self.tree.entries)

    @cached_property
    def position(self) -> list[int]:
        """Of each module, in an order where every module comes before what it needs: depmod's own order.

        Raises `BadInputError` where modules need each other in a circle.
        """
        return _sort(self.tree, self.first_direct)

    @cached_property
    def direct(self) -> list[tuple[int, ...]]:
        """For each module, those whose symbols it uses, by position."""
        order = self.position
        return [
            tuple(sorted(needs, key=order.__getitem__)) if len(needs) > 1 else needs
            for needs in self.first_direct
        ]

    def needs(self, number: int) -> list[int]:
        """All that a module needs, directly or not, to be loaded from the last to the first."""
        found = self._closure(number)
        return sorted(found, key=self.position.__getitem__) if len(found) > 1 else list(found)

    def _closure(self, number: int) -> frozenset[int]:
        known = self._all.get(number)
        if known is None:
            direct = self.direct[number]
            # There is no circle (see `_sort`), and chains are short: 30 at most in real kernels.
            known = frozenset(direct).union(*map(self._closure, direct)) if direct else _NOTHING
            self._all[number] = known
        return known

    def users(self) -> list[list[int]]:
        """For each module, those that use its symbols directly."""
        found: list[list[int]] = [[] for _ in self.direct]
        for number, needs in enumerate(self.direct):
            for need in needs:
                found[need].append(number)
        return found


_NOTHING: frozenset[int] = frozenset()


def find_owners(entries: Iterable[Entry]) -> dict[bytes, int]:
    """The module that exports each name; of several the last one, as for depmod."""
    owners: dict[bytes, int] = {}
    for number, entry in enumerate(entries):
        if entry.exports:
            for name in split_texts(entry.exports):
                owners[name] = number
    return owners


def build_graph(tree: Tree) -> Graph:
    """The graph of a tree; raises `BadInputError` where modules need each other in a circle."""
    owners = find_owners(tree.entries)
    owner_of = [owners.get(name, -1) for name in tree.names]
    direct = [_direct(tree, owners, owner_of, number) for number in range(len(tree.entries))]
    graph = Graph(tree, owners, direct)
    graph.position  # noqa: B018 - raises where there is a circle
    return graph


def rebuild_graph(tree: Tree, old: Graph) -> Graph:
    """The graph of a tree of which `old.tree` is an earlier state; looks only at what changed."""
    before, after = old.tree.entries, tree.entries
    if len(before) != len(after) or any(
        one is not two and (one.path, one.name) != (two.path, two.name)
        for one, two in zip(before, after, strict=True)
    ):
        return build_graph(tree)
    changed = [number for number, (one, two) in enumerate(zip(before, after, strict=True)) if one is not two]
    if not changed:
        return Graph(tree, None, old.first_direct)
    owners = None
    touched = set(changed)
    if any(before[number].exports != after[number].exports for number in changed):
        owners = find_owners(after)
        names = {name for name, _ in old.owners.items() ^ owners.items()}
        numbers = {number for number, name in enumerate(tree.names) if name in names}
        touched |= {
            number
            for number, entry in enumerate(after)
            if numbers and not numbers.isdisjoint(array("I", entry.imports))
        }
    if all(before[number].imports == after[number].imports for number in touched) and owners is None:
        return Graph(tree, None, old.first_direct)
    owners = find_owners(after) if owners is None else owners
    owner_of = [owners.get(name, -1) for name in tree.names]
    direct = list(old.first_direct)
    for number in touched:
        direct[number] = _direct(tree, owners, owner_of, number)
    graph = Graph(tree, owners, direct)
    graph.position  # noqa: B018 - raises where there is a circle
    return graph


def _direct(tree: Tree, owners: Mapping[bytes, int], owner_of: list[int], number: int) -> tuple[int, ...]:
    entry = tree.entries[number]
    # In the order in which they are first named.
    needs = dict.fromkeys([owner_of[name] for name in array("I", entry.imports)])
    needs.pop(-1, None)
    needs.pop(number, None)
    return _in_order(tree, entry, owners, needs) if len(needs) > 1 and entry.symbols else tuple(needs)


def _in_order(
    tree: Tree, entry: Entry, owners: Mapping[bytes, int], needs: dict[int, None]
) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for name in read_import_order(f"{tree.directory}/{entry.path}", entry.symbols):
        owner = owners.get(name, -1)
        if owner in needs:
            found[owner] = None
            if len(found) == len(needs):
                break
    return tuple(found | needs)


def _sort(tree: Tree, direct: list[tuple[int, ...]]) -> list[int]:
    """The position of each module in an order where users come first."""
    users = [0] * len(direct)
    for needs in direct:
        for need in needs:
            users[need] += 1
    ready = [number for number, count in enumerate(users) if not count]
    position = [-1] * len(direct)
    done = 0
    while ready:
        number = ready.pop()
        position[number] = done
        done += 1
        for need in direct[number]:
            users[need] -= 1
            if not users[need]:
                ready.append(need)
    if done < len(direct):
        circles = find_circles(direct, [number for number, place in enumerate(position) if place < 0])
        texts = [" -> ".join(tree.entries[number].name for number in circle) for circle in circles]
        raise BadInputError(f"modules need each other in a circle: {'; '.join(texts)}")
    return position


def find_circles(direct: list[tuple[int, ...]], numbers: Iterable[int]) -> list[list[int]]:
    """Circles among these modules, each from a module back to itself; not all there may be."""
    found: list[list[int]] = []
    seen: set[int] = set()
    among = set(numbers)
    for start in sorted(among):
        path: list[int] = []
        number = start
        while number not in seen:
            seen.add(number)
            path.append(number)
            number = next((need for need in direct[number] if need in among), -1)
            if number < 0:
                break
        if number in path:
            found.append([*path[path.index(number) :], number])
    return found
