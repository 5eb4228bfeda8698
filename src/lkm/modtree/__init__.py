# SPDX-License-Identifier: MIT
"""A modules directory (`lib/modules/RELEASE`): its modules, and the order to load them in."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.modtree.builtin import built_in_modules, read_built_in_information
    from lkm.modtree.find import find_module, iter_module_files
    from lkm.modtree.order import load_order

_PLACES = {
    "built_in_modules": "builtin",
    "read_built_in_information": "builtin",
    "find_module": "find",
    "iter_module_files": "find",
    "load_order": "order",
}

__all__ = ["built_in_modules", "find_module", "iter_module_files", "load_order", "read_built_in_information"]


def __getattr__(name: str) -> object:
    # Each when it is first used: what runs a module needs another part than what reads thousands.
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(f"lkm.modtree.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
