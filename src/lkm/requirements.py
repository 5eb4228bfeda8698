# SPDX-License-Identifier: MIT
"""What lkm needs from the machine: the table that the launcher reads too (requirements.tsv)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from lkm import process

# program of the package manager: column in the table, command that installs
PACKAGE_MANAGERS = {
    "apt-get": ("apt", ("apt-get", "install", "-y", "--no-install-recommends")),
    "dnf": ("dnf", ("dnf", "install", "-y")),
    "pacman": ("pacman", ("pacman", "-S", "--needed", "--noconfirm")),
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row: `stage` (setup, run or test), `probe` (kind:value), `purpose`, packages by manager."""

    stage: str
    probe: str
    purpose: str
    packages: dict[str, str]


def read_requirements() -> list[Requirement]:
    """All rows of the table."""
    rows = []
    for line in files("lkm").joinpath("requirements.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            stage, probe, purpose, apt, dnf, pacman = line.split("\t")
            rows.append(Requirement(stage, probe, purpose, {"apt": apt, "dnf": dnf, "pacman": pacman}))
    return rows


def is_met(requirement: Requirement) -> bool:
    """Whether the machine has it; looks at files only."""
    kind, _, value = requirement.probe.partition(":")
    if kind == "cmd":
        return process.find_program(value) is not None
    if kind == "py":
        return find_spec(value) is not None
    places = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")
    return any(Path(place, value).exists() or any(Path(place).glob(f"*/{value}")) for place in places)


def install_command(missing: Iterable[Requirement]) -> list[str] | None:
    """The command that installs what is missing, with sudo where we are not root; None: no manager known."""
    for program, (column, command) in PACKAGE_MANAGERS.items():
        if process.find_program(program) is not None:
            packages = sorted({requirement.packages[column] for requirement in missing})
            return [*(() if os.geteuid() == 0 else ("sudo",)), *command, *packages]
    return None
