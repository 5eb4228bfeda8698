# SPDX-License-Identifier: MIT
"""Finding modules in a modules directory, with or without the files that depmod writes there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lkm.errors import BadInputError
from lkm.modtree.built import find_built, is_build
from lkm.module import SUFFIXES, module_name

# Links to the sources and the build directory: never entered, they may lead anywhere.
_NOT_MODULES = frozenset({"build", "source"})


def fold_name(name: str) -> str:
    """A module's name with dashes as underscores, those in a `[...]` of an alias pattern left alone.

    Source: kmod, shared/util.c `alias_normalize`.
    """
    if "[" not in name:
        return name.replace("-", "_")
    folded = []
    inside = False
    for letter in name:
        inside = (inside or letter == "[") and letter != "]"
        folded.append("_" if letter == "-" and not inside else letter)
    return "".join(folded)


class ModuleFiles:
    """The files of a modules directory by name, looked for with as little reading as will do.

    First in the directories beside `kernel` (`updates` first, as depmod's default search has it), then
    in `modules.order`, which the kernel's build writes, and only then by a walk through all.  Of a build
    directory only `modules.order` counts.
    """

    def __init__(self, modules_dir: Path) -> None:
        self.modules_dir = modules_dir

    @cached_property
    def _is_build(self) -> bool:
        return is_build(self.modules_dir)

    @cached_property
    def _beside(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for directory in _beside_kernel(self.modules_dir):
            for path in iter_module_files(directory):
                found.setdefault(module_name(path.name), path)
        return found

    @cached_property
    def _ordered(self) -> dict[str, str]:
        lines = _read_text(self.modules_dir / "modules.order").splitlines()
        return {module_name(line): line.removesuffix(".ko") for line in reversed(lines) if line}

    @cached_property
    def _walked(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for path in sorted(iter_module_files(self.modules_dir)):
            found.setdefault(module_name(path.name), path)
        return found

    def find(self, name: str, *, walk: bool = True) -> Path | None:
        """The file of the module `name`, or None; without `walk`, one that only a walk shows is missed."""
        wanted = fold_name(name)
        if self._is_build:
            return find_built(self.modules_dir, wanted)
        if wanted in self._beside:
            return self._beside[wanted]
        stem = self._ordered.get(wanted)
        if stem is not None:
            for suffix in SUFFIXES:
                path = self.modules_dir / (stem + suffix)
                if path.is_file():
                    return path
        return self._walked.get(wanted) if walk or not self._ordered else None


def find_module(modules_dir: Path, name: str) -> Path | None:
    """The file of the module `name` (dashes and underscores alike), or None.

    None for a built-in module too: `built_in_modules` tells them.  Where several files have the name,
    the one in `updates` or another directory beside `kernel` is taken, as depmod's default search does.
    """
    return ModuleFiles(modules_dir).find(name)


def iter_module_files(directory: Path) -> Iterator[Path]:
    """All module files below `directory`, in no order; symbolic links to directories are not followed."""
    waiting = [str(directory)]
    while waiting:
        place = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            raise BadInputError(f"cannot read {place}: {error.strerror}") from error
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.name.endswith(SUFFIXES) and entry.is_file():
                yield Path(entry.path)


def _beside_kernel(modules_dir: Path) -> list[Path]:
    try:
        with os.scandir(modules_dir) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError as error:
        raise BadInputError(f"cannot read {modules_dir}: {error.strerror}") from error
    names.sort(key=lambda name: name != "updates")
    return [modules_dir / name for name in names if name not in {"kernel", *_NOT_MODULES}]


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
