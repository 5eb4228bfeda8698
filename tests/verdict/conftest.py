# SPDX-License-Identifier: MIT
"""A kernel as a loader, and a module built for it, for all tests of verdicts."""

from __future__ import annotations

import pytest
from oracle_sources import build_sources

from lkm.kernel import Kernel
from lkm.verdict import Ground, read_ground

# What the sample of cases is made from; all of them are for bench/oracle.py.
NAMES = (
    "o_plain", "o_gpl", "o_params", "o_export", "o_user", "o_free_user", "o_both_user", "o_space", "o_spacer",
    "o_percpu", "o_pointer",
)  # fmt: skip


@pytest.fixture(scope="session")
def ground(kernel: Kernel) -> Ground:
    """The kernel as a module loader."""
    return read_ground(kernel)


@pytest.fixture(scope="session")
def built(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The modules of the small sources, by name."""
    return build_sources(kernel, tmp_path_factory.mktemp("sources"), names=NAMES)
