# SPDX-License-Identifier: MIT
"""Which files of a modules directory count: depmod.d, and which of several with one name wins.

Source: kmod, tools/depmod.c (`cfg_file_parse`, `depmod_modules_search`,
`depmod_module_is_higher_priority`); man 5 depmod.d.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lkm.errors import BadInputError
from lkm.modtree.built import ORDER, is_build, list_built
from lkm.module import SUFFIXES, module_name

# The first directory that has a file of some name wins; then all are read by name.
CONFIG_DIRS = (
    "/etc/depmod.d",
    "/run/depmod.d",
    "/usr/local/lib/depmod.d",
    "/usr/lib/depmod.d",
    "/lib/depmod.d",
)
BUILT_IN, EXTERNAL = "built-in", "external"
_NOT_ENTERED = ("build", "source")
_RACY = 2_000_000_000  # ns that the times of any file system tell apart
_DEEPEST = 64  # directories within directories: symbolic links may lead in circles


@dataclass(frozen=True, slots=True)
class DepmodConfig:
    """depmod.d for one release.

    `search`: directories by rising priority, the words `built-in` and `external` among them.
    `overrides`: `directory/module` without suffix, the last one given first.  `external`:
    directories elsewhere, absolute.  `exclude`: names of files and directories to pass over.
    """

    search: tuple[str, ...] = ("updates",)
    overrides: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    exclude: frozenset[str] = frozenset()


Stamp = tuple[int, int, int]


class Found(NamedTuple):
    """A module file: `path` relative to the modules directory (absolute outside it), and what tells
    whether it was changed since: (size, modification time in ns, inode)."""

    path: str
    name: str
    stamp: Stamp


def read_depmod_config(release: str, paths: Sequence[str | Path] | None = None) -> DepmodConfig:
    """depmod.d for the kernel `release`, from `paths` (files or directories; default: the system's).

    A line that is not understood is passed over, as depmod does.  Raises `BadInputError` where a
    file is there but cannot be read.
    """
    search: list[str] = []
    overrides: list[str] = []
    external: list[str] = []
    exclude: set[str] = set()
    for file in config_files(CONFIG_DIRS if paths is None else paths):
        for words in config_lines(file):
            match words:
                case ["search", *names]:
                    search += names
                case ["override", module, version, directory, *_] if _matches(version, release):
                    overrides.append(f"{directory}/{module}")
                case ["external", version, directory, *_] if _matches(version, release):
                    external.append(directory)
                case ["exclude", *names]:
                    exclude |= set(names)
    # kmod keeps both as stacks: the last one read is looked at first.
    return DepmodConfig(
        tuple(reversed(search)) or ("updates",),
        tuple(reversed(overrides)),
        tuple(reversed(external)),
        frozenset(exclude),
    )


def config_files(paths: Iterable[str | Path]) -> list[Path]:
    """The `.conf` files of these directories (or files) in the order to be read."""
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        if path.is_dir():
            try:
                names = sorted(entry.name for entry in path.iterdir())
            except OSError as error:
                raise BadInputError(f"cannot read {path}: {error.strerror}") from error
            for name in names:
                if name.endswith(".conf") and not name.startswith(".") and len(name) > 5:
                    found.setdefault(name, path / name)
        elif path.exists():
            found.setdefault(path.name, path)
    return [found[name] for name in sorted(found) if not found[name].is_dir()]


def config_lines(path: Path) -> list[list[str]]:
    """The words of each line; a backslash at the end joins a line with the next, `#` begins a comment."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    lines = text.replace("\\\n", "").split("\n")
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def _matches(pattern: str, release: str) -> bool:
    if pattern == "*":
        return True
    try:
        return re.search(pattern, release) is not None
    except re.error:
        return False


def find_files(modules_dir: Path, config: DepmodConfig) -> list[Found]:
    """The module files that count, one for each name, by path.

    Links to files and directories are followed.  Raises `BadInputError` where the directory cannot
    be read; unreadable ones below it are passed over.
    """
    return choose_files(walk_files(modules_dir, config)[0], config)


class Walked(NamedTuple):
    """How to tell that no module file came or went since a walk.

    `top`: what of the modules directory itself counts, by name: depmod's own files change its time.
    `times`: modification time in ns of each directory looked into, by its path as in `Found`; 0 where it
    had been changed just before, so that a later change may have the same time.
    """

    top: tuple[str, ...]
    times: dict[str, int]


def walk_files(modules_dir: Path, config: DepmodConfig) -> tuple[list[tuple[str, Stamp]], Walked]:
    """All module files of a directory, and of external ones, as `Found` has their paths and stamps.

    Errors as of `find_files`.
    """
    if is_build(modules_dir):
        return _walk_build(modules_dir)
    times: dict[str, int] = {}
    root = str(modules_dir)
    top = _top(root, config.exclude)
    found = _walk(root, config.exclude, times, outside=False)
    del times[root]
    cut = len(root) + 1
    times = {place[cut:]: stamp for place, stamp in times.items()}
    for place in config.external:
        if Path(place).is_dir():
            found += _walk(place, config.exclude, times, outside=True)
        else:
            times[place] = 0
    late = time.time_ns() - _RACY
    return found, Walked(top, {place: stamp if stamp < late else 0 for place, stamp in times.items()})


def _walk_build(build: Path) -> tuple[list[tuple[str, Stamp]], Walked]:
    """The same of a build directory, whose `modules.order` says what its modules are."""
    found = []
    for path in list_built(build):
        status = path.stat()
        found.append((str(path.relative_to(build)), (status.st_size, status.st_mtime_ns, status.st_ino)))
    return found, Walked((), {ORDER: 0})


def find_changed(
    modules_dir: Path, config: DepmodConfig, old: Walked, files: Sequence[tuple[Any, ...]]
) -> list[tuple[int, Stamp]] | None:
    """Which of the files of an earlier walk were changed: (number, stamp now) of each.

    `files`: rows that begin as `Found`.  None where files came or went, or may have.  Asks for a time of
    each directory in place of reading it, which takes half as long.
    """
    # Relative to the directory's descriptor: a short way to each of thousands of files.
    changed = []
    stat_of = os.stat
    try:
        root = os.open(modules_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _top(str(modules_dir), config.exclude) != old.top:
            return None
        for place, stamp in old.times.items():
            if not stamp or stat_of(place, dir_fd=root).st_mtime_ns != stamp:
                return None
        for number, file in enumerate(files):
            status = stat_of(file[0], dir_fd=root)
            now = (status.st_size, status.st_mtime_ns, status.st_ino)
            if now != file[2]:
                if not stat.S_ISREG(status.st_mode):
                    return None
                changed.append((number, now))
    except OSError:
        return None
    finally:
        os.close(root)
    return changed


def _top(root: str, exclude: frozenset[str]) -> tuple[str, ...]:
    skip = {*_NOT_ENTERED, *exclude}
    try:
        with os.scandir(root) as entries:
            return tuple(
                sorted(
                    entry.name
                    for entry in entries
                    if entry.name not in skip and (entry.name.endswith(SUFFIXES) or entry.is_dir())
                )
            )
    except OSError as error:
        raise BadInputError(f"cannot read {root}: {error.strerror}") from error


def choose_files(files: Iterable[tuple[str, Stamp]], config: DepmodConfig) -> list[Found]:
    """Of several files with a module's name the one that depmod.d prefers; by path."""
    chosen: dict[str, Found] = {}
    for path, stamp in files:
        name = module_name(path)
        old = chosen.get(name)
        if old is None or _rank(path, config) > _rank(old.path, config):
            chosen[name] = Found(path, name, stamp)
    return sorted(chosen.values())


def given_files(modules_dir: Path, files: Iterable[Path]) -> list[Found]:
    """Module files named one by one, as `find_files` gives them; of one name the first counts.

    Raises `BadInputError` where one is not there.
    """
    chosen: dict[str, Found] = {}
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise BadInputError(f"cannot read {file}: {error.strerror}") from error
        path = str(file.relative_to(modules_dir)) if file.is_relative_to(modules_dir) else str(file)
        found = Found(path, module_name(file.name), (status.st_size, status.st_mtime_ns, status.st_ino))
        chosen.setdefault(found.name, found)
    return sorted(chosen.values())


def _walk(
    root: str, exclude: frozenset[str], times: dict[str, int], *, outside: bool
) -> list[tuple[str, Stamp]]:
    found: list[tuple[str, Stamp]] = []
    cut = 0 if outside else len(root) + 1
    waiting = [(root, 0)]
    skip = {*_NOT_ENTERED, *exclude}
    while waiting:
        place, depth = waiting.pop()
        try:
            # Before it is read: what comes later shows.
            times[place] = os.stat(place).st_mtime_ns  # noqa: PTH116 - a Path for each takes longer
            entries = os.scandir(place)
        except OSError as error:
            if place == root:
                raise BadInputError(f"cannot read {place}: {error.strerror}") from error
            continue
        with entries:
            for entry in entries:
                name = entry.name
                if name in skip:
                    continue
                if name.endswith(SUFFIXES):
                    try:
                        status = entry.stat()
                    except OSError:
                        continue  # a link that leads nowhere
                    if stat.S_ISREG(status.st_mode):
                        stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
                        found.append((entry.path[cut:], stamp))
                        continue
                if entry.is_dir() and depth < _DEEPEST:
                    waiting.append((entry.path, depth + 1))
    return found


def _rank(path: str, config: DepmodConfig) -> tuple[int, int, str]:
    """What the priority of a file is compared by: overrides first, then the search order."""
    directory, _, name = path.rpartition("/")
    stem = f"{directory}/{name.partition('.')[0]}"
    override = len(config.overrides) - config.overrides.index(stem) if stem in config.overrides else 0
    priority = built_in = -1
    number = 0
    for entry in config.search:
        if entry == BUILT_IN:
            built_in = number
        elif entry == EXTERNAL:
            for outside in config.external:
                if path.startswith(outside + "/"):
                    priority = number
                number += 1
        elif path.startswith(entry + "/"):
            priority = number
        number += 1
    # Of two that are equal else, the one that comes first by name, so that the answer is always the same.
    return override, priority if priority >= 0 else built_in, _reversed(path)


def _reversed(path: str) -> str:
    return "".join(chr(0x10FFFF - ord(letter)) for letter in path)
