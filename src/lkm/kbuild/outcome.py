# SPDX-License-Identifier: MIT
"""What Kbuild left in its directory: which modules it made, and in what order they can be loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

# modpost writes this into each NAME.mod.c (scripts/mod/modpost.c, add_depends).
_DEPENDS = re.compile(r'MODULE_INFO\(depends, "(?P<names>[^"]*)"\)')


def read_modules(work: Path) -> tuple[Path, ...]:
    """The modules that Kbuild made in `work`, those that export a symbol before those that use it.

    Read from modules.order, which lists `.ko` up to 6.1 and `.o` since 6.2 (f65a486821cf), by absolute
    path or, since 6.13 (13b25489b6f8), relative to the module's directory.
    """
    try:
        lines = (work / "modules.order").read_text().split()
    except OSError:
        return ()
    listed = [(work / line).with_suffix(".ko") for line in lines]
    by_name = {path.stem.replace("-", "_"): path for path in dict.fromkeys(listed) if path.is_file()}
    ordered: dict[str, Path] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in by_name and name not in ordered and name not in above:
            for other in read_depends(by_name[name]):
                add(other, (*above, name))
            ordered[name] = by_name[name]

    for name in by_name:
        add(name, ())
    return tuple(ordered.values())


def read_depends(module: Path) -> list[str]:
    """The names of the modules whose symbols a just built module uses, as modpost found them."""
    try:
        match = _DEPENDS.search(module.with_suffix(".mod.c").read_text())
    except OSError:
        return []
    return [name.replace("-", "_") for name in match["names"].split(",") if name] if match else []


def remove_stale(work: Path, modules: tuple[Path, ...]) -> None:
    """Removes the `.ko` files in `work` that are no longer made."""
    for path in list(walk(work, ".ko")):
        if path not in modules:
            path.unlink(missing_ok=True)


def publish(modules: Iterable[Path], *, work: Path, to: Path) -> tuple[Path, ...]:
    """Copies finished modules from `work` to `to`, each whole or not at all, and returns them there.

    Who reads a module there while it is made again sees the old or the new one.  What is no longer made is
    removed.
    """
    made = []
    for module in modules:
        target = to / os.path.relpath(module, work)
        made.append(target)
        data = module.read_bytes()
        if target.is_file() and target.read_bytes() == data:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".new-{target.name}.{os.getpid()}")
        part.write_bytes(data)
        part.rename(target)
    for path in list(walk(to, ".ko")):
        if path not in made:
            path.unlink(missing_ok=True)
    return tuple(made)


def walk(work: Path, suffix: str) -> Iterator[Path]:
    """The files below `work` whose name ends so; links to directories are not followed."""
    for directory, _, names in os.walk(work):
        for name in names:
            if name.endswith(suffix):
                yield Path(directory, name)
