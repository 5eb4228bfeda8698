# SPDX-License-Identifier: MIT
"""Writing a set of files so that the old set or the new one is there, whatever is killed when: no mixture."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from lkm.errors import MissingError

_PART = re.compile(r"\.(modules\.[a-z.]+)\.(\d+)\.lkm")


def commit_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Replaces `files` of `directory`, all or none.

    Each is written beside its old one first.  The renaming, which takes microseconds, is done by a
    process of a session of its own, so that no signal meant for this one ends it half way.  Raises
    `MissingError` where the directory cannot be written or is full.
    """
    parts: list[tuple[Path, Path]] = []
    with _locked(directory):
        _sweep(directory)
        try:
            for name, data in files.items():
                part = directory / f".{name}.{os.getpid()}.lkm"
                parts.append((part, directory / name))
                with part.open("wb") as file:
                    file.write(data)
                part.chmod(0o644)
            _rename(parts)
        except OSError as error:
            raise MissingError(f"cannot write in {directory}: {error.strerror}") from error
        finally:
            for part, _ in parts:
                part.unlink(missing_ok=True)


def _rename(parts: list[tuple[Path, Path]]) -> None:
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                signal.signal(number, signal.SIG_IGN)
            for part, final in parts:
                os.rename(part, final)  # noqa: PTH104 - as little as can be between two of them
        finally:
            # At once, and without the clean-up of an interpreter that is the parent's.
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    if any(part.exists() for part, _ in parts):
        raise OSError(0, "the files could not be renamed")


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One at a time for each directory; the lock is the kernel's and ends with its holders."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise MissingError(f"cannot write in {directory}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _sweep(directory: Path) -> None:
    """Removes what killed processes left: with the lock held, every such file is one."""
    with os.scandir(directory) as entries:
        stale = [entry.path for entry in entries if _PART.fullmatch(entry.name)]
    for path in stale:
        Path(path).unlink(missing_ok=True)
