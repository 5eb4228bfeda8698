# SPDX-License-Identifier: MIT
"""Device to module to option: what a machine has, what drives it, and what to turn on for it.

A device says what it is in its `modalias` (Documentation/driver-api, file2alias.c); a distribution kernel's
modules say which aliases they take; the kernel's Makefiles say which option builds a module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError, UsageError
from lkm.kconfig.index import Index
from lkm.kconfig.makefiles import find_options
from lkm.modtree.lookup import open_lookup

_LIMIT = 8 << 20


@dataclass(frozen=True, slots=True)
class Device:
    """A device: its alias, and where it is in /sys ("" where a file gave the alias alone)."""

    alias: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Driver:
    """A module for a device; `option` "" where no Makefile builds it.

    `value`: what it is set to.  `least`: what it must be for the driver to be there, `m` or `y`.
    """

    device: Device
    module: str
    built_in: bool
    option: str
    value: str
    least: str
    prompt: str


def read_devices(root: Path = Path("/sys/devices")) -> list[Device]:
    """The devices of this machine: each alias once."""
    found: dict[str, Device] = {}
    for place, _directories, files in os.walk(root):
        if "modalias" in files:
            try:
                alias = Path(place, "modalias").read_text(encoding="ascii", errors="replace").strip()
            except OSError:
                continue
            if alias:
                found.setdefault(alias, Device(alias, place))
    return sorted(found.values(), key=lambda device: device.alias)


def parse_devices(text: str, *, source: str) -> list[Device]:
    """The aliases of another machine: a line each, a path before it or not (`grep -r . --include=modalias`).

    Raises `BadInputError` where there is none.
    """
    found: dict[str, Device] = {}
    for line in text[:_LIMIT].splitlines():
        path, colon, rest = line.strip().partition(":")
        if "/" in path and colon:
            alias, place = rest.strip(), path.removesuffix("/modalias")
        else:
            alias, place = line.strip(), ""
        if re.match(r"[a-z][\w-]*:\S", alias):
            found.setdefault(alias, Device(alias, place))
    if not found:
        raise BadInputError(
            f"{source}: no line of it is a device's alias (pci:v00008086d…)",
            hint="find /sys/devices -name modalias -exec cat {} + | sort -u > FILE, on the other machine",
        )
    return list(found.values())


def find_drivers(
    devices: Sequence[Device], modules: Path, index: Index, values: Mapping[str, str]
) -> tuple[list[Driver], list[Device]]:
    """The modules of `modules` (lib/modules/RELEASE) for each device, with options; devices without."""
    lookup = open_lookup(modules)
    options = find_options(index)
    drivers, without = [], []
    for device in devices:
        named = [one for one in lookup.find(device.alias) if one.alias or not one.built_in]
        if not named:
            without.append(device)
        for one in named:
            option = next(iter(options.get(one.name.replace("-", "_"), [])), "")
            symbol = index.find(option) if option else None
            drivers.append(
                Driver(
                    device,
                    one.name,
                    one.built_in,
                    option,
                    values.get(option, "n"),
                    "m" if symbol is not None and symbol.kind == "tristate" else "y",
                    symbol.prompt if symbol is not None else "",
                )
            )
    return drivers, without


def parse_lsmod(text: str, *, source: str) -> list[str]:
    """The modules of `lsmod`, of /proc/modules, or of a list of names; `UsageError` for other text."""
    names = []
    for line in text.splitlines():
        words = line.split()
        if not words or (words[0] == "Module" and words[1:2] == ["Size"]) or words[0].startswith("#"):
            continue
        if not re.fullmatch(r"[\w-]+(?:\.ko)?", words[0]):
            raise UsageError(f"{source}: '{words[0]}' is no module's name", hint="lsmod > FILE")
        names.append(words[0].removesuffix(".ko"))
    return names


def format_lsmod(names: Sequence[str]) -> str:
    """As `lsmod` prints it, for scripts/kconfig/streamline_config.pl."""
    return "Module                  Size  Used by\n" + "".join(f"{name} 16384 0\n" for name in names)
