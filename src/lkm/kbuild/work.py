# SPDX-License-Identifier: MIT
"""Nothing, the saved commands, or Kbuild: which of them a build needs, and that done."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lkm import paths, process
from lkm.kbuild.collect import collect, identity_paths
from lkm.kbuild.commands import parse_dependency_file
from lkm.kbuild.database import write_database
from lkm.kbuild.diagnostics import Targets, flatten, parse_log
from lkm.kbuild.fast import Plan, Unit, plan_fast, read_exports
from lkm.kbuild.job import Job
from lkm.kbuild.make import build_environment, build_make_argv, parse_environment, write_probe
from lkm.kbuild.mirror import Stamp, compare, link_above, scan, sync
from lkm.kbuild.outcome import publish, read_modules, remove_stale
from lkm.kbuild.record import Record, is_same, read_record, read_stamp, read_stamps, write_record
from lkm.kbuild.source import find_kbuild_file
from lkm.kbuild.toolchain import foreign_command
from lkm.kbuild.value import Diagnostic, How, Severity

_MISSING = re.compile(r"No rule to make target '(?P<stem>[^']+)\.o'$")
# Files that no build without rules of its own reads.
_ASIDE = (".md", ".rst", ".txt", ".py", ".toml", ".yml", ".yaml", ".json", ".patch", ".log")


@dataclass(frozen=True, slots=True)
class Work:
    """What came of a job; `modules` in load order."""

    ok: bool
    modules: tuple[Path, ...]
    diagnostics: tuple[Diagnostic, ...]
    how: How
    log: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since the last build.

    `contents`: paths below the source, as `compare` gives them.  `outside`: files of the person's elsewhere.
    `listing`: whether files have come or gone.
    """

    contents: frozenset[str]
    outside: frozenset[str]
    listing: bool

    @property
    def all(self) -> frozenset[str]:
        """Every changed file, as `Record.objects` names it."""
        return self.contents | self.outside

    def __bool__(self) -> bool:
        return bool(self.contents or self.outside or self.listing)


def run_in_place(job: Job) -> Work:
    """Builds in the source's own directory, as make by hand would."""
    paths.make_dir(job.place)
    result = _run_kbuild(job, 0)
    targets = _parse(job, result)
    modules = read_modules(job.mirror.work) if result.status == 0 else ()
    if result.status == 0:
        write_database(job, collect(job, modules, ()).objects, to=job.place)
    return Work(result.status == 0, modules, flatten(targets), How.KBUILD, result.stdout)


def run_job(job: Job) -> Work:
    """Brings the mirror up to the source, and the modules up to the mirror."""
    start = time.time_ns()
    paths.make_dir(job.place)
    files = scan(job.mirror)
    record = read_record(job.record_path)
    if record is not None and not (is_same(record.identity) and is_same(record.made)):
        record = None  # another kernel, other tools, or someone touched what was made
    if record is None:
        return _build_clean(job, files, start)
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
        work, record = _build_fast(job, files, record=record, changes=changes, stale=stale, start=start)
        if work is not None:
            return work
    if changes.listing and not _only_sources(changes.contents):
        return _build_clean(job, files, start)  # a new header may hide another
    levels = max(record.levels, sync(job.mirror, files, changes.contents))
    link_above(job.mirror, levels)
    for name in {*stale, *record.by_hand}:
        (job.mirror.work / name).unlink(missing_ok=True)
    return _build(job, files, replace(record, levels=levels, pending=stale), start)


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


def _only_sources(names: Iterable[str]) -> bool:
    return all(name.endswith((".c", ".S", ".rs")) for name in names)


def _may_be_fast(record: Record, changes: Changes, stale: tuple[str, ...]) -> bool:
    """Whether all that has changed are contents of files that objects are known to be made from."""
    if record.doubt or record.refused or changes.listing or not stale or not record.units:
        return False
    known = {key for keys in record.objects.values() for key in keys}
    return all(name in known and name.endswith((".c", ".h", ".inc")) for name in changes.all)


# The fast path


def _build_fast(
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
    before = {name: _exports(job, name) for name in stale}
    if not _run_plan(job, plan, before, levels=record.levels):
        return None, record
    record = _remember_fast(job, files, record, plan, start)
    write_record(record, job.record_path)
    modules = tuple(job.modules_path / name for name in record.modules)
    log = "".join(path.read_text(errors="replace") for path in plan.logs.values() if path.exists())
    return Work(True, modules, flatten(record.targets), How.FAST, log), record


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
        environment=environment,
        scratch=job.scratch,
    )


def _prove(job: Job, record: Record, stale: tuple[str, ...]) -> str:
    """Makes the last build's modules again from the same contents: "" where the same bytes come out."""
    plan = _plan(job, record, stale)
    if isinstance(plan, str):
        return plan
    before = {name: _exports(job, name) for name in stale}
    if not _run_plan(job, plan, before, levels=record.levels):
        return "the saved commands did not work"
    for name in record.modules:
        if (job.mirror.work / name).read_bytes() != (job.modules_path / name).read_bytes():
            return f"the saved commands make another {name}"
    return ""


