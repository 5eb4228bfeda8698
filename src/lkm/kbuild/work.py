# SPDX-License-Identifier: MIT
"""Nothing, the saved commands, or Kbuild: which of them a build needs, and that done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from lkm import paths
from lkm.kbuild.job import Changes, Job, Work
from lkm.kbuild.mirror import Stamp, compare, link_above, scan, sync
from lkm.kbuild.record import UNSEEN_INPUT, Record, is_same, read_record, read_stamp, write_record
from lkm.kbuild.source import KBUILD_NAMES
from lkm.kbuild.value import How, flatten

# Files that no build without rules of its own reads.
_ASIDE = (".md", ".rst", ".txt", ".py", ".toml", ".yml", ".yaml", ".json", ".patch", ".log")

MAX_OBJECTS = 8  # with more than these, make -j is as fast


def run_job(job: Job) -> Work:
    """Brings the mirror up to the source, and the modules up to the mirror."""
    start = time.time_ns()
    paths.make_dir(job.place)
    files = scan(job.mirror)
    record = read_record(job.record_path)
    if record is not None and not (is_same(record.identity) and is_same(record.made)):
        record = None  # another kernel, other tools, or someone touched what was made
    if record is None:
        from lkm.kbuild.full import build_clean

        return build_clean(job, files, start)
    changes = _find_changes(job, files, record)
    if not changes and record.ok and not record.doubt:
        if record.files != files:
            write_record(replace(record, files=files), job.record_path)
        modules = tuple(job.modules_path / name for name in record.modules)
        return Work(True, modules, flatten(record.targets), How.NOTHING, "")
    # Killed from here on, there is no record, and the next build starts afresh.
    job.record_path.unlink(missing_ok=True)
    stale = _stale(record, changes)
    if _may_be_fast(record, changes, stale):
        from lkm.kbuild.fast import build_fast

        work, record = build_fast(job, files, record=record, changes=changes, stale=stale, start=start)
        if work is not None:
            return work
    from lkm.kbuild.full import build_clean, build_mirror

    if not _may_be_incremental(record, changes):
        return build_clean(job, files, start)
    levels = max(record.levels, sync(job.mirror, files, changes.contents))
    link_above(job.mirror, levels)
    again = record.objects if record.doubt == UNSEEN_INPUT else {*stale, *record.by_hand}
    for name in again:
        (job.mirror.work / name).unlink(missing_ok=True)
    return build_mirror(job, files, replace(record, levels=levels, pending=stale), start)


def _find_changes(job: Job, files: Mapping[str, Stamp], record: Record) -> Changes:
    outside = {path for path, before in record.outside.items() if read_stamp(path) != before}
    contents = compare(job.mirror, files, record.files)
    came_or_went = files.keys() ^ record.files.keys()
    if not record.doubt:
        known = {key for keys in record.objects.values() for key in keys}
        aside = {name for name in {*contents, *came_or_went} - known if name.endswith(_ASIDE)}
        sync(job.mirror, files, contents & aside)
        contents, came_or_went = contents - aside, came_or_went - aside
    return Changes(frozenset(contents), frozenset(outside), bool(came_or_went))


def _stale(record: Record, changes: Changes) -> tuple[str, ...]:
    """The objects that are made from something that has changed."""
    stale = {name for name, keys in record.objects.items() if not changes.all.isdisjoint(keys)}
    return tuple(sorted(stale | set(record.pending)))


def _may_be_incremental(record: Record, changes: Changes) -> bool:
    """Whether Kbuild's own dependencies cover what has changed.

    A new header may hide another, and a file that is in no dependency may have been read all the same.
    """
    known = {key for keys in record.objects.values() for key in keys}
    unknown = changes.all - known if record.objects else frozenset[str]()
    return all(name.endswith((".c", ".S", *KBUILD_NAMES)) for name in unknown)


def _may_be_fast(record: Record, changes: Changes, stale: tuple[str, ...]) -> bool:
    """Whether all that has changed are contents of files that objects are known to be made from."""
    if record.doubt or record.refused or changes.listing or not record.units:
        return False
    if not 0 < len(stale) <= MAX_OBJECTS:
        return False
    known = {key for keys in record.objects.values() for key in keys}
    return all(name in known and name.endswith((".c", ".h", ".inc")) for name in changes.all)
