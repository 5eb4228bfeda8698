# SPDX-License-Identifier: MIT
"""What was found out about this machine and need not be found out again: small facts in the cache."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from lkm.paths import cache_dir, make_dir


def _file(topic: str) -> Path:
    return cache_dir() / "guest" / f"{topic}.json"


def recall(topic: str, key: str) -> dict[str, Any] | None:
    """What is remembered under `key`, or None."""
    try:
        found = json.loads(_file(topic).read_bytes())
        return dict(found["facts"]) if found["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(topic: str, key: str, facts: dict[str, Any]) -> None:
    """Remembers `facts`, in place of what was known of `topic`; a read-only cache is no error."""
    path = _file(topic)
    part = path.with_name(f".{topic}.{os.getpid()}")
    with suppress(OSError):
        make_dir(path.parent)
        part.write_text(json.dumps({"key": key, "facts": facts}))
        part.rename(path)


def forget(topic: str) -> None:
    """Forgets it."""
    with suppress(OSError):
        _file(topic).unlink()
