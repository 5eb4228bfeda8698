# SPDX-License-Identifier: MIT
"""What lies beside a person's own modules: those that they depend on."""

from __future__ import annotations

from collections.abc import Iterable

from lkm.module import Module, read_module


def find_beside(modules: Iterable[Module]) -> list[Module]:
    """The modules in files beside `modules` (`NAME.ko`) that these depend on, and that those depend on.

    None of `modules` themselves.  Raises `BadInputError` for a file that is no module.
    """
    waiting = list(modules)
    known = {module.name for module in waiting}
    found = []
    while waiting:
        module = waiting.pop()
        for name in module.depends:
            path = module.path.parent / f"{name}.ko"
            if name not in known and path.is_file():
                known.add(name)
                found.append(read_module(path))
                waiting.append(found[-1])
    return found
