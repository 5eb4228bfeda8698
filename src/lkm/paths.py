# SPDX-License-Identifier: MIT
"""Where things live, by the XDG base directory specification."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from lkm.errors import MissingError

SOURCE_NAME = "source"  # a file beside the builds of a source, with its path


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # The specification: a relative path is invalid and must be ignored.
    base = Path(value) if value.startswith("/") else Path.home() / default
    return base / "lkm"


def cache_dir() -> Path:
    """All that can be fetched or made again: `$LKM_CACHE`, else `$XDG_CACHE_HOME/lkm`."""
    override = os.environ.get("LKM_CACHE", "")
    return Path(override).absolute() if override else _xdg("XDG_CACHE_HOME", ".cache")


def config_file() -> Path:
    """The user's own `lkm.toml` (`$XDG_CONFIG_HOME/lkm/lkm.toml`)."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "lkm.toml"


def data_dir() -> Path:
    """What a person would miss, such as keys (`$XDG_DATA_HOME/lkm`)."""
    return _xdg("XDG_DATA_HOME", ".local/share")


def state_dir() -> Path:
    """What is kept between runs and can be lost (`$XDG_STATE_HOME/lkm`)."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def short_digest(text: str) -> str:
    """A text as a name of 16 letters: sha256, cut."""
    import hashlib  # few starts have a use for it

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def builds_dir(source: Path) -> Path:
    """Where in the cache all that is built from one module source lies: `KEY/ko/…` for each kernel."""
    return cache_dir() / "build" / short_digest(str(source))


def find_built(source: Path) -> list[Path]:
    """The modules in the cache that were built from a source, for any kernel, the newest first."""
    found = builds_dir(source.resolve()).glob("*/ko/**/*.ko")
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def source_of(module: Path) -> Path | None:
    """The source that a module in the cache was built from; None for one that is elsewhere."""
    builds = cache_dir() / "build"
    if not module.is_relative_to(builds):
        return None
    note = builds / module.relative_to(builds).parts[0] / SOURCE_NAME
    try:
        return Path(note.read_text(errors="surrogateescape"))
    except OSError:
        return None


def make_dir(path: Path) -> Path:
    """Makes `path` with its parents; raises `MissingError` where that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingError(
            f"cannot write {path}: {error.strerror}", hint="export LKM_CACHE=/some/writable/directory"
        ) from error
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on the file `path` until the block or the process ends."""
    make_dir(path.parent)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise MissingError(
            f"cannot write {path}: {error.strerror}", hint="export LKM_CACHE=/some/writable/directory"
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def locked_directory(directory: Path) -> Iterator[None]:
    """Holds an exclusive lock on `directory` itself, which is made where it is not there.

    The lock leaves nothing behind, and ends with the process and those it forked.  Raises `MissingError`
    where the directory cannot be made or read.
    """
    while True:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise MissingError(f"cannot write in {directory}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:
                yield
                return
        finally:
            os.close(fd)
        # Who held it has removed it meanwhile: it is another one now.


@contextlib.contextmanager
def new_directory(final: Path) -> Iterator[Path]:
    """Gives an empty directory beside `final` to fill, and renames it to `final` if the block succeeds.

    `final` is there whole or not at all, whatever is killed when: a directory left by a killed process
    is removed by the next call for the same `final`.  An existing `final` is replaced.  Callers that may
    meet hold `locked()` on a name of their own.
    """
    import shutil  # these two cost a start more than all the rest here
    import tempfile

    make_dir(final.parent)
    for stale in final.parent.glob(f".new-{final.name}.*"):
        shutil.rmtree(stale, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f".new-{final.name}.", dir=final.parent))
    part.chmod(0o755)
    try:
        yield part
        if final.exists():
            old = Path(tempfile.mkdtemp(prefix=f".new-{final.name}.", dir=final.parent))
            final.rename(old / "old")
            part.rename(final)
            shutil.rmtree(old, ignore_errors=True)
        else:
            part.rename(final)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
