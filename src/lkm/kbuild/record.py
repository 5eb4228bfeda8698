# SPDX-License-Identifier: MIT
"""What is remembered of a finished build, to tell that nothing has changed without starting anything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lkm.kbuild.diagnostics import Targets
from lkm.kbuild.mirror import Stamp, stamp
from lkm.kbuild.value import Diagnostic, Severity

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One finished build.

    `ok`: whether all was made.  `files`: the source's files as they were copied.  `outside`: what else the
    modules were made from (headers, symbol tables), by path.  `identity`: what tells the kernel and its
    tools.  `levels`: how far above itself the source looks.  `modules`: paths below the work directory in
    load order.  `targets`: diagnostics by what was made.  `volatile`: why nothing can be concluded from
    the files alone, or "".  `by_hand`: objects that the fast path has made since Kbuild last ran.
    """

    ok: bool
    files: Mapping[str, Stamp]
    outside: Mapping[str, Stamp | None]
    identity: Mapping[str, Stamp | None]
    levels: int
    modules: tuple[str, ...]
    targets: Targets
    volatile: str = ""
    by_hand: tuple[str, ...] = ()


def read_stamp(path: str | Path) -> Stamp | None:
    """The state of the file at `path` now, or None where there is none."""
    try:
        return stamp(os.stat(path))  # noqa: PTH116 - a thousand of these must take a millisecond
    except OSError:
        return None


def read_stamps(paths: Iterable[str | Path]) -> dict[str, Stamp | None]:
    """The states of many files, by path."""
    return {str(path): read_stamp(path) for path in paths}


def is_same(stamps: Mapping[str, Stamp | None]) -> bool:
    """Whether each file is as it was."""
    return all(read_stamp(path) == before for path, before in stamps.items())


def write_record(record: Record, path: Path) -> None:
    """Writes `record` to `path`, whole or not at all."""
    data = {
        "format": FORMAT,
        "ok": record.ok,
        "files": _pack(record.files),
        "outside": _pack(record.outside),
        "identity": _pack(record.identity),
        "levels": record.levels,
        "modules": list(record.modules),
        "targets": {name: [_pack_item(item) for item in items] for name, items in record.targets.items()},
        "volatile": record.volatile,
        "by_hand": list(record.by_hand),
    }
    part = path.with_name(f".new-{path.name}.{os.getpid()}")
    part.write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")
    part.rename(path)


def read_record(path: Path) -> Record | None:
    """The record at `path`; None where there is none, or it is damaged or of another format."""
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != FORMAT:
            return None
        return Record(
            ok=data["ok"],
            files={name: Stamp(*value) for name, value in data["files"].items()},
            outside=_unpack(data["outside"]),
            identity=_unpack(data["identity"]),
            levels=data["levels"],
            modules=tuple(data["modules"]),
            targets={name: [_unpack_item(item) for item in items] for name, items in data["targets"].items()},
            volatile=data["volatile"],
            by_hand=tuple(data["by_hand"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def refreshed(record: Record, files: Mapping[str, Stamp]) -> Record:
    """The record for files whose times have changed and whose contents have not."""
    return replace(record, files=dict(files))


def _pack(stamps: Mapping[str, Stamp | None]) -> dict[str, list[int] | None]:
    return {
        name: None if value is None else [value.size, value.mtime, value.ctime, value.inode]
        for name, value in stamps.items()
    }


def _unpack(data: Mapping[str, list[int] | None]) -> dict[str, Stamp | None]:
    return {name: None if value is None else Stamp(*value) for name, value in data.items()}


def _pack_item(item: Diagnostic) -> list[object]:
    path = None if item.path is None else str(item.path)
    return [path, item.line, item.column, item.severity, item.text, item.option, item.source_line]


def _unpack_item(data: list[object]) -> Diagnostic:
    path, line, column, severity, text, option, source_line = data
    return Diagnostic(
        None if path is None else Path(str(path)),
        int(str(line)),
        int(str(column)),
        Severity(str(severity)),
        str(text),
        str(option),
        str(source_line),
    )
