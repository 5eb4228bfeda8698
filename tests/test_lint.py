# SPDX-License-Identifier: MIT
"""The linters are part of the suite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "words",
    [
        ("ruff", "check", "--no-cache", "src", "tests", "bench"),
        ("ruff", "format", "--no-cache", "--check", "src", "tests", "bench"),
        ("mypy", "--no-incremental"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_clean(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
