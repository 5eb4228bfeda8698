# SPDX-License-Identifier: MIT
"""What must be loaded, in which order and with which options: what `modprobe --show-depends` prints.

Source: kmod, libkmod-module.c (`kmod_module_get_probe_list`, `kmod_module_probe_insert_module`) and
tools/modprobe.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from lkm.errors import BadInputError
from lkm.modtree.graph import Graph, build_graph
from lkm.modtree.lookup import Lookup, Named
from lkm.modtree.pattern import match_pattern
from lkm.modtree.probe import ProbeConfig, Soft
from lkm.modtree.tree import Tree


class Action(StrEnum):
    """What a step is."""

    INSMOD = "insmod"
    INSTALL = "install"  # a command of modprobe.d's instead of loading
    BUILT_IN = "builtin"


@dataclass(frozen=True, slots=True)
class Step:
    """One module to load: `path` None where it is built in, `options` its parameters.

    `command`: what modprobe.d says to run instead.  `why`: what it is loaded for, for a person.
    """

    action: Action
    name: str
    path: Path | None
    options: str = ""
    command: str = ""
    why: str = ""

    def __str__(self) -> str:
        """As modprobe prints it: a space ends what was joined of options."""
        options = f"{self.options} " if self.options else ""
        if self.action is Action.INSMOD:
            return f"insmod {self.path} {options}"
        if self.action is Action.INSTALL:
            return f"install {self.command} {options}"
        return f"builtin {self.name}"


class Planner:
    """Plans for the modules of one directory, its modules read once."""

    def __init__(self, tree: Tree, config: ProbeConfig | None = None) -> None:
        self.tree = tree
        self.config = config or ProbeConfig()
        self.lookup = Lookup(tree.directory, tree=tree)

    @cached_property
    def graph(self) -> Graph:
        """Dependencies between the modules."""
        return build_graph(self.tree)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each module's number by its name."""
        return {entry.name: number for number, entry in enumerate(self.tree.entries)}

    def find(self, name: str) -> list[Named]:
        """What a name stands for, modprobe.d's aliases first.

        Source: libkmod-module.c `kmod_module_new_from_lookup`: configuration, modules, symbols,
        commands, aliases, built-in modules and their aliases.
        """
        folded = name if "[" in name else name.replace("-", "_")
        found = [
            Named(module, self._path(module), pattern)
            for pattern, module in self.config.aliases
            if match_pattern(_bytes(pattern), _bytes(folded))
        ]
        if found:
            return found
        if folded in self.numbers:
            return [Named(folded, self._path(folded))]
        for module, _ in (*self.config.installs, *self.config.removes):
            if module == folded and not folded.startswith("symbol:"):
                return [Named(folded, None)]
        found = self.lookup.find(name)
        return [Named(one.name, self._path(one.name), folded if one.alias else "") for one in found]

    def _path(self, name: str) -> Path | None:
        number = self.numbers.get(name)
        return None if number is None else self.tree.path(self.tree.entries[number])

    def plan(self, names: Iterable[str], *, repeats: bool = False) -> list[Step]:
        """The steps that load these modules, dependencies first.

        With `repeats` a module is there as often as modprobe prints it, which is more than once where two
        modules share what they need; loading it again does nothing.  An alias of a blacklisted module
        loads nothing.  Raises `BadInputError` for a name that is nowhere.
        """
        steps: list[Step] = []
        for name in names:
            found = self.find(name)
            if not found:
                raise BadInputError(
                    f"no module '{name}' in {self.tree.directory}",
                    hint="lkm plan takes a name, an alias or a file",
                )
            for one in found:
                if one.alias and one.name in self.config.blacklist:
                    continue
                steps += self._steps(one)
        if repeats:
            return steps
        first: dict[str, Step] = {}
        for step in steps:
            first.setdefault(step.name, step)
        return list(first.values())

    def _steps(self, wanted: Named) -> list[Step]:
        walk = _Walk(self)
        walk.probe(wanted, "asked for")
        return [self._step(module, why, alone) for module, why, alone in walk.found]

    def _step(self, module: Named, why: str, alone: bool) -> Step:
        # With soft dependencies of its own a module's install command is not run again for it.
        command = "" if alone else self.install_command(module.name)
        options = self.options(module)
        if command:
            return Step(Action.INSTALL, module.name, module.path, options, command, why)
        if module.path is None:
            return Step(Action.BUILT_IN, module.name, None, "", "", why)
        return Step(Action.INSMOD, module.name, module.path, options, "", why)

    def options(self, module: Named) -> str:
        """The parameters that modprobe.d and the command line give a module."""
        names = {module.name, module.alias}
        return " ".join(text for name, text in self.config.options if name in names and text)

    def install_command(self, name: str) -> str:
        """The command to run instead of loading a module, "" for none."""
        return _first(self.config.installs, name)

    def needs(self, name: str) -> list[Named]:
        """What a module needs, directly or not, in the order to load."""
        number = self.numbers.get(name)
        if number is None:
            return []
        entries = self.tree.entries
        return [
            Named(entries[need].name, self.tree.path(entries[need]))
            for need in reversed(self.graph.needs(number))
        ]

    def soft(self, name: str) -> tuple[list[Named], list[Named]]:
        """What is to be loaded before and after a module, where it is there."""
        for soft in self.config.softdeps:
            if match_pattern(_bytes(soft.pattern), _bytes(name)):
                return self._found(soft.before), self._found(soft.after)
        return [], []

    def soft_words(self, name: str) -> Soft:
        """The soft dependencies of a module as they are written."""
        for soft in self.config.softdeps:
            if match_pattern(_bytes(soft.pattern), _bytes(name)):
                return soft
        return Soft(name, (), ())

    def weak_words(self, name: str) -> tuple[str, ...]:
        """The weak dependencies of a module: those that it may load itself later."""
        for pattern, words in self.config.weakdeps:
            if match_pattern(_bytes(pattern), _bytes(name)):
                return words
        return ()

    def _found(self, words: Sequence[str]) -> list[Named]:
        return [one for word in words for one in self.find(word)]


class _Walk:
    """`kmod_module_get_probe_list`: the list for one module, repeats and all."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.visited: set[tuple[str, str]] = set()
        self.found: list[tuple[Named, str, bool]] = []

    def probe(self, module: Named, why: str) -> None:
        key = (module.name, module.alias)
        if key in self.visited:
            return
        self.visited.add(key)
        for need in self.planner.needs(module.name):
            self.fill(need, f"needed by {module.name}")
        self.fill(module, why)

    def fill(self, module: Named, why: str) -> None:
        before, after = self.planner.soft(module.name)
        for one in before:
            self.probe(one, f"soft dependency of {module.name}, before it")
        self.found.append((module, why, bool(before or after)))
        for one in after:
            self.probe(one, f"soft dependency of {module.name}, after it")


def _first(pairs: Iterable[tuple[str, str]], name: str) -> str:
    return next((text for pattern, text in pairs if match_pattern(_bytes(pattern), _bytes(name))), "")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
