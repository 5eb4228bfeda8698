# SPDX-License-Identifier: MIT
"""A number of bytes for a person."""

from __future__ import annotations

_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def format_size(size: int) -> str:
    """`2 MiB`, `7.8 MiB`, `512 bytes`: in the powers of 1024 that the kernel counts in."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size // unit} {name}" if size % unit == 0 else f"{size / unit:.1f} {name}"
    return f"{size} bytes"
