# SPDX-License-Identifier: MIT
"""The picture in docs/architecture.md holds: imports go down only, printing and exiting are the command's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lkm"
GROUND = "errors", "version", "paths", "process", "config", "progress", "requirements"
FLOORS = [
    *[{name} for name in GROUND],
    {"elf"},
    {"module"},
    {"modtree"},
    {"release"},
    {"kernel"},
    {"kconfig"},
    {"hardware"},
    {"verdict"},
    {"kbuild"},
    {"compile"},
    {"klog"},
    {"decode"},
    {"guest"},
    {"install"},
    {"boot"},
    {"leftovers"},
    {"job"},
    {"doctor"},
    {"show"},
    {"cli"},
]
LEVEL = {name: level for level, floor in enumerate(FLOORS) for name in floor}
FILES = sorted(SOURCE.rglob("*.py"))


def floor_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and floor of each import of a part of lkm, inside functions too, type checking included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "lkm":
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif node.module.startswith("lkm."):
                yield node.lineno, node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("lkm."):
                    yield node.lineno, alias.name.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    floor = floor_of(path)
    if floor in ("__init__", "__main__"):
        return
    assert floor in LEVEL, f"{path}: not in the picture; add its floor to docs/architecture.md and here"
    for line, name in imported(ast.parse(path.read_text())):
        if name == "__version__":
            continue
        assert name in LEVEL, f"{path}:{line}: imports lkm.{name}, which is not in the picture"
        allowed = LEVEL[name] < LEVEL[floor] or name == floor
        assert allowed, f"{path}:{line}: {floor} may not import {name}, a floor above it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_the_command_prints_and_exits(path: Path) -> None:
    if floor_of(path) in ("cli", "__main__"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        assert name not in ("print", "sys.exit", "exit", "os._exit"), f"{path}:{node.lineno}: {name}()"


def test_the_package_file_names_the_public_parts_and_holds_no_logic() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.FunctionDef, ast.If}


def test_every_source_says_its_licence() -> None:
    for path in [*FILES, *SOURCE.rglob("*.c")]:
        assert "SPDX-License-Identifier" in path.read_text().splitlines()[0], path
