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
    def _sorted(self) -> tuple[list[int], list[int]]:
        return _sort(self.first_direct)

    @property
    def position(self) -> list[int]:
        """Of each module, in an order where every module comes before what it needs: depmod's own order.

        Modules in circles, and what those need, come last.
        """
        return self._sorted[0]

    @cached_property
    def circles(self) -> list[list[str]]:
        """Modules that need each other: each circle by names, from one back to itself; [] in a sound tree."""
        found = find_circles(self.first_direct, self._sorted[1]) if self._sorted[1] else []
        return [[self.tree.entries[number].name for number in circle] for circle in found]

    def check(self) -> None:
        """Raises `BadInputError` where modules need each other in a circle."""
        if self.circles:
            texts = "; ".join(" -> ".join(circle) for circle in self.circles)
            raise BadInputError(f"modules need each other in a circle: {texts}")

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
        if known is not None:
            return known
        direct = self.direct[number]
        if not direct:
            known = _NOTHING
        elif not self._sorted[1]:
            # Without circles it ends, and chains are short: 30 at most in real kernels.
            known = frozenset(direct).union(*map(self._closure, direct))
        else:
            seen: set[int] = set()
            waiting = [number]
            while waiting:
                for need in self.direct[waiting.pop()]:
                    if need not in seen:
                        seen.add(need)
                        waiting.append(need)
            known = frozenset(seen - {number})
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
    """The graph of a tree.  Raises `BadInputError` for a module that was changed while it was read."""
    owners = find_owners(tree.entries)
    owner_of = [owners.get(name, -1) for name in tree.names]
    direct = [_direct(tree, owners, owner_of, number) for number in range(len(tree.entries))]
    return Graph(tree, owners, direct)


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
    return Graph(tree, owners, direct)


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


def _sort(direct: list[tuple[int, ...]]) -> tuple[list[int], list[int]]:
    """The position of each module in an order where users come first, and those in or below circles."""
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
    left = [number for number, place in enumerate(position) if place < 0]
    for number in left:
        position[number] = done
        done += 1
    return position, left


def find_circles(direct: list[tuple[int, ...]], numbers: Iterable[int]) -> list[list[int]]:
    """One circle for each set of modules that all need each other, from one of them back to itself."""
    found: list[list[int]] = []
    done: set[int] = set()
    among = set(numbers)
    for start in sorted(among):
        if start in done:
            continue
        # The shortest way from the start back to it, if there is one.
        came: dict[int, int] = {}
        waiting = [start]
        for number in waiting:
            for need in direct[number]:
                if need in among and need not in came:
                    came[need] = number
                    waiting.append(need)
        if start not in came:
            continue
        circle = [start]
        while came[circle[-1]] != start:
            circle.append(came[circle[-1]])
        circle = [start, *reversed(circle)]
        done |= set(circle)
        found.append(circle)
    return found
