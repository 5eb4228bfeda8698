# SPDX-License-Identifier: MIT
"""A new module source that builds and loads at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lkm import paths
from lkm.errors import UsageError

# include/linux/moduleparam.h: MODULE_NAME_LEN is 64 - sizeof(unsigned long), the final NUL included.
MAX_NAME = 55
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# What the file of that name is to Kbuild or to the kernel itself.
_KBUILD_WORDS = frozenset({"modules", "vmlinux", "built_in", "kernel", "linux", "clean", "test"})
_FILES = {
    "module.c.in": "@NAME@.c",
    "Makefile.in": "Makefile",
    "gitignore.in": ".gitignore",
    "test.py.in": "test_@NAME@.py",
}


def new_module(name: str, *, parent: Path) -> Path:
    """Writes the module source `parent`/`name` and returns its directory; it is there whole or not at all.

    It holds the module with two parameters, a Makefile for Kbuild and for make by hand, a .gitignore and
    a test.  Raises `UsageError` with the reason for a name that cannot be a module's, or that is taken.
    """
    check_name(name)
    directory = parent / name
    if os.path.lexists(directory):
        raise UsageError(f"{directory} is there already", hint=f"lkm new {_free_name(name, parent)}")
    with paths.new_directory(directory.absolute()) as part:
        for template, target in _FILES.items():
            text = _read_resource(template)
            text = text.replace("@NAME@", name).replace("@AUTHOR@", _author())
            (part / target.replace("@NAME@", name)).write_text(text, encoding="utf-8")
    return directory


def check_name(name: str) -> None:
    """Raises `UsageError` with the reason, and a name that would do, where `name` cannot be a module's."""
    reason = _objection(name)
    if reason:
        if "/" in name and _NAME.fullmatch(Path(name).name):
            path = Path(name)
            raise UsageError(
                f"'{name}' is a path, and a module's name is wanted",
                hint=f"lkm new {path.name} -C {path.parent}",
            )
        better = re.sub(r"\W+", "_", name.strip(), flags=re.ASCII).strip("_")[:MAX_NAME]
        better = better if better and not better[0].isdigit() else f"my_{better}".rstrip("_")
        better = f"my_{better}"[:MAX_NAME] if _objection(better) else better
        raise UsageError(f"'{name}' cannot be a module's name: {reason}", hint=f"lkm new {better}")


def _objection(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > MAX_NAME:
        return f"it has {len(name)} characters, the kernel keeps {MAX_NAME} (MODULE_NAME_LEN)"
    if "/" in name:
        return "it is a path"
    if "-" in name and _NAME.fullmatch(name.replace("-", "_")):
        return "it has a dash, which the kernel turns into an underscore and C does not know"
    if name[0].isdigit():
        return "it starts with a digit, and C functions are named after it"
    if not _NAME.fullmatch(name):
        bad = next((char for char in name if not re.match(r"\w", char, re.ASCII)), name[0])
        return f"it has the character {bad!r}; letters, digits and underscores do, a letter first"
    if name in _read_words("c_words.in"):
        return "it is a word of the language"
    if name in _KBUILD_WORDS:
        return "it means something else to the kernel's build"
    if name in _read_words("reserved.in"):
        return f"the kernel has a {name}_init or {name}_exit of its own"
    return ""


def _read_words(resource: str) -> frozenset[str]:
    return frozenset(
        line for line in _read_resource(resource).splitlines() if line and not line.startswith("#")
    )


def _read_resource(name: str) -> str:
    from importlib.resources import files

    return (files("lkm.kbuild") / "templates" / name).read_text(encoding="utf-8")


def _free_name(name: str, parent: Path) -> str:
    return next(
        candidate for number in range(2, 1000) if not (parent / (candidate := f"{name}{number}")).exists()
    )


def _author() -> str:
    """The person's name, as the password file has it, or a name to be replaced."""
    import pwd

    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:
        return "Your Name"
    name = entry.pw_gecos.split(",")[0].strip()
    plain = name and name != "root" and re.fullmatch(r"[\w .'-]+", name)
    return name if plain else "Your Name"
