# SPDX-License-Identifier: MIT
"""The values that a module file is read into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

# What a parameter's variable may hold: numbers, switches, texts, and several of them for an array.
ParameterValue: TypeAlias = bool | int | str | tuple[bool | int | str | None, ...] | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A module parameter: as `.modinfo` declares it, and as `__param` and the data sections define it.

    `type`: `int`, `charp`, `array of uint`, `string` and so on, "" where only a description is known.
    `permission`: mode of its file in sysfs (0 for none), None where there is no `__param` entry.
    `known`: whether the default could be read; then `default` is it (None is a NULL `charp`) and
    `shown` the text that sysfs would show before it is set.  `count`: most elements of an array.
    `counted`: whether the module keeps how many were given; then sysfs shows so many, else all.
    `length`: bytes of a string's buffer, its NUL included.  `kind`: what the functions that set it are
    called (`int`, `array`, `string`), "" for functions of the module's own; `element`: those of an
    array's elements.  `unsafe`: setting it taints the kernel.  `hardware`: refused under lockdown.
    """

    name: str
    type: str
    description: str
    permission: int | None = None
    known: bool = False
    default: ParameterValue = None
    shown: str = ""
    count: int | None = None
    counted: bool = False
    length: int | None = None
    kind: str = ""
    element: str = ""
    unsafe: bool = False
    hardware: bool = False


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
