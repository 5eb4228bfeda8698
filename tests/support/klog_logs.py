# SPDX-License-Identifier: MIT
"""The golden kernel logs: recorded with the zoo's modules, or made where no kernel here says such."""

from __future__ import annotations

import re
from pathlib import Path

LOGS = Path(__file__).parents[1] / "klog" / "logs"
_PROVENANCE = re.compile(rb"(?:# [^\n]*\n)*")


def read_log(name: str) -> bytes:
    """The log of that name as its source gave it, without the lines that say where it is from."""
    data = (LOGS / f"{name}.txt").read_bytes()
    match = _PROVENANCE.match(data)
    return data[match.end() :] if match else data


NAMES = sorted(path.stem for path in LOGS.glob("*.txt") if path.stem != "expected")
