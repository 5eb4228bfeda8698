# SPDX-License-Identifier: MIT
"""The modules of a kernel's build directory, which lie scattered: its `modules.order` tells where.

A file that an earlier configuration left there is none of them.
"""

from __future__ import annotations

from pathlib import Path

from lkm.errors import BadInputError
from lkm.module import module_name

ORDER = "modules.order"


def is_build(directory: Path) -> bool:
    """Whether a directory of modules is a kernel's build directory rather than an installed one."""
    # Kbuild's split of .config (scripts/kconfig, include/config/); modules_install leaves nothing like it.
    return (directory / "include/config").is_dir()


def read_order(directory: Path) -> list[str]:
    """The modules that a directory's `modules.order` names, as `.ko` paths below it; [] without the file.

    A build directory's has `.o` since Linux 6.2 (f65a486821cf), and `kernel/` before each up to 5.3.
    """
    try:
        text = (directory / ORDER).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    names = [f"{line.removesuffix('.ko').removesuffix('.o')}.ko" for line in text.split("\n") if line]
    return [_strip(directory, name) for name in names] if is_build(directory) else names


def _strip(build: Path, name: str) -> str:
    plain = name.removeprefix("kernel/")
    return plain if plain != name and not (build / name).is_file() and (build / plain).is_file() else name


def list_built(build: Path) -> list[Path]:
    """The module files of a build directory that are there, in the order of the build."""
    return [path for name in read_order(build) if (path := build / name).is_file()]


def find_built(build: Path, name: str) -> Path | None:
    """The file of the module `name` (with underscores), None where the build has none of that name.

    Raises `BadInputError` where it is missing: the build broke off, or the file was removed.
    """
    for line in read_order(build):
        if module_name(line) == name:
            path = build / line
            if not path.is_file():
                raise BadInputError(
                    f"{path} is not there, though {build / ORDER} names it: that build broke off",
                    hint=f"lkm kernel build -O {build} modules",
                )
            return path
    return None
