# SPDX-License-Identifier: MIT
"""What tells whether the files that a kernel's facts were read from are still the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lkm.kernel.value import Kernel
from lkm.modtree.built import ORDER, is_build, list_built
from lkm.paths import short_digest


def place_of(kernel: Kernel) -> str:
    """What an index knows a kernel by: where it lies."""
    return str(next(path for path in (kernel.modules, kernel.image, kernel.build, Path(kernel.name)) if path))


def stamp_modules(kernel: Kernel) -> str:
    """What tells whether modules of the kernel came, went or were built anew; "" where none are at hand."""
    place = kernel.modules
    if place is None:
        return ""
    if is_build(place):  # nothing of it need change when a module is built again, but the module itself
        return short_digest(stamp_files([place / ORDER, *list_built(place)]))
    return stamp_files([place, place / ORDER, place / "modules.dep"])


def stamp_files(paths: Iterable[Path | None]) -> str:
    """What tells whether any of the files was changed: size, time and inode of each, `-` for none."""
    words = []
    for path in paths:
        try:
            status = path.stat() if path is not None else None
        except OSError:
            status = None
        words.append(f"{status.st_size}.{status.st_mtime_ns}.{status.st_ino}" if status else "-")
    return " ".join(words)
