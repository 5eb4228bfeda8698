# SPDX-License-Identifier: MIT
"""What is kept beside a tree of sources: where it came from, who signed it, and what it was when unpacked.

`linux-6.12.9.json` says the former, `linux-6.12.9.manifest.gz` has a line for each file.  They tell of
accidents and oversights; who may write the tree may write them too: `--deep` compares with the signed file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from lkm.errors import BadInputError
from lkm.progress import Progress
from lkm.release.tar import Kind
from lkm.release.unpack import Entry

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Record:
    """Where a tree came from.

    `origin`: `tarball`, `git` or `package`.  `source`: the address or path it was got from; `file`: the
    tarball, where it was kept, and its `sha256`.  `verified`: whether it is what a pinned signer signed (or,
    for a package, what its distribution's archive did); `state`, `message`: what became of that.  `signer`,
    `key` (fingerprint), `signed` and `got` (times, ISO 8601, UTC).  `commit`: of a git tree.  `manifest`:
    SHA-256 of the list of files.  What does not apply is "".
    """

    version: str
    origin: str
    source: str
    verified: bool
    state: str
    message: str
    file: str = ""
    sha256: str = ""
    sums: str = ""
    signer: str = ""
    key: str = ""
    signed: str = ""
    got: str = ""
    commit: str = ""
    manifest: str = ""


@dataclass(frozen=True, slots=True)
class Differences:
    """How a tree differs from what was unpacked: paths relative to it."""

    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether all that was unpacked is still as it was; what was added since does not count."""
        return not self.changed and not self.missing


def record_path(tree: Path) -> Path:
    """Where the record of a tree is."""
    return tree.with_name(f"{tree.name}.json")


def manifest_path(tree: Path) -> Path:
    """Where the list of a tree's files is."""
    return tree.with_name(f"{tree.name}.manifest.gz")


def read_record(tree: Path) -> Record | None:
    """The record of a tree of sources, None where there is none that can be read."""
    try:
        data = json.loads(record_path(tree).read_bytes())
        if data.pop("schema") != SCHEMA:
            return None
        return Record(**data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_record(tree: Path, record: Record, manifest: Iterable[Entry] = ()) -> Record:
    """Writes what is kept beside a tree; the record as written.  The record appears last, and whole."""
    lines = sorted(f"{one.kind.value} {one.value}\t{one.path}\n" for one in manifest)
    if lines:
        data = gzip.compress("".join(lines).encode(), compresslevel=1, mtime=0)
        _write(manifest_path(tree), data)
        record = replace(record, manifest=hashlib.sha256(data).hexdigest())
    record = replace(record, got=datetime.now(UTC).isoformat(timespec="seconds"))
    text = json.dumps({"schema": SCHEMA, **asdict(record)}, indent=1, ensure_ascii=False)
    _write(record_path(tree), f"{text}\n".encode())
    return record


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)


def read_manifest(tree: Path, record: Record) -> list[Entry] | None:
    """The list of what was unpacked, None where there is none; raises `BadInputError` where it changed."""
    path = manifest_path(tree)
    if not record.manifest or not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != record.manifest:
        raise BadInputError(
            f"{path} was changed since {tree.name} was unpacked",
            hint="--deep compares with the signed file itself",
        )
    entries = []
    for line in gzip.decompress(data).decode().splitlines():
        head, _, name = line.partition("\t")
        entries.append(Entry(Kind(head[0]), head[2:], name))
    return entries


def compare_tree(tree: Path, entries: Iterable[Entry], *, progress: Progress) -> Differences:
    """Reads every file of a tree and says how it differs from what was unpacked."""
    entries = list(entries)
    changed, missing = [], []
    known = {entry.path for entry in entries}
    for number, entry in enumerate(entries):
        if not number & 0xFF:
            progress.update(f"reading {tree.name}", number, len(entries))
        found = _read_entry(tree, entry.path)
        if found is None:
            missing.append(entry.path)
        elif found != (entry.kind, entry.value):
            changed.append(entry.path)
    added = [path for path in _walk(tree) if path not in known]
    return Differences(tuple(sorted(changed)), tuple(sorted(missing)), tuple(sorted(added)))


def _read_entry(tree: Path, path: str) -> tuple[Kind, str] | None:
    place = f"{tree}/{path}"
    try:
        mode = os.lstat(place).st_mode
        if stat.S_ISLNK(mode):
            return Kind.LINK, os.readlink(place)  # noqa: PTH115 - as text, 90,000 times
        if not stat.S_ISREG(mode):
            return Kind.DIRECTORY, ""
        with open(place, "rb", buffering=0) as stream:  # noqa: PTH123
            digest = hashlib.file_digest(stream, "sha256")
    except OSError:
        return None
    return (Kind.PROGRAM if mode & 0o100 else Kind.FILE), digest.hexdigest()


def _walk(tree: Path) -> Iterable[str]:
    for place, directories, files in os.walk(tree):
        below = os.path.relpath(place, tree)
        start = "" if below == "." else f"{below}/"
        links = [name for name in directories if os.path.islink(f"{place}/{name}")]  # noqa: PTH114
        yield from (f"{start}{name}" for name in [*files, *links])
