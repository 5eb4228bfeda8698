# SPDX-License-Identifier: MIT
"""Room on the disk: asked before a long step, and what a full one says."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from lkm.errors import MissingError

# What is left free whatever is asked for, in bytes.
SPARE = 64 << 20
ENDLESS = 1 << 62  # bytes: more than any disk has, where it is not known how many are needed


def check_space(directory: Path, need: int, *, spare: int = SPARE, hint: str = "") -> None:
    """Raises `MissingError` where the disk of `directory` has less than `need` bytes and `spare` to give."""
    free = shutil.disk_usage(directory).free
    if free < need + spare:
        raise MissingError(
            f"no room on the disk of {directory}: {free >> 20} MiB free"
            + (f", {(need + spare) >> 20} MiB are needed" if need < ENDLESS else ""),
            hint=hint or "lkm kernel remove NAME, or export LKM_CACHE=/a/directory/with/room",
        )


@contextlib.contextmanager
def writing(directory: Path, *, place: str = "--dest DIR") -> Iterator[None]:
    """Turns the disk's own errors of what is done in the block into errors with a hint.

    `place`: the option that names another place.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            check_space(directory, ENDLESS, hint=f"give another place: {place}")
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
            where = error.filename or directory
            raise MissingError(
                f"cannot write {where}: {error.strerror}", hint=f"give another place: {place}"
            ) from None
        raise
