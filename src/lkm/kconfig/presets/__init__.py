# SPDX-License-Identifier: MIT
"""Configurations of our own: `guest`, `debug`, `class`, each option with its reason in its file.

A preset's first lines say `# base: TARGET`, from which it starts where no other is given, and `# for:`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

from lkm.errors import UsageError
from lkm.kconfig.dotconfig import Setting, parse_settings

_BASE = re.compile(r"^# base: (\w+)$", re.MULTILINE)
_FOR = re.compile(r"^# for: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset: its `base` is a target of make, `purpose` one line."""

    name: str
    base: str
    purpose: str
    settings: tuple[Setting, ...]


def list_presets() -> list[str]:
    """The names of all presets."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".config") for file in files if file.name.endswith(".config"))


def read_preset(name: str) -> Preset:
    """The preset `name`; raises `UsageError` where there is none."""
    if name not in list_presets():
        raise UsageError(f"no preset '{name}'", hint=f"--preset {', '.join(list_presets())}")
    text = (resources.files(__name__) / f"{name}.config").read_text(encoding="utf-8")
    base, purpose = _BASE.search(text), _FOR.search(text)
    assert base is not None and purpose is not None, name
    return Preset(name, base[1], purpose[1], tuple(parse_settings(text, where=f"preset {name}")))
