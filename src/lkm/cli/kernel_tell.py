# SPDX-License-Identifier: MIT
"""What `lkm kernel`'s verbs say of a kernel alike: in words, and as JSON."""

from __future__ import annotations

import os
from typing import Any

from lkm.cli import common
from lkm.kernel import Kernel

SCHEMA = 1


def to_json(kernel: Kernel) -> dict[str, Any]:
    """A kernel as `--json` shows it: its fields, and what it can be used for."""
    return {**common.to_plain(kernel), "can_build": kernel.can_build, "can_boot": kernel.can_boot}


def use_words(kernel: Kernel) -> str:
    """What it is good for."""
    if _is_unbuilt(kernel):
        return "nothing yet"
    if kernel.can_build:
        return "can build" if kernel.can_boot else "builds only"
    if kernel.build is not None:
        return "no compiler" if kernel.arch in ("", os.uname().machine) else f"on {kernel.arch} only"
    return "boots only" if kernel.can_boot else "nothing"


def _is_unbuilt(kernel: Kernel) -> bool:
    """Whether no build came to its end there: neither an image nor the symbols that modules may use."""
    place = kernel.build
    if place is None and kernel.config is not None and kernel.config.name == ".config":
        place = kernel.config.parent
    return place is not None and kernel.image is None and not (place / "Module.symvers").is_file()


def compiler_words(kernel: Kernel) -> str:
    """Its compiler, and where that is."""
    if kernel.toolchain is None:
        return ""
    return f"{kernel.toolchain.compiler} ({'fetched' if kernel.toolchain.root else 'this machine'})"
