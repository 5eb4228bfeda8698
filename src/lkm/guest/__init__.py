# SPDX-License-Identifier: MIT
"""Guests: a kernel booted once in QEMU and saved, cloned copy-on-write for each run."""

from lkm.guest.guest import Guest, Loaded
from lkm.guest.standby import Standby
from lkm.guest.template import Template, list_templates, make_template, remove_templates
from lkm.guest.value import End, ExecResult, GuestEnded, LoadedModule, LoadError, Log, Step

__all__ = [
    "End",
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
