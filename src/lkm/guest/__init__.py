# SPDX-License-Identifier: MIT
"""Guests: a kernel booted once in QEMU and saved, cloned copy-on-write for each run.

Each name is imported when it is first used: a run imports nothing of what makes templates.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.guest.guest import Guest, Loaded
    from lkm.guest.standby import Standby
    from lkm.guest.store import list_templates, remove_templates
    from lkm.guest.template import Template, make_template
    from lkm.guest.value import (
        Detail,
        End,
        Ending,
        ExecResult,
        GuestEnded,
        LoadedModule,
        LoadError,
        Log,
        Step,
    )

_WHERE = {
    "guest": ("Guest", "Loaded"),
    "standby": ("Standby",),
    "store": ("list_templates", "remove_templates"),
    "template": ("Template", "make_template"),
    "value": (
        "Detail",
        "End",
        "Ending",
        "ExecResult",
        "GuestEnded",
        "LoadError",
        "LoadedModule",
        "Log",
        "Step",
    ),
}
_PLACE = {name: place for place, names in _WHERE.items() for name in names}

__all__ = [
    "Detail",
    "End",
    "Ending",
    "ExecResult",
    "Guest",
    "GuestEnded",
    "LoadError",
    "Loaded",
    "LoadedModule",
    "Log",
    "Standby",
    "Step",
    "Template",
    "list_templates",
    "make_template",
    "remove_templates",
]


def __getattr__(name: str) -> object:
    if name not in _PLACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_PLACE[name]}"), name)
    globals()[name] = value
    return value
