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
from lkm.modtree.tree import Entry, Tree, same_files


class Graph:
    """Dependencies between the modules of a tree, by their numbers in `Tree.entries`.

    `needed`: for each module, those whose symbols it uses, by number.  `orders`: for some modules, the same
    in the order in which the symbol table first names one of each.
    """

    def __init__(
        self,
        tree: Tree,
        owners: dict[bytes, int] | None,
        needed: list[tuple[int, ...]],
        orders: dict[int, tuple[int, ...]] | None = None,
        prefix: bytes = b"",
    ) -> None:
        self.tree = tree
        self._prefix = prefix
        self._owners = owners
        self.needed = needed
        self.orders = orders or {}
        self._all: dict[int, frozenset[int]] = {}

    @cached_property
    def owners(self) -> dict[bytes, int]:
        """The module that exports each symbol."""
        return self._owners if self._owners is not None else find_owners(self.tree.entries)

    @cached_property
    def _sorted(self) -> tuple[list[int], list[int]]:
        """The position of each module in an order where users come first, and those in or below circles.

        Which of several modules comes first once their last user is placed, the user's symbol table
        tells: only then it is read.
        """
        needed = self.needed
        users = [0] * len(needed)
        for needs in needed:
            for need in needs:
                users[need] += 1
        ready = [number for number, count in enumerate(users) if not count]
        position = [-1] * len(needed)
        done = 0
        while ready:
            number = ready.pop()
            position[number] = done
            done += 1
            freed = []
            for need in needed[number]:
                users[need] -= 1
                if not users[need]:
                    freed.append(need)
            if len(freed) > 1:
                freed.sort(key=self._order(number).index)
            ready += freed
        left = [number for number, place in enumerate(position) if place < 0]
        for number in left:
            position[number] = done
            done += 1
        return position, left

    def _order(self, number: int) -> tuple[int, ...]:
        known = self.orders.get(number)
        if known is None:
            known = self.orders[number] = _in_order(
                self.tree, self.owners, number, self.needed[number], self._prefix
            )
        return known

    @property
    def position(self) -> list[int]:
        """Of each module, in an order where every module comes before what it needs: depmod's own order.

        Modules in circles, and what those need, come last.
        """
        return self._sorted[0]

    @cached_property
    def circles(self) -> list[list[str]]:
        """Modules that need each other: each circle by names, from one back to itself; [] in a sound tree."""
        found = find_circles(self.needed, self._sorted[1]) if self._sorted[1] else []
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
            tuple(sorted(needs, key=order.__getitem__)) if len(needs) > 1 else needs for needs in self.needed
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


def find_owners(entries: Iterable[Entry], prefix: bytes = b"") -> dict[bytes, int]:
    """The module that exports each name, `prefix` taken off; of several the last one, as for depmod."""
    owners: dict[bytes, int] = {}
    for number, entry in enumerate(entries):
        if entry.exports:
            for name in split_texts(entry.exports):
                owners[name.removeprefix(prefix)] = number
    return owners


def build_graph(tree: Tree, *, prefix: bytes = b"") -> Graph:
    """The graph of a tree.  `prefix`: what a machine's compiler puts before each symbol (`depmod -P`)."""
    owners = find_owners(tree.entries, prefix)
    if prefix:
        tree = Tree(tree.directory, tree.entries, [name.removeprefix(prefix) for name in tree.names])
    owner_of = [owners.get(name, -1) for name in tree.names]
    needed = [_needed(owner_of, number, entry) for number, entry in enumerate(tree.entries)]
    return Graph(tree, owners, needed, prefix=prefix)


def rebuild_graph(tree: Tree, old: Graph) -> Graph:
    """The graph of a tree of which `old.tree` is an earlier state; looks only at what changed."""
    before, after = old.tree.entries, tree.entries
    if not same_files(old.tree, tree):
        return build_graph(tree)
    touched = {number for number, (one, two) in enumerate(zip(before, after, strict=True)) if one is not two}
    owners = None
    if any(before[number].exports != after[number].exports for number in touched):
        owners = find_owners(after)
        names = {name for name, _ in old.owners.items() ^ owners.items()}
        numbers = {number for number, name in enumerate(tree.names) if name in names}
        touched |= {
            number
            for number, entry in enumerate(after)
            if numbers and not numbers.isdisjoint(array("I", entry.imports))
        }
    elif all(before[number].imports == after[number].imports for number in touched):
        # A module may have been linked anew with its symbols in another order.
        same = Graph(tree, None, old.needed, old.orders)
        for number in touched & old.orders.keys():
            order = _in_order(tree, same.owners, number, old.needed[number])
            if order != old.orders[number]:
                same.orders = {**same.orders, number: order}
        return same
    owners = find_owners(after) if owners is None else owners
    owner_of = [owners.get(name, -1) for name in tree.names]
    needed = list(old.needed)
    for number in touched:
        needed[number] = _needed(owner_of, number, after[number])
    orders = {number: order for number, order in old.orders.items() if number not in touched}
    return Graph(tree, owners, needed, orders)


def _needed(owner_of: list[int], number: int, entry: Entry) -> tuple[int, ...]:
    needs = {owner_of[name] for name in array("I", entry.imports)}
    return tuple(sorted(needs - {-1, number})) if len(needs) > 1 or -1 not in needs else ()


def _in_order(
    tree: Tree, owners: Mapping[bytes, int], number: int, needs: tuple[int, ...], prefix: bytes = b""
) -> tuple[int, ...]:
    entry = tree.entries[number]
    names: Iterable[bytes] = (tree.names[name] for name in array("I", entry.imports))
    if not entry.ordered:
        names = read_import_order(
            entry.path if entry.path.startswith("/") else f"{tree.directory}/{entry.path}"
        )
    wanted = set(needs)
    found: dict[int, None] = {}
    for name in names:
        owner = owners.get(name.removeprefix(prefix), -1)
        if owner in wanted:
            found[owner] = None
            if len(found) == len(wanted):
                break
    return tuple(found | dict.fromkeys(needs))


def find_circles(needed: list[tuple[int, ...]], numbers: Iterable[int]) -> list[list[int]]:
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
            for need in needed[number]:
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
