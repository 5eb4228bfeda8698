# SPDX-License-Identifier: MIT
"""Locks on directories."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lkm.paths import locked_directory


def is_waited_for(directory: Path) -> bool:
    """Whether somebody waits for a lock on a directory (/proc/locks: `1: -> FLOCK … 00:1c:INODE 0 EOF`)."""
    inode = f":{directory.stat().st_ino} "
    return any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def test_a_directory_that_was_removed_while_one_waited_is_locked_anew(tmp_path: Path) -> None:
    place = tmp_path / "lib/modules"

    def hold() -> bool:
        with locked_directory(place):
            return place.is_dir()

    with ThreadPoolExecutor(1) as pool:
        with locked_directory(place):
            other = pool.submit(hold)
            while not is_waited_for(place) and not other.done():
                time.sleep(0.01)
            place.rmdir()
        assert other.result(), "what it holds is the directory that is there"
