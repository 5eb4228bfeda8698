# SPDX-License-Identifier: MIT
"""What the tests of guests share: modules that misbehave, built once, and guests to load them into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lkm.guest import Guest
from lkm.kbuild import build
from lkm.kernel import Kernel

MODULES = Path(__file__).parent / "modules"


@pytest.fixture(scope="session")
def module(kernel: Kernel) -> Callable[[str], Path]:
    """A built module of `modules/`, by name."""
    built = build(MODULES, kernel=kernel)
    assert built.ok, built.diagnostics
    paths = {path.stem: path for path in built.modules}
    return paths.__getitem__


@pytest.fixture(scope="session")
def hello(kernel: Kernel) -> Path:
    """The lecture's module, built."""
    built = build(Path(__file__).parents[2] / "examples" / "hello", kernel=kernel)
    assert built.ok, built.diagnostics
    return built.modules[0]


@pytest.fixture
def guest(kernel: Kernel) -> Iterator[Guest]:
    """A guest that was just started."""
    with Guest(kernel, timeout=60) as guest:
        yield guest
