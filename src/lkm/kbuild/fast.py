# SPDX-License-Identifier: MIT
"""The fast path: a plan of saved commands proved, run, and its answer remembered."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lkm import process
from lkm.kbuild.commands import parse_dependency_file
from lkm.kbuild.job import Changes, Job, Work
from lkm.kbuild.logs import parse_lines
from lkm.kbuild.make import build_environment, parse_environment
from lkm.kbuild.mirror import Stamp, sync
from lkm.kbuild.outcome import publish
from lkm.kbuild.plan import Plan, Unit, plan_fast, read_exports
from lkm.kbuild.record import Record, read_stamps, write_record
from lkm.kbuild.toolchain import foreign_command
from lkm.kbuild.value import How, Severity, Targets, flatten, is_object


def build_fast(
    job: Job,
    files: Mapping[str, Stamp],
    *,
    record: Record,
    changes: Changes,
    stale: tuple[str, ...],
    start: int,
) -> tuple[Work | None, Record]:
    """The modules by saved commands, or None and what is to be remembered of the attempt."""
    unproved = set(stale) - set(record.proved)
    if unproved:
        if record.pending or changes.outside:
            return None, record  # the old contents are no longer at hand to try with
        refusal = _prove(job, record, stale)
        record = replace(record, by_hand=tuple(sorted({*record.by_hand, *stale})))
        if refusal:
            return None, replace(record, refused=refusal)
        record = replace(record, proved=tuple(sorted({*record.proved, *stale})))
    sync(job.mirror, files, changes.contents)
    record = replace(record, by_hand=tuple(sorted({*record.by_hand, *stale})))
    plan = _plan(job, record, stale)
    if isinstance(plan, str):
        return None, replace(record, refused=plan)
    if not _run_plan(job, plan, record):
        return _tell_errors(job, files, record, plan=plan, start=start)
    record = _remember_fast(job, files, record, plan, start)
    write_record(record, job.record_path)
    modules = tuple(job.modules_path / name for name in record.modules)
    return Work(True, modules, flatten(record.targets), How.FAST, _read_logs(plan)), record


def _plan(job: Job, record: Record, stale: tuple[str, ...]) -> Plan | str:
    shutil.rmtree(job.scratch, ignore_errors=True)
    job.scratch.mkdir(parents=True)
    try:
        environment = parse_environment(job.environment_path.read_bytes())
    except OSError:
        return "no environment of an earlier build"
    units = [Unit(stem, objects) for stem, objects in record.units.items()]
    return plan_fast(
        job.mirror.work,
        job.directory,
        stale=stale,
        units=units,
        exports=record.exports,
        environment=environment,
        scratch=job.scratch,
    )


def _prove(job: Job, record: Record, stale: tuple[str, ...]) -> str:
    """Makes the last build's modules again from the same contents: "" where the same bytes come out."""
    plan = _plan(job, record, stale)
    if isinstance(plan, str):
        return plan
    if not _run_plan(job, plan, record):
        return "the saved commands did not work"
    for name in record.modules:
        if (job.mirror.work / name).read_bytes() != (job.modules_path / name).read_bytes():
            return f"the saved commands make another {name}"
    return ""


def _run_plan(job: Job, plan: Plan, record: Record) -> bool:
    """Runs a plan; whether it went through, and each object exports what it exported before."""
    # Not as a word of the command line: one holds 128 KiB at most (MAX_ARG_STRLEN).
    script = job.place / "commands.sh"
    script.write_bytes(os.fsencode(plan.script))
    argv = ["/bin/sh", str(script)]
    argv = foreign_command(job, argv, directory=plan.directory, levels=record.levels)
    environment = build_environment(job.mirror.work) | parse_environment(job.environment_path.read_bytes())
    result = process.run_lines(argv, cwd=plan.directory, env=environment, timeout=job.timeout)
    if result.status != 0:
        return False
    for versions, expected in plan.exports.values():
        if tuple(versions.read_text(errors="replace").splitlines()) != expected:
            return False
    for name in plan.objects:
        path, markers = job.mirror.work / name, record.exports.get(name, ())
        if read_exports(path) != markers or (markers and not _are_global(path, markers)):
            return False
    return True


def _tell_errors(
    job: Job, files: Mapping[str, Stamp], record: Record, *, plan: Plan, start: int
) -> tuple[Work | None, Record]:
    """A source that does not compile needs no second opinion: the command is proved to be Kbuild's own."""
    if any(log.exists() for target, log in plan.logs.items() if target not in plan.objects):
        return None, record
    targets = {name: items for name, items in record.targets.items() if is_object(name)}
    said: Targets = {}
    for name in plan.objects:
        said |= parse_lines(job, plan.logs[name].read_text(errors="replace").splitlines(), name)
    if not any(item.severity is Severity.ERROR for items in said.values() for item in items):
        return None, record
    targets |= said
    record = replace(
        record,
        ok=False,
        files=dict(files),
        outside=read_stamps(record.outside, before=start),
        targets=targets,
        pending=plan.objects,
    )
    write_record(record, job.record_path)
    return Work(False, (), flatten(targets), How.FAST, _read_logs(plan)), record


def _read_logs(plan: Plan) -> str:
    return "".join(path.read_text(errors="replace") for path in plan.logs.values() if path.exists())


def _are_global(path: Path, markers: Iterable[str]) -> bool:
    """Whether no exported symbol is static (scripts/check-local-export, up to 6.4)."""
    from lkm.elf import parse_elf
    from lkm.elf.number import STB_LOCAL

    names = {marker.removeprefix("__ksymtab_") for marker in markers if marker.startswith("__ksymtab_")}
    return not any(
        symbol.binding == STB_LOCAL and symbol.name in names
        for symbol in parse_elf(path.read_bytes()).symbols
    )


def _remember_fast(job: Job, files: Mapping[str, Stamp], record: Record, plan: Plan, start: int) -> Record:
    """The record after a plan went through: new dependencies, diagnostics and modules."""
    objects, identity = dict(record.objects), dict(record.identity)
    outside = dict(record.outside)
    for name, path in plan.dependencies.items():
        is_relative = plan.directory == job.mirror.work
        found = [
            (text, job.key(text, is_relative=is_relative))
            for text in parse_dependency_file(path.read_text(errors="surrogateescape"))
        ]
        objects[name] = tuple(dict.fromkeys(key for _, key in found if key is not None))
        new = [text for text, key in found if key is None and text.startswith("/") and text not in identity]
        identity |= read_stamps(new, before=start)
        outside |= read_stamps([key for key in objects[name] if key.startswith("/")], before=start)
    targets = dict(record.targets)
    for target, log in plan.logs.items():
        if log.exists():
            lines = log.read_text(errors="replace").splitlines()
            targets |= parse_lines(job, lines, target)
    work = job.mirror.work
    made = publish([work / name for name in record.modules], work=work, to=job.modules_path)
    return replace(
        record,
        ok=True,
        files=dict(files),
        outside=outside,
        identity=identity,
        made=read_stamps(made),
        targets=targets,
        objects=objects,
        pending=(),
    )
