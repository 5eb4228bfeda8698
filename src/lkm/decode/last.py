# SPDX-License-Identifier: MIT
"""The last run in which the kernel reported something, kept for `lkm decode` to be asked about it later."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from lkm.errors import BadInputError
from lkm.klog import Record
from lkm.paths import make_dir, state_dir

_BEFORE = 200  # records kept before the first report
_MOST = 20_000
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class LastRun:
    """`kernel`: what `--kernel` takes.  `vmlinux`: its, where it has debug information.  `modules`: the files
    that were loaded.  `log`: around the reports.  `when`: it was kept, in seconds since 1970."""

    kernel: str
    vmlinux: Path | None
    modules: tuple[Path, ...]
    log: tuple[Record, ...]
    when: float = 0.0


def last_path() -> Path:
    """Where it is kept."""
    return state_dir() / "last-run.json"


def write_last(
    kernel: str, modules: Sequence[Path], log: Sequence[Record], *, first: int, vmlinux: Path | None = None
) -> None:
    """Keeps a run, whole or not at all; `first`: the index of its first report's first record.

    Where nothing can be written there, the run is not kept.
    """
    begin = max(first - _BEFORE, 0)
    value = {
        "format": _FORMAT,
        "kernel": kernel,
        "vmlinux": None if vmlinux is None else str(vmlinux),
        "modules": [str(path.absolute()) for path in modules],
        "log": [astuple(record) for record in log[begin : begin + _MOST]],
    }
    path = last_path()
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError, BadInputError):
        make_dir(path.parent)
        part.write_text(json.dumps(value))
        part.rename(path)


def read_last() -> LastRun | None:
    """The last run that was kept; None where there is none, or what is there cannot be read."""
    try:
        value = json.loads(last_path().read_text())
        if value["format"] != _FORMAT:
            return None
        width = len(fields(Record))
        return LastRun(
            value["kernel"],
            Path(value["vmlinux"]) if value["vmlinux"] else None,
            tuple(Path(one) for one in value["modules"]),
            tuple(Record(*row) for row in value["log"] if len(row) == width),
            last_path().stat().st_mtime,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
