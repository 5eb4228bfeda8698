# SPDX-License-Identifier: MIT
"""What one module needs and what needs it, directly and through others."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from lkm.errors import BadInputError
from lkm.modtree.plan import Planner
from lkm.modtree.tree import Tree


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Names of modules: `needs` directly, `all_needs` in the order to load, `users` directly, `all_users`.

    `symbols`: for each module needed directly, the symbols that it is needed for.  `before`, `after`: soft
    dependencies as written, `weak` ones as well.  `soft_users`: whose soft dependency it is.
    `circles`: those of modules needing each other that it is in.
    """

    name: str
    needs: tuple[str, ...]
    all_needs: tuple[str, ...]
    users: tuple[str, ...]
    all_users: tuple[str, ...]
    symbols: dict[str, tuple[str, ...]]
    before: tuple[str, ...]
    after: tuple[str, ...]
    weak: tuple[str, ...]
    soft_users: tuple[str, ...]
    circles: tuple[tuple[str, ...], ...]


def find_dependencies(planner: Planner, name: str) -> Dependencies:
    """All about the module `name`; raises `BadInputError` where there is none."""
    number = planner.numbers.get(name)
    if number is None:
        raise BadInputError(f"no module '{name}' in {planner.tree.directory}")
    graph, entries = planner.graph, planner.tree.entries
    users = graph.users()
    everyone: set[int] = set()
    waiting = [number]
    while waiting:
        for user in users[waiting.pop()]:
            if user not in everyone:
                everyone.add(user)
                waiting.append(user)
    soft = planner.soft_words(name)
    soft_users = [
        one.pattern
        for one in planner.config.softdeps
        if any(word.replace("-", "_") == name for word in (*one.before, *one.after))
    ]
    return Dependencies(
        name,
        tuple(entries[need].name for need in graph.direct[number]),
        tuple(entries[need].name for need in reversed(graph.needs(number))),
        tuple(sorted(entries[user].name for user in users[number])),
        tuple(sorted(entries[user].name for user in everyone)),
        _symbols(planner.tree, graph.owners, number),
        soft.before,
        soft.after,
        planner.weak_words(name),
        tuple(soft_users),
        tuple(tuple(circle) for circle in graph.circles if name in circle),
    )


def _symbols(tree: Tree, owners: dict[bytes, int], number: int) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name in array("I", tree.entries[number].imports):
        owner = owners.get(tree.names[name], -1)
        if owner >= 0 and owner != number:
            found.setdefault(tree.entries[owner].name, []).append(tree.names[name].decode("utf-8", "replace"))
    return {owner: tuple(sorted(names)) for owner, names in found.items()}


def direct_edges(planner: Planner, names: list[str], *, users: bool = False) -> dict[str, tuple[str, ...]]:
    """Each of these modules and all they need (or, with `users`, all that need them), with what it needs."""
    graph, entries = planner.graph, planner.tree.entries
    wanted = {planner.numbers[name] for name in names}
    waiting = list(wanted)
    used_by = graph.users() if users else []
    while waiting:
        number = waiting.pop()
        for other in used_by[number] if users else graph.direct[number]:
            if other not in wanted:
                wanted.add(other)
                waiting.append(other)
    return {
        entries[number].name: tuple(entries[need].name for need in graph.direct[number] if need in wanted)
        for number in sorted(wanted)
    }
