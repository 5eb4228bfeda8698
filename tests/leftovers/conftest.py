# SPDX-License-Identifier: MIT
"""The modules that each forget one thing, built once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import lkm
from lkm.kernel import Kernel

MODULES = Path(__file__).parent / "modules"


@pytest.fixture(scope="session")
def forgetful(kernel: Kernel) -> Mapping[str, Path]:
    """Files of the modules in `modules/`, by name."""
    built = lkm.build(MODULES, kernel=kernel)
    assert built.ok, built.log
    return {path.stem: path for path in built.modules}
