# SPDX-License-Identifier: MIT
"""What must be unloaded, in which order, and why something cannot be.

Source: kernel/module/main.c `delete_module` (a user or a reference: EWOULDBLOCK; no exit function: EBUSY);
kmod, tools/modprobe.c `rmmod_do_module` for what becomes unused and for soft dependencies.  modprobe passes
once over what was needed, in the order to load; here it is the other way round, so that nothing unused stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lkm.errors import BadInputError
from lkm.modtree.lookup import Named
from lkm.modtree.plan import Planner


@dataclass(frozen=True, slots=True)
class Loaded:
    """A line of /proc/modules: `references` counts what is no module too, -1 without MODULE_UNLOAD."""

    name: str
    size: int
    references: int
    users: tuple[str, ...]
    permanent: bool
    state: str


@dataclass(frozen=True, slots=True)
class Removal:
    """A module to unload; `reason` says why it cannot be, "" where it can; `why` what it is unloaded for."""

    name: str
    why: str
    reason: str = ""


def parse_loaded(text: str) -> dict[str, Loaded]:
    """/proc/modules: name, size, references, users, state, address.  Raises `BadInputError`."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            name, size, references, users, *rest = words
            names = [one for one in users.split(",") if one and one != "-"]
            found[name] = Loaded(
                name,
                int(size),
                -1 if references == "-" else int(references),
                tuple(one for one in names if not one.startswith("[")),
                "[permanent]" in names,
                rest[0] if rest else "Live",
            )
        except ValueError as error:
            raise BadInputError(f"line {number} is not one of /proc/modules: {line[:60]!r}") from error
    return found


def plan_unload(
    planner: Planner, names: Iterable[str], *, loaded: Mapping[str, Loaded] | None = None
) -> list[Removal]:
    """The modules to unload so that `names` are gone: their users first, then what nothing needs any more.

    `loaded` is what is loaded now; without it, what loading `names` would load.  Raises `BadInputError`
    for a name that is nowhere.
    """
    wanted: list[str] = []
    for name in names:
        found = planner.find(name)
        if not found:
            raise BadInputError(f"no module '{name}' in {planner.tree.directory}")
        wanted += [one.name for one in found]
    if loaded is None:
        steps = planner.plan(wanted)
        loaded = _as_if_loaded(planner, [step.name for step in steps if step.path is not None])
        built_in = {step.name for step in steps if step.path is None}
    else:
        built_in = {name for name in wanted if name in planner.lookup.built_in}
    walk = _Walk(planner, dict(loaded), built_in)
    for name in wanted:
        walk.remove(name, "asked for")
    return walk.found


def _as_if_loaded(planner: Planner, names: list[str]) -> dict[str, Loaded]:
    """What /proc/modules would say with these modules loaded and nothing using them otherwise."""
    users: dict[str, list[str]] = {name: [] for name in names}
    entries = planner.tree.entries
    for name in names:
        for need in planner.graph.direct[planner.numbers[name]]:
            if entries[need].name in users:
                users[entries[need].name].append(name)
    return {name: Loaded(name, 0, len(mine), tuple(mine), False, "Live") for name, mine in users.items()}


class _Walk:
    def __init__(self, planner: Planner, loaded: dict[str, Loaded], built_in: set[str]) -> None:
        self.planner = planner
        self.loaded = loaded
        self.built_in = built_in
        self.gone: set[str] = set()
        self.open: set[str] = set()
        self.found: list[Removal] = []

    def remove(self, name: str, why: str) -> bool:
        """Whether it can be unloaded; what must go before it is found first."""
        if name in self.gone:
            return True
        if any(one.name == name for one in self.found):
            return False
        module = self.loaded.get(name)
        if module is None:
            reason = "it is built into the kernel" if name in self.built_in else "it is not loaded"
            return self._refuse(name, why, reason)
        if name in self.open:
            return self._refuse(name, why, "it is needed by what it needs")
        self.open.add(name)
        users = [user for user in module.users if user not in self.gone]
        stuck = [user for user in users if not self.remove(user, f"uses {name}")]
        reason = (
            f"{' and '.join(stuck)} cannot be unloaded and uses it" if stuck else self._own_reason(module)
        )
        if reason:
            self.open.discard(name)
            return self._refuse(name, why, reason)
        before, after = self.planner.soft(name)
        self._drop(reversed(after), f"soft dependency of {name}, after it")
        self.gone.add(name)
        self.open.discard(name)
        self.found.append(Removal(name, why))
        self._drop(reversed(self.planner.needs(name)), f"only {name} needed it")
        self._drop(reversed(before), f"soft dependency of {name}, before it")
        return True

    def _own_reason(self, module: Loaded) -> str:
        if module.permanent:
            return "it is permanent: it has an init function and no exit function"
        if module.state != "Live":
            return f"its state is {module.state}"
        others = module.references - len(module.users)
        if others > 0:
            return f"it is in use: {others} references are held by something that is no module"
        number = self.planner.numbers.get(module.name)
        if number is not None:
            from lkm.module import read_module

            if not read_module(self.planner.tree.path(self.planner.tree.entries[number])).can_unload:
                return "it has an init function and no exit function"
        return ""

    def _drop(self, modules: Iterable[Named], why: str) -> None:
        """What nothing uses any more goes too, as with `modprobe -r`; it needs no mention where it stays."""
        for one in modules:
            module = self.loaded.get(one.name)
            if module is None or one.name in self.gone | self.open or self._own_reason(module):
                continue
            if all(user in self.gone for user in module.users):
                self.gone.add(one.name)
                self.found.append(Removal(one.name, why))
                self._drop(reversed(self.planner.needs(one.name)), why)

    def _refuse(self, name: str, why: str, reason: str) -> bool:
        self.found.append(Removal(name, why, reason))
        return False
