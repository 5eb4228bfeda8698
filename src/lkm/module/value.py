# SPDX-License-Identifier: MIT
"""The values that a module file is read into."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, as `.modinfo` declares it.

    `type`: as written there (`int`, `charp`, `array of uint`, `string`), "" where only described.
    `description`: "" where there is none.
    """

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Export:
    """A symbol that other modules may use; `crc` is None without MODVERSIONS, `namespace` "" for none."""

    name: str
    gpl_only: bool
    namespace: str
    crc: int | None


@dataclass(frozen=True, slots=True)
class Import:
    """A symbol that the kernel or another module has to define; `crc` is None without MODVERSIONS."""

    name: str
    weak: bool
    crc: int | None
