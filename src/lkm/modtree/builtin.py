# SPDX-License-Identifier: MIT
"""Modules that are part of the kernel image: their names, and what they say of themselves."""

from __future__ import annotations

from pathlib import Path

from lkm.errors import BadInputError
from lkm.module import module_name

Information = tuple[tuple[str, str], ...]


def built_in_modules(modules_dir: Path) -> frozenset[str]:
    """Names of the modules that are part of the kernel image (`modules.builtin`); empty without the file."""
    return frozenset(built_in_paths(modules_dir))


def built_in_paths(modules_dir: Path) -> dict[str, str]:
    """Name and the place each would have as a module (`kernel/fs/ext4/ext4.ko`)."""
    try:
        text = (modules_dir / "modules.builtin").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {module_name(line): line for line in text.splitlines() if line}


def read_built_in_information(modules_dir: Path) -> dict[str, Information]:
    """`.modinfo` of each built-in module, from `modules.builtin.modinfo` (Linux 5.2 and later).

    Empty without the file.  Names are as there, which may be those of objects that are no modules.
    Raises `BadInputError` where a text has no module name before it.
    """
    path = modules_dir / "modules.builtin.modinfo"
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    found: dict[str, list[tuple[str, str]]] = {}
    offset = 0
    for raw in data.split(b"\0"):
        if raw:
            name, dot, text = raw.decode("utf-8", "surrogateescape").partition(".")
            if not dot:
                raise BadInputError(f"{path}: no module name in the text at offset {offset:#x}")
            key, _, value = text.partition("=")
            found.setdefault(name, []).append((key, value))
        offset += len(raw) + 1
    return {name: tuple(pairs) for name, pairs in found.items()}
