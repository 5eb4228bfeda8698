# SPDX-License-Identifier: MIT
"""The modules that were given to decode with: files, directories with them, sources that were built."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lkm.decode.code import CodeFile, open_code
from lkm.errors import LkmError
from lkm.module.file import is_module_file, module_name

_MOST_FILES = 4096  # modules of a directory that was given


def open_modules(paths: Sequence[Path], named: set[str]) -> dict[str, list[CodeFile]]:
    """The files given, by module; of directories and sources those modules alone that the log names.

    A source (a directory with a Kbuild file, or a C file) stands for what was built from it, for any kernel.
    Raises `BadInputError` for a file that cannot be read or is no module.
    """
    found: dict[str, list[CodeFile]] = {}
    for path in paths:
        many = path.is_dir() or path.suffix == ".c"
        for one in _files(path, named) if many else [path]:
            try:
                code = open_code(one)
            except LkmError:
                if many:
                    continue  # what lies there by chance
                raise
            found.setdefault(code.name, []).append(code)
    return found


def _files(path: Path, named: set[str]) -> list[Path]:
    wanted = sorted(_find_named(path, named))[:_MOST_FILES] if path.is_dir() else []
    return wanted + [one for one in find_made(path) if module_name(one.name) in named]


def find_made(path: Path) -> list[Path]:
    """The modules in the cache that were built from a source.

    Of a C file also those from the directory that it is in; of a directory those from one of its C files.
    """
    from lkm.paths import find_built

    others = [path.parent] if path.suffix == ".c" else sorted(path.glob("*.c"))[:_MOST_FILES]
    return [one for source in (path, *others) for one in find_built(source)]


def _find_named(directory: Path, named: set[str]) -> Iterator[Path]:
    """The files of modules with these names below a directory; what cannot be read is left out."""
    for place, _, names in os.walk(directory):
        for name in names:
            if is_module_file(name) and module_name(name) in named:
                yield Path(place, name)


def missing_words(name: str, paths: Sequence[Path], named: set[str]) -> str:
    """Why there are no source lines of a module: what was given in its place, and what to type.

    `named`: the modules that the log names.
    """
    from lkm.paths import source_of

    begin = f"no source lines of {name}: "
    files = [path for path in paths if not path.is_dir() and path.suffix != ".c"]
    others = [path for path in paths if path not in files]
    if others:
        path = others[0]
        if is_source(path) and not any(find_made(path)):
            what = "is not built" if path.suffix == ".c" else "holds no .ko"
            return f"{begin}{path} {what}: lkm build {path}"
        if path.suffix == ".c":
            return f"{begin}what was built from {path} has no {name}.ko (--module {name}.ko)"
        return f"{begin}{path} has no {name}.ko, and none was built from it (--module {name}.ko)"
    wrong = next((path for path in files if module_name(path.name) not in named), None)
    if wrong is not None:
        shown = wrong.name if source_of(wrong.absolute()) else wrong  # a path in the cache says nothing
        is_it = f"{shown} is the module {module_name(wrong.name)}"
        return f"{begin}{is_it}; the log has {name} (--module {name}.ko)"
    return f"{begin}its .ko was not given (--module {name}.ko)"


def is_source(path: Path) -> bool:
    """Whether it is a module source."""
    from lkm.kbuild import find_source

    try:
        return bool(find_source(path))
    except LkmError:
        return False
