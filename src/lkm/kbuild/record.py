# SPDX-License-Identifier: MIT
"""What is remembered of a finished build, to tell that nothing has changed without starting anything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lkm.kbuild.mirror import Stamp, stamp
from lkm.kbuild.value import Diagnostic, Severity, Targets

FORMAT = 1
_STAMPS = ("files", "outside", "identity", "made")
# The doubt of a source that reads files in a way that leaves no dependency.
UNSEEN_INPUT = "the assembler reads files"
_UNSURE = Stamp(-1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Record:
    """One finished build.

    `ok`: whether all was made.  `files`: the source's files as they were copied.  `outside`: what else of
    the person's the modules were made from (`../common.h`), by path.  `identity`: what tells the kernel and
    its tools, its headers too.  `made`: the finished modules, by path.  `levels`: how far above itself the
    source looks.  `modules`: in load order, below the work directory.  `targets`: diagnostics by what was
    made.  `doubt`: why nothing can be concluded from the files alone, or "".

    For the fast path: `objects`: what each is made from, paths below the source, or whole for those
    outside; `units`: the objects of each module; `exports`: the markers of what each object exports;
    `proved`: objects for which it once made the same bytes; `refused`: why it must not be taken; `by_hand`:
    objects it has made since Kbuild last ran; `pending`: objects that are not made from what the files now
    say, since the last build failed.
    """

    ok: bool
    files: Mapping[str, Stamp]
    outside: Mapping[str, Stamp | None]
    identity: Mapping[str, Stamp | None]
    made: Mapping[str, Stamp | None]
    levels: int
    modules: tuple[str, ...]
    targets: Targets
    doubt: str = ""
    objects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    proved: tuple[str, ...] = ()
    refused: str = ""
    by_hand: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


def read_stamp(path: str | Path) -> Stamp | None:
    """The state of the file at `path` now, or None where there is none."""
    try:
        return stamp(os.stat(path))  # noqa: PTH116 - a thousand of these must take a millisecond
    except OSError:
        return None


def read_stamps(paths: Iterable[str | Path], *, before: int | None = None) -> dict[str, Stamp | None]:
    """The states of many files, by path.

    A file that has changed since `before` (ns since 1970) gets a state that no file has: whether it was
    read before or after the change is not known.
    """
    stamps = {str(path): read_stamp(path) for path in paths}
    if before is None:
        return stamps
    return {path: _UNSURE if state and state.ctime >= before else state for path, state in stamps.items()}


def is_same(stamps: Mapping[str, Stamp | None]) -> bool:
    """Whether each file is as it was."""
    return all(read_stamp(path) == before for path, before in stamps.items())


def write_record(record: Record, path: Path) -> None:
    """Writes `record` to `path`, whole or not at all."""
    data = {
        "format": FORMAT,
        "ok": record.ok,
        "levels": record.levels,
        "modules": list(record.modules),
        "targets": {name: [_pack_item(item) for item in items] for name, items in record.targets.items()},
        "doubt": record.doubt,
        "objects": {name: list(paths) for name, paths in record.objects.items()},
        "units": {name: list(objects) for name, objects in record.units.items()},
        "exports": {name: list(markers) for name, markers in record.exports.items()},
        "proved": list(record.proved),
        "refused": record.refused,
        "by_hand": list(record.by_hand),
        "pending": list(record.pending),
    }
    data |= {name: dict(getattr(record, name)) for name in _STAMPS}
    part = path.with_name(f".new-{path.name}.{os.getpid()}")
    part.write_bytes(json.dumps(data, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    part.rename(path)


def read_record(path: Path) -> Record | None:
    """The record at `path`; None where there is none, or it is damaged or of another format."""
    try:
        data = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
        if data["format"] != FORMAT:
            return None
        stamps = {name: _unpack(data[name]) for name in _STAMPS}
        return Record(
            ok=data["ok"],
            files={name: state for name, state in stamps["files"].items() if state is not None},
            outside=stamps["outside"],
            identity=stamps["identity"],
            made=stamps["made"],
            levels=data["levels"],
            modules=tuple(data["modules"]),
            targets={name: [_unpack_item(item) for item in items] for name, items in data["targets"].items()},
            doubt=data["doubt"],
            objects={name: tuple(paths) for name, paths in data["objects"].items()},
            units={name: tuple(objects) for name, objects in data["units"].items()},
            exports={name: tuple(markers) for name, markers in data["exports"].items()},
            proved=tuple(data["proved"]),
            refused=data["refused"],
            by_hand=tuple(data["by_hand"]),
            pending=tuple(data["pending"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


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
