# SPDX-License-Identifier: MIT
"""Writing a set of files so that the old set or the new one is there, whatever is killed when: no mixture."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path

from lkm.errors import MissingError
from lkm.paths import locked_directory

_PART = re.compile(r"\.modules\.[a-z.]+\.\d+\.(lkm|part)")


Maker = Callable[[], bytes]


def commit_files(directory: Path, files: Mapping[str, Maker], *, beside: Container[str] = ()) -> None:
    """Replaces `files` of `directory`, all or none; each is made by its function.

    Each is written beside its old one first, those that are `beside` in a second process at the same
    time.  The renaming, which takes microseconds, is done by a process of a session of its own, so that
    no signal meant for this one ends it half way.  Raises `MissingError` where the directory cannot be
    written or is full, and what the functions raise.
    """
    parts = {name: directory / f".{name}.{os.getpid()}.lkm" for name in files}
    with locked_directory(directory):
        _sweep(directory)
        child = 0
        try:
            other = [name for name in files if name in beside]
            if other and len(os.sched_getaffinity(0)) > 1:
                child = _fork(lambda: _write(parts, files, other))
            _write(parts, files, [name for name in files if not child or name not in beside])
            if child:
                os.waitpid(child, 0)
                child = 0
            # What the other process could not make is made here, where its error can be told.
            _write(parts, files, [name for name, part in parts.items() if not part.exists()])
            _rename([(part, directory / name) for name, part in parts.items()])
        except OSError as error:
            raise MissingError(f"cannot write in {directory}: {error.strerror}") from error
        finally:
            if child:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            for part in parts.values():
                part.unlink(missing_ok=True)
                part.with_suffix(".part").unlink(missing_ok=True)


def _write(parts: Mapping[str, Path], files: Mapping[str, Maker], names: Iterable[str]) -> None:
    for name in names:
        data = files[name]()
        # Under its name only when it is whole: the other process may be killed at any moment.
        made = parts[name].with_suffix(".part")
        with made.open("wb") as file:
            file.write(data)
        made.chmod(0o644)
        made.rename(parts[name])


def _fork(job: Callable[[], None]) -> int:
    """A second process that does `job` and ends; its number."""
    child = os.fork()
    if child == 0:
        try:
            job()
        except BaseException:
            pass
        finally:
            # At once, and without the clean-up of an interpreter that is the first process's.
            os.kill(os.getpid(), signal.SIGKILL)
    return child


def _rename(parts: list[tuple[Path, Path]]) -> None:
    def job() -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        for part, final in parts:
            os.rename(part, final)  # noqa: PTH104 - as little as can be between two of them

    os.waitpid(_fork(job), 0)
    if any(part.exists() for part, _ in parts):
        raise OSError(0, "the files could not be renamed")


def _sweep(directory: Path) -> None:
    """Removes what killed processes left: with the lock held, every such file is one."""
    with os.scandir(directory) as entries:
        stale = [entry.path for entry in entries if _PART.fullmatch(entry.name)]
    for path in stale:
        Path(path).unlink(missing_ok=True)
