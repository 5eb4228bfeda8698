# SPDX-License-Identifier: MIT
"""What the fixtures `run_lkm` and `command` are."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Command(Protocol):
    """Runs lkm with these words in this process, which is to end with `status`; its output and its errors."""

    def __call__(self, *words: str | Path, status: int = 0) -> tuple[str, str]: ...
