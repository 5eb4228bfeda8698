# SPDX-License-Identifier: MIT
"""Which source file an initcall is from: its KBUILD_MODNAME, matched with what the kernel was built of.

An own build lists its object files in vmlinux.a (a thin archive, ar(5)); headers list in modules.builtin
what could have been modules.  Where several files have one name, the line in the sources decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.boot.value import Initcall

if TYPE_CHECKING:
    from lkm.kernel import Kernel

_THIN = b"!<thin>\n"
_LIMIT = 8 << 20  # bytes of a list of names


def add_origins(initcalls: Iterable[Initcall], kernel: Kernel) -> list[Initcall]:
    """The same with `source`, where what is at hand of the kernel says it for certain."""
    objects = _group(read_objects(kernel.build / "vmlinux.a")) if kernel.build is not None else {}
    builtin = _group(_read_builtin(kernel))
    tree = kernel.build / "source" if kernel.build is not None else None
    if tree is not None and not tree.is_dir():
        tree = kernel.build
    found = []
    for one in initcalls:
        key = one.module.replace("-", "_")
        source = _choose(one, objects.get(key, ()), tree)
        modules = builtin.get(key, ())
        if not source and len(modules) == 1:
            source = modules[0]
        found.append(replace(one, source=source))
    return found


def read_objects(archive: Path) -> list[str]:
    """The files that a thin archive names; none for another file."""
    with suppress(OSError), archive.open("rb") as stream:
        data = stream.read(_LIMIT)
        if data.startswith(_THIN) and (at := data.find(b"//")) >= 0:
            head = data[at : at + 60]
            is_member = head[58:] == b"`\n" and head[48:58].strip().isdigit()
            size = int(head[48:58]) if is_member else 0
            names = data[at + 60 : at + 60 + size].decode("utf-8", "replace").split("/\n")
            return [name for name in names if name]
    return []


def _read_builtin(kernel: Kernel) -> list[str]:
    for directory in (kernel.modules, kernel.build):
        if directory is not None:
            with suppress(OSError):
                return (directory / "modules.builtin").read_text(errors="replace").split()
    return []


def _group(paths: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(Path(path).name.split(".")[0].replace("-", "_"), []).append(path)
    return found


def _choose(one: Initcall, objects: Iterable[str], tree: Path | None) -> str:
    sources = [f"{path.removesuffix('.o')}.c" for path in objects if path.endswith(".o")]
    if tree is not None and one.line and (tree / "Kconfig").is_file():
        sources = [path for path in sources if _has(tree / path, one)]
    return sources[0] if len(sources) == 1 else ""


def _has(path: Path, one: Initcall) -> bool:
    """Whether that line of the file registers the function (or a macro there does, with part of its name)."""
    with suppress(OSError), path.open(errors="replace") as stream:
        lines = [line for number, line in enumerate(stream, 1) if one.line - 2 <= number <= one.line + 2]
        return any(one.name in line or "module_" in line or "initcall" in line for line in lines)
    return False
