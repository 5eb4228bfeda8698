# SPDX-License-Identifier: MIT
"""The kernels that were built here, by name: `own:NAME` is the build directory `own/NAME` in the cache.

A build directory that lies elsewhere has a symbolic link there.  Nothing is read of what is in it.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import UsageError
from lkm.paths import cache_dir, locked, make_dir

PREFIX = "own:"
# A file's name that is no path, and that does not look like an option.
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,127}")
# Names that mean something else to --kernel: the running kernel, providers, a series of theirs.
_TAKEN = re.compile(r"host|own|debian|ubuntu|fedora|arch|\d+\.\d+")


@dataclass(frozen=True, slots=True)
class OwnKernel:
    """A kernel built here.  `build`: its build directory, resolved; `linked`: it lies outside the cache."""

    name: str
    build: Path
    linked: bool

    @property
    def full_name(self) -> str:
        """What `--kernel` takes, whatever else has that name."""
        return f"{PREFIX}{self.name}"

    @property
    def is_there(self) -> bool:
        """Whether the build directory still is where it was."""
        return self.build.is_dir()


def own_dir() -> Path:
    """Where own kernels are kept: build directories, and links to those that lie elsewhere."""
    return cache_dir() / "own"


def list_own() -> list[OwnKernel]:
    """The own kernels by name, those whose linked directory is gone too."""
    try:
        names = sorted(entry.name for entry in os.scandir(own_dir()))
    except OSError:
        return []
    return [own for name in names if (own := find_own(name)) is not None]


def find_own(name: str) -> OwnKernel | None:
    """The own kernel `NAME` or `own:NAME`; None where there is none."""
    name = name.removeprefix(PREFIX)
    place = own_dir() / name
    if not _NAME.fullmatch(name):
        return None
    linked = place.is_symlink()
    if not linked and not place.is_dir():
        return None
    return OwnKernel(name, place.resolve(), linked)


def find_own_at(build: Path) -> OwnKernel | None:
    """The own kernel whose build directory is `build`; None where that has no name."""
    build = build.resolve()
    return next((own for own in list_own() if own.build == build), None)


def register_own(name: str, build: Path) -> OwnKernel:
    """Gives the build directory `build` (which exists) the name `own:NAME`.

    A name whose directory is gone is free.  Raises `UsageError` for a name that cannot be one, or that
    another directory has.
    """
    check_name(name)
    build = build.resolve()
    place = make_dir(own_dir()) / name
    with locked(own_dir() / ".lock"):
        known = find_own(name)
        if known is not None and known.build != build:
            if known.is_there:
                raise UsageError(
                    f"{known.full_name} is another build already: {known.build}",
                    hint=f"another name: --name {name}-2; or lkm kernel remove {known.full_name}",
                )
            place.unlink()
            known = None
        if known is None:
            place.symlink_to(build)
    return OwnKernel(name, build, place.is_symlink())


def check_name(name: str) -> None:
    """Raises `UsageError` where an own kernel cannot have the name `name`."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is no name for a kernel: letters, digits, and . + ~ _ - after the first",
            hint="--name 6.12-mine",
        )
    if _TAKEN.fullmatch(name):
        raise UsageError(f"'{name}' means another kernel already", hint=f"--name {name}-mine")


def remove_own(name: str) -> int:
    """Removes an own kernel; the bytes freed.

    A build directory in the cache goes with all that is in it; of one that lies elsewhere only the name goes.
    Raises `UsageError` where there is none.
    """
    own = find_own(name)
    if own is None:
        raise UsageError(f"no kernel '{name}' was built here", hint="lkm kernel list")
    place = own_dir() / own.name
    if own.linked:
        with contextlib.suppress(FileNotFoundError):
            place.unlink()
        return 0
    from lkm.kernel.store import remove_directory

    return remove_directory(place)