def _run_plan(job: Job, plan: Plan, before: Mapping[str, set[bytes]], *, levels: int) -> bool:
    """Runs a plan; whether it went through, and each object exports what it exported before."""
    argv = ["/bin/sh", "-c", plan.script]
    argv = foreign_command(job, argv, directory=plan.directory, levels=levels)
    environment = build_environment(job.mirror.work) | parse_environment(job.environment_path.read_bytes())
    result = process.run_lines(argv, cwd=plan.directory, env=environment, timeout=job.timeout)
    if result.status != 0:
        return False
    for name, (path, expected) in plan.exports.items():
        if tuple(path.read_text(errors="replace").splitlines()) != expected:
            return False
        if before[name] and not _are_global(job.mirror.work / name, before[name]):
            return False
    return all(_exports(job, name) == exports for name, exports in before.items())


def _exports(job: Job, name: str) -> set[bytes]:
    try:
        return read_exports((job.mirror.work / name).read_bytes())
    except OSError:
        return set()


def _are_global(path: Path, markers: Iterable[bytes]) -> bool:
    """Whether no exported symbol is static (scripts/check-local-export, up to 6.4)."""
    from lkm.elf import parse_elf
    from lkm.elf.value import STB_LOCAL

    names = {marker.partition(b"_ksymtab_")[2].decode() for marker in markers if b"__ksymtab_" in marker}
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
            targets |= _parse_lines(job, lines, target)
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


# Kbuild


def _build_clean(job: Job, files: Mapping[str, Stamp], start: int) -> Work:
    """From nothing."""
    job.record_path.unlink(missing_ok=True)
    for stale in (job.place / "tree", job.modules_path, job.scratch):
        shutil.rmtree(stale, ignore_errors=True)
    paths.make_dir(job.mirror.work)
    levels = sync(job.mirror, files, files)
    link_above(job.mirror, levels)
    empty = Record(False, files, {}, {}, {}, levels, (), {})
    return _build(job, files, empty, start)


def _build(job: Job, files: Mapping[str, Stamp], before: Record, start: int) -> Work:
    """By Kbuild, in a mirror that is up to the source."""
    work = job.mirror.work
    result = _run_kbuild(job, before.levels)
    targets = _parse(job, result)
    kept = {name: items for name, items in before.targets.items() if name and name not in targets}
    targets = kept | targets
    if result.status != 0:
        pending = tuple(sorted({*before.pending, *before.by_hand}))
        record = replace(before, ok=False, files=dict(files), targets=targets, pending=pending, by_hand=())
        identity = before.identity or read_stamps(identity_paths(job), before=start)
        record = replace(record, outside=read_stamps(before.outside, before=start), identity=identity)
        write_record(record, job.record_path)
        return Work(False, (), flatten(targets), How.KBUILD, result.stdout)
    modules = read_modules(work)
    remove_stale(work, modules)
    found = collect(job, modules, files)
    alive = {*found.objects, *(f"{stem}{end}" for stem in found.units for end in (".o", ".ko", ".mod.o"))}
    targets = {
        name: items for name, items in targets.items() if name in alive or name in ("", "Module.symvers")
    }
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
        proved=tuple(name for name in before.proved if name in found.objects),
        refused=before.refused,
    )
    write_record(record, job.record_path)
    return Work(True, made, flatten(targets), How.KBUILD, result.stdout)


def _run_kbuild(job: Job, levels: int) -> process.Result:
    probe = job.place / "probe.mk"
    write_probe(probe, job.environment_path)
    argv = build_make_argv(
        job.mirror, job.directory, words=job.words, jobs=job.jobs, options=job.place / "options"
    )
    environment = build_environment(job.mirror.work) | {"MAKEFILES": str(probe)}
    argv = foreign_command(job, argv, directory=job.mirror.work, levels=levels)
    return process.run_lines(
        argv, cwd=job.mirror.work, env=environment, on_line=job.on_line, timeout=job.timeout
    )


def _parse(job: Job, result: process.Result) -> Targets:
    """The diagnostics of a log; a failure that nothing understood speaks of is told by its last words."""
    lines = result.stdout.splitlines()
    targets = _parse_lines(job, lines)
    targets[""] = [_place_missing(job, item) for item in targets.get("", [])]
    failed = result.status != 0
    if failed and not any(item.severity is Severity.ERROR for item in flatten(targets)):
        last = [line.strip() for line in lines if line.strip()][-3:]
        text = "; ".join(last) or f"make ended with status {result.status}"
        targets.setdefault("", []).append(Diagnostic(None, 0, 0, Severity.ERROR, text))
    return targets


def _parse_lines(job: Job, lines: list[str], target: str = "") -> Targets:
    return parse_log(
        lines, real_path=job.real_path, work=job.mirror.work, target=target, own=job.mirror.source
    )


def _place_missing(job: Job, item: Diagnostic) -> Diagnostic:
    """A file that is not there, told at the line of the Kbuild file that names it."""
    match = _MISSING.match(item.text)
    if match is None or item.path is not None:
        return item
    directory, _, name = match["stem"].rpartition("/")
    kbuild = find_kbuild_file(job.mirror.directory / directory) if job.mirror.only is None else None
    lines = kbuild.read_text(errors="replace").splitlines() if kbuild is not None else []
    named = re.compile(rf"(?<![\w/.-]){re.escape(name)}\.o\b")
    number = next((number for number, line in enumerate(lines, 1) if named.search(line)), 0)
    text = f"{item.text}: there is no {match['stem']}.c"
    return replace(item, path=kbuild, line=number, text=text, source_line=lines[number - 1] if number else "")
