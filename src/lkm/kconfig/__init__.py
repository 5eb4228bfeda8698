# SPDX-License-Identifier: MIT
"""A kernel's configuration: made by its own tools, explained from its own Kconfig files."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.kconfig.configuration import Configured, Request, configure
    from lkm.kconfig.dotconfig import Change, Setting, compare, parse_option, read_config
    from lkm.kconfig.hardware import find_drivers, read_devices
    from lkm.kconfig.index import Index, Symbol, open_index
    from lkm.kconfig.presets import Preset, list_presets, read_preset
    from lkm.kconfig.tree import Tree, find_source, read_tree
    from lkm.kconfig.why import Why, explain_option

_PLACES = {
    "configuration": ("Configured", "Request", "configure"),
    "dotconfig": ("Change", "Setting", "compare", "parse_option", "read_config"),
    "hardware": ("find_drivers", "read_devices"),
    "index": ("Index", "Symbol", "open_index"),
    "presets": ("Preset", "list_presets", "read_preset"),
    "tree": ("Tree", "find_source", "read_tree"),
    "why": ("Why", "explain_option"),
}
_PLACE = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [
    "Change", "Configured", "Index", "Preset", "Request", "Setting", "Symbol", "Tree", "Why",
    "compare", "configure", "explain_option", "find_drivers", "find_source", "list_presets", "open_index",
    "parse_option", "read_config", "read_devices", "read_preset", "read_tree",
]  # fmt: skip


def __getattr__(name: str) -> object:
    # Each when it is first used: a difference of two files needs none of what reads a tree.
    if name in _PLACE:
        from importlib import import_module

        return getattr(import_module(f"lkm.kconfig.{_PLACE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
