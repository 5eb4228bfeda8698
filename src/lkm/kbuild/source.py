# SPDX-License-Identifier: MIT
"""What a module source is: a directory with a Kbuild file that names modules, or one C file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lkm.errors import BadInputError, UsageError

# Documentation/kbuild/modules.rst, "Kbuild File Naming": Kbuild is preferred to Makefile.
KBUILD_NAMES = ("Kbuild", "Makefile")
_NAMES_MODULES = re.compile(r"\bobj-|^\s*-?include\b|\$\(eval\b", re.MULTILINE)
_SHOWN = 6  # names in a hint
_MAX_KBUILD_FILE = 1 << 20


def find_source(path: Path | str) -> Path:
    """The module source that `path` names, made absolute: a directory, or a single `.c` file.

    Raises `UsageError` where nothing is there, `BadInputError` where it is no module source, saying what was
    looked for and what lies near.
    """
    given = Path(path)
    if not given.exists():
        raise UsageError(f"{given}: there is no such file or directory", hint=_new_hint(given))
    try:
        source = given.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise BadInputError(f"{given}: {error}") from error
    if source.is_dir():
        _check_directory(source, given)
        return source
    if source.suffix == ".c" and source.is_file():
        return source
    if source.name in KBUILD_NAMES:
        _check_directory(source.parent, given.parent)
        return source.parent
    raise BadInputError(
        f"{given}: not a module source (a directory with a Kbuild or Makefile that says obj-m, or a .c file)"
    )


def find_kbuild_file(directory: Path) -> Path | None:
    """The file that Kbuild reads in `directory`, or None."""
    for name in KBUILD_NAMES:
        if (directory / name).is_file():
            return directory / name
    return None


def _check_directory(source: Path, given: Path) -> None:
    if not os.access(source, os.R_OK | os.X_OK):
        raise BadInputError(f"{given}: cannot be read", hint=f"ls -ld {given}")
    kbuild = find_kbuild_file(source)
    if kbuild is not None:
        text = kbuild.read_bytes()[:_MAX_KBUILD_FILE].decode("utf-8", "replace")
        if _NAMES_MODULES.search(text):
            return
        raise BadInputError(
            f"{given}/{kbuild.name} names no module (no line such as obj-m := hello.o)",
            hint=_near_hint(source, given),
        )
    raise BadInputError(
        f"{given}: no module source here (looked for Kbuild and Makefile)", hint=_near_hint(source, given)
    )


def _near_hint(source: Path, given: Path) -> str:
    """What the person may have meant: a directory below that is a module source, or C files without more."""
    try:
        entries = sorted(source.iterdir())
    except OSError:
        entries = []
    below = [one for one in entries if not one.name.startswith(".") and one.is_dir() and _is_source(one)]
    if below:
        names = ", ".join(one.name for one in below[:_SHOWN])
        more = f" and {len(below) - _SHOWN} more" if len(below) > _SHOWN else ""
        return f"lkm build {given / below[0].name}" + (f"; sources here: {names}{more}" if below[1:] else "")
    files = [one for one in entries if one.suffix == ".c" and not one.name.endswith(".mod.c")]
    if len(files) > 1:
        objects = " ".join(f"{one.stem}.o" for one in files)
        return f"write a Makefile that says what they make: obj-m := {objects}"
    return f"lkm build {given / files[0].name}" if files else "lkm new hello"


def _is_source(directory: Path) -> bool:
    kbuild = find_kbuild_file(directory)
    try:
        return kbuild is not None and b"obj-m" in kbuild.read_bytes()[:_MAX_KBUILD_FILE]
    except OSError:
        return False


def _new_hint(given: Path) -> str:
    return f"lkm new {given.name}" if re.fullmatch(r"[A-Za-z_]\w*", given.name) else ""
