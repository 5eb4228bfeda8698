# SPDX-License-Identifier: MIT
"""Which modules are loaded, in which order: what they depend on first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError
from lkm.modtree import load_order
from lkm.modtree.beside import find_beside
from lkm.module import Module, read_module


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """`paths` in the order to load; `given` are the person's own modules among them."""

    paths: tuple[Path, ...]
    given: tuple[Module, ...]


def plan_load(paths: Sequence[Path], *, modules_dir: Path | None) -> LoadPlan:
    """The order in which `paths` can be loaded, with what they need.

    A needed module is looked for among `paths`, then beside the file that needs it, then among the
    kernel's own (`modules_dir`).  Raises `BadInputError` where it is nowhere, where two of `paths` have one
    name, and where modules need each other in a circle.
    """
    given = {module.name: module for module in map(read_module, paths)}
    if len(given) < len(paths):
        raise BadInputError("two of the modules have the same name; the kernel loads only one of them")
    found = [module.path for module in find_beside(given.values())]
    order = load_order(modules_dir, [*found, *paths])
    return LoadPlan(tuple(order), tuple(given.values()))
