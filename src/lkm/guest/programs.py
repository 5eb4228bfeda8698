# SPDX-License-Identifier: MIT
"""What a dynamically linked program needs beside itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Library:
    """A file on this machine and the path at which a program looks for it."""

    path: Path
    target: str


def find_libraries(path: Path) -> list[Library]:
    """The interpreter and the libraries of the ELF program `path`, none for anything else."""
    return []
