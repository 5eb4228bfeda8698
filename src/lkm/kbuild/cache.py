# SPDX-License-Identifier: MIT
"""Finished builds in the cache: bounded, and taken away when they are asked to go."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lkm import paths

MAX_AGE = 60 * 86_400.0  # seconds without a build
GONE_AGE = 86_400.0  # seconds without a build, where the source is no longer there


def remove_builds() -> int:
    """Removes every finished build from the cache and returns how many bytes that freed.

    A build that is going on is waited for.
    """
    return sum(_remove(place) for place in _places())


def prune_builds() -> int:
    """Removes builds that nobody has asked for in 60 days, or in a day if their source is gone."""
    now, freed = time.time(), 0
    for place in _places():
        age = now - max(path.stat().st_mtime for path in (place, place / "record.json") if path.exists())
        source = place.parent / paths.SOURCE_NAME
        is_gone = source.is_file() and not Path(source.read_text(errors="surrogateescape")).exists()
        if age > MAX_AGE or (is_gone and age > GONE_AGE):
            freed += _remove(place)
    return freed


def write_source(place: Path, source: Path) -> None:
    """Notes beside the builds of a source which one it is."""
    note = place.parent / paths.SOURCE_NAME
    if not note.exists():
        note.write_text(str(source), errors="surrogateescape")


def _places() -> Iterator[Path]:
    yield from sorted((paths.cache_dir() / "build").glob("*/*/"))


def _remove(place: Path) -> int:
    with paths.locked(place.with_name(f"{place.name}.lock")):
        freed = sum(path.lstat().st_blocks * 512 for path in place.rglob("*") if path.is_file())
        shutil.rmtree(place, ignore_errors=True)
    return freed
