# SPDX-License-Identifier: MIT
"""Sizes on disk of large directories: measured once, and kept in the cache while they stay the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lkm.kernel.stamp import stamp_files
from lkm.kernel.store import read_size
from lkm.modtree.index import Index

# What any build changes, so that a build directory need not be walked to see that it was not built again.
_BUILT = ("", ".config", "vmlinux", "Module.symvers", "modules.order", ".lkm-build.json", ".lkm-build.log")


def measure_build(build: Path) -> int:
    """Bytes on disk of a build directory; tens of thousands of files are not looked at twice."""
    return measure(build, [build / name for name in _BUILT])


def measure(directory: Path, marks: Iterable[Path]) -> int:
    """Bytes on disk of a directory; walked again only where one of the files `marks` changed since."""
    index, place, stamp = Index(), str(directory), stamp_files(marks)
    known = index.load(place, "size", stamp)
    if isinstance(known, int):
        return known
    size = read_size(directory)
    index.save(place, "size", size, stamp)
    return size
