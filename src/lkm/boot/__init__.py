# SPDX-License-Identifier: MIT
"""How Linux comes up: a cold boot, its phases, the functions it calls, the memory it gives back."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.boot.compare import Comparison, Difference, compare_boots
    from lkm.boot.measure import BOOT_TIMEOUT, boot_kernel
    from lkm.boot.value import Boot, Freed, Image, Initcall, Phase

_WHERE = {
    "compare": ("Comparison", "Difference", "compare_boots"),
    "measure": ("BOOT_TIMEOUT", "boot_kernel"),
    "value": ("Boot", "Freed", "Image", "Initcall", "Phase"),
}
_PLACE = {name: place for place, names in _WHERE.items() for name in names}

__all__ = [
    "BOOT_TIMEOUT",
    "Boot",
    "Comparison",
    "Difference",
    "Freed",
    "Image",
    "Initcall",
    "Phase",
    "boot_kernel",
    "compare_boots",
]


def __getattr__(name: str) -> object:
    place = _PLACE.get(name)
    if place is None:
        raise AttributeError(f"module 'lkm.boot' has no attribute '{name}'")
    return getattr(import_module(f"lkm.boot.{place}"), name)
