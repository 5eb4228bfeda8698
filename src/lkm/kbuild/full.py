# SPDX-License-Identifier: MIT
"""Kbuild itself: run by make in the mirror or in the source, and its answer remembered."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace

from lkm import paths, process
from lkm.kbuild.collect import collect, identity_paths
from lkm.kbuild.database import write_database
from lkm.kbuild.job import Job, Work
from lkm.kbuild.logs import parse_result
from lkm.kbuild.make import build_environment, build_make_argv, write_probe
from lkm.kbuild.mirror import Stamp, link_above, sync
from lkm.kbuild.outcome import publish, read_modules, remove_stale
from lkm.kbuild.record import Record, read_stamps, write_record
from lkm.kbuild.toolchain import foreign_command
from lkm.kbuild.value import How, flatten, is_object

MIN_ROOM = 1 << 20  # bytes


def build_in_place(job: Job) -> Work:
    """Builds in the source's own directory, as make by hand would."""
    paths.make_dir(job.place)
    result = _run_kbuild(job, 0)
    targets = parse_result(job, result)
    modules = read_modules(job.mirror.work) if result.status == 0 else ()
    if result.status == 0:
        write_database(job, collect(job, modules, ()).objects, to=job.place)
    return Work(result.status == 0, modules, flatten(targets), How.KBUILD, result.stdout)


def build_clean(job: Job, files: Mapping[str, Stamp], start: int) -> Work:
    """From nothing."""
    job.record_path.unlink(missing_ok=True)
    for stale in (job.place / "tree", job.modules_path, job.scratch):
        shutil.rmtree(stale, ignore_errors=True)
    paths.make_dir(job.mirror.work)
    levels = sync(job.mirror, files, files)
    link_above(job.mirror, levels)
    empty = Record(False, files, {}, {}, {}, levels, (), {})
    return build_mirror(job, files, empty, start)


def build_mirror(job: Job, files: Mapping[str, Stamp], before: Record, start: int) -> Work:
    """By Kbuild, in a mirror that is up to the source."""
    work = job.mirror.work
    result = _run_kbuild(job, before.levels)
    targets = parse_result(job, result)
    failed = result.status != 0
    # What modpost said of the build before is not to be told of one that did not reach it.
    kept = {name for name in before.targets if name and (is_object(name) or not failed)}
    targets = {name: before.targets[name] for name in kept} | targets
    if failed:
        _check_room(job)
        pending = tuple(sorted({*before.pending, *before.by_hand}))
        record = replace(before, ok=False, files=dict(files), targets=targets, pending=pending, by_hand=())
        identity = before.identity or read_stamps(identity_paths(job), before=start)
        # Without units there is no fast path: a rule that stopped halfway leaves saved commands incomplete.
        record = replace(
            record, outside=read_stamps(before.outside, before=start), identity=identity, units={}
        )
        write_record(record, job.record_path)
        return Work(False, (), flatten(targets), How.KBUILD, result.stdout)
    modules = read_modules(work)
    remove_stale(work, modules)
    found = collect(job, modules, files)
    alive = {"", "Module.symvers", *found.objects}
    alive |= {f"{stem}{end}" for stem in found.units for end in (".o", ".ko", ".mod.o")}
    targets = {name: items for name, items in targets.items() if name in alive}
    made = publish(modules, work=work, to=job.modules_path)
    write_database(job, found.objects, to=work)
    record = Record(
        ok=True,
        files=dict(files),
        outside=read_stamps(found.outside, before=start),
        identity=read_stamps(found.identity, before=start),
        made=read_stamps(made),
        levels=before.levels,
        modules=tuple(os.path.relpath(path, job.modules_path) for path in made),
        targets=targets,
        doubt=found.doubt,
        objects=found.objects,
        units=found.units,
        exports=found.exports,
        proved=tuple(name for name in before.proved if name in found.objects),
        refused=before.refused,
    )
    write_record(record, job.record_path)
    return Work(True, made, flatten(targets), How.KBUILD, result.stdout)


def _check_room(job: Job) -> None:
    """Raises `OSError` where a build may have failed for want of room, which tells nothing of its source."""
    status = os.statvfs(job.place)
    if status.f_bavail * status.f_frsize < MIN_ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(job.place))


def _run_kbuild(job: Job, levels: int) -> process.Result:
    probe = job.place / "probe.mk"
    write_probe(probe, job.environment_path)
    words = dict(job.words)
    if job.kernel.toolchain is not None and job.kernel.toolchain.root is not None:
        # W=1 has kernel-doc look at each file up to 6.12, which needs more of perl than a fetched compiler
        # brings; later kernels do not ask it about modules of others either (Makefile.build, cmd_checkdoc).
        words.setdefault("cmd_checkdoc", "")
    argv = build_make_argv(
        job.mirror, job.directory, words=words, jobs=job.jobs, options=job.place / "options"
    )
    environment = build_environment(job.mirror.work) | {"MAKEFILES": str(probe)}
    argv = foreign_command(job, argv, directory=job.mirror.work, levels=levels)
    return process.run_lines(
        argv, cwd=job.mirror.work, env=environment, on_line=job.on_line, timeout=job.timeout
    )
