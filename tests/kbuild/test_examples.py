# SPDX-License-Identifier: MIT
"""The examples build without a word on every series, and have what a reader needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.kbuild import build
from lkm.kernel import Kernel

EXAMPLES = sorted(
    path for path in (Path(__file__).parents[2] / "examples").iterdir() if (path / "Makefile").exists()
)
MODULES = {
    "first": ["first"],
    "hello": ["hello"],
    "exports": ["greeter", "visitor"],
    "poweroff": ["poweroff"],
    "crash": ["crash"],
}


def test_all_are_there() -> None:
    assert set(MODULES) <= {path.name for path in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_readme_and_licence(example: Path) -> None:
    assert f"examples/{example.name}" in (example / "README.md").read_text()
    for path in [*example.glob("*.[ch]"), example / "Makefile"]:
        assert "SPDX-License-Identifier: GPL-2.0" in path.read_text().splitlines()[0]


@pytest.mark.fetch
@pytest.mark.parametrize("series", ["6.1", "6.12", "7.3"])
@pytest.mark.parametrize("name", MODULES)
def test_builds(name: str, series: str, examples: Path, kernel_named: Callable[[str], Kernel]) -> None:
    built = build(examples / name, kernel=kernel_named(f"debian:{series}"))
    assert built.ok, built.log
    assert [path.stem for path in built.modules] == MODULES[name]
    assert built.diagnostics == ()
