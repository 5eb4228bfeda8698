# SPDX-License-Identifier: MIT
"""A kernel, built in a directory of its own by the kernel's own make."""

from __future__ import annotations

import contextlib
import fcntl
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from lkm import process
from lkm.compile.estimate import Estimate, read_experience, write_experience
from lkm.compile.jobs import choose_jobs
from lkm.compile.needs import check_keys, check_needs, estimate_room
from lkm.compile.record import (
    BuildRecord,
    digest_config,
    digest_file,
    log_path,
    read_build_record,
    read_config_lines,
    record_path,
    write_build_record,
)
from lkm.compile.result import count_modules, find_packages, find_parts, gather_packages, read_diagnostics
from lkm.compile.run import Follower, make_argv, run_make
from lkm.compile.targets import find_unknown
from lkm.compile.value import Cached, Jobs, KernelBuilt, Request
from lkm.compile.words import (
    build_environment,
    describe_record,
    find_ccache,
    find_compilers,
    merge_words,
    packaging_words,
    reproducible_words,
)
from lkm.errors import UsageError
from lkm.kbuild.value import Severity
from lkm.kconfig.conf import check_output
from lkm.kconfig.dotconfig import read_config
from lkm.kconfig.tree import check_clean
from lkm.kernel.compiler import read_compiler_version
from lkm.kernel.layout import read_build_release
from lkm.kernel.own import LOCK_NAME, own_dir, refuse_building
from lkm.kernel.store import read_size
from lkm.progress import Progress, Silent
from lkm.release.record import read_record
from lkm.release.space import check_space

DAY = 86400.0
PACKAGES = "packages"  # of a build in the cache: where they are put
_SLOWEST = 10


def build_kernel(
    request: Request,
    *,
    progress: Progress | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout: float = DAY,
) -> KernelBuilt:
    """Builds what `request` asks for; what is there already and not stale is not built again.

    A build that failed is a result with `ok` False.  `on_line` gets each line of make's as it comes; all of
    them are in BUILD/.lkm-build.log.  Raises `UsageError` where there is no configuration, `BadInputError`
    where it names files that are not there or the sources were built in place, `MissingError` where the
    machine lacks a program, a library or room, `OutOfTimeError`.
    """
    build, tree = request.build, request.tree
    if not (build / ".config").is_file():
        raise UsageError(
            f"{build}: no .config there",
            hint=f"lkm kernel configure -O {build} --tree {tree.path} --preset guest",
        )
    check_clean(tree)
    check_output(build)
    config = read_config(build / ".config")
    given = {**dict(tree.words), **request.words}
    made = (build / "scripts/kconfig/conf").exists()
    check_needs(config, given, request.targets, sources=tree.path, made=made)
    check_keys(tree, build, config)
    with _alone(build):
        before = read_build_record(build)
        known_size = before.on_disk if before is not None and before.ok else read_size(build)
        check_space(build, estimate_room(config, there=known_size))
        words = _find_words(request, config)
        jobs = choose_jobs(config, asked=request.jobs)
        kind = "-".join([tree.arch, "debug" if config.get("DEBUG_INFO") == "y" else "plain"])
        record = _begin(request, words, jobs)
        # What is known of a whole kernel is not forgotten for one object of it, or for its modules.
        keeps = (
            before is None or record.is_all or not before.is_whole or (record.is_whole and not before.is_all)
        )
        run = _Run(request, record, words, jobs, kind, keeps, before)
        if keeps:
            write_build_record(build, record)
        return _make(run, progress or Silent(), on_line=on_line, timeout=timeout)


@contextlib.contextmanager
def _alone(build: Path) -> Iterator[None]:
    """Holds the build directory; raises `UsageError` where another build works there now."""
    with (build / LOCK_NAME).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refuse_building(build) from None
        yield


def plan_command(request: Request) -> str:
    """The command line of make that `build_kernel` would run, as a person would type it."""
    config = request.build / ".config"
    values = read_config(config) if config.is_file() else {}
    words = _find_words(request, values)
    jobs = choose_jobs(values, asked=request.jobs)
    return shlex.join(make_argv(request.tree, request.build, words, f"-j{jobs.count}", *request.targets))


def _find_words(request: Request, config: Mapping[str, str]) -> dict[str, str]:
    """What make is told besides the sources' own words."""
    fixed = reproducible_words(request.tree, request.build, config)
    return merge_words(fixed, packaging_words(request.tree, request.targets), request.words)


@dataclass(frozen=True, slots=True)
class _Run:
    """A build that is going on: what was asked, what make is given; `kind` of builds it is like.

    `keeps`: its record is written; `before`: the record that was there.
    """

    request: Request
    record: BuildRecord
    words: Mapping[str, str]
    jobs: Jobs
    kind: str
    keeps: bool
    before: BuildRecord | None

    @property
    def all_words(self) -> dict[str, str]:
        """make's words, those for the sources too."""
        return {**dict(self.request.tree.words), **self.words}


def _begin(request: Request, words: Mapping[str, str], jobs: Jobs) -> BuildRecord:
    """The record of a build that begins."""
    tree, build = request.tree, request.build
    compiler = process.find_program(find_compilers({**dict(tree.words), **words})[0].split()[-1])
    return BuildRecord(
        name=request.name,
        version=tree.version,
        release=read_build_release(build),
        arch=tree.arch,
        tree=str(tree.path),
        build=str(build),
        source=describe_record(read_record(tree.path)),
        config_sha256=digest_config(build),
        compiler=read_compiler_version(compiler) if compiler is not None else "",
        variables={**dict(tree.words), **words},
        targets=list(request.targets),
        jobs=jobs.count,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        config=read_config_lines(build),
    )


def _make(
    run: _Run, progress: Progress, *, on_line: Callable[[str], None] | None, timeout: float
) -> KernelBuilt:
    request = run.request
    ccache = find_ccache(run.all_words) if request.ccache else None
    environment = build_environment(run.all_words, ccache)
    estimate = Estimate(request.tree.path, run.jobs.count, read_experience(run.kind), start=time.time())
    counted = read_ccache(environment, ccache)
    result, follower = run_make(
        request.tree,
        request.build,
        words=run.words,
        targets=request.targets,
        jobs=run.jobs.count,
        environment=environment,
        estimate=estimate,
        progress=progress,
        on_line=on_line,
        timeout=timeout,
    )
    cached = _compare(counted, read_ccache(environment, ccache))
    if result.status == 0 and (cached is None or cached.hits < cached.misses / 10):
        learned = estimate.learn(time.time())
        if learned is not None:
            write_experience(run.kind, learned)
    return _describe(run, result, follower, cached)


def _describe(run: _Run, result: process.Result, follower: Follower, cached: Cached | None) -> KernelBuilt:
    """The result, and its record written."""
    build, ok = run.request.build, result.status == 0
    lines = result.stdout.splitlines()
    diagnostics = read_diagnostics(lines, build, failed=not ok)
    # Those of a build in the cache stay with it: beside it they would be nobody's.
    inside = build.resolve().parent == own_dir().resolve()
    packages = gather_packages(lines, build, build / PACKAGES) if inside else find_packages(lines, build)
    parts = find_parts(build) if ok else ()
    modules = count_modules(build) if ok else (0, 0)
    slowest = tuple(follower.measured()[:_SLOWEST])
    record = replace(
        run.record,
        release=read_build_release(build),
        config_sha256=digest_config(build),  # make settles new options by their defaults
        config=read_config_lines(build),
        seconds=round(result.seconds, 2),
        status=result.status,
        steps=len(follower.begun),
        warnings=sum(item.severity is Severity.WARNING for item in diagnostics),
        errors=sum(item.severity is Severity.ERROR for item in diagnostics),
        modules=modules[0],
        slowest=[(step.target, round(step.seconds or 0.0, 2)) for step in slowest],
        sizes={str(part.path.relative_to(build)): part.size for part in parts},
        sha256={
            str(part.path.relative_to(build)): digest_file(part.path)
            for part in parts
            if part.path.name != "vmlinux"  # debug information makes it large; the image says as much
        },
        on_disk=read_size(build),
    )
    words = make_argv(run.request.tree, build, run.words, f"-j{run.jobs.count}", *run.request.targets)
    built = KernelBuilt(
        ok=ok,
        record=record,
        jobs=run.jobs,
        seconds=result.seconds,
        steps=len(follower.begun),
        diagnostics=diagnostics,
        parts=parts,
        modules=modules,
        slowest=slowest,
        cached=cached,
        log=log_path(build),
        command=shlex.join(words),
        packages=packages,
    )
    if run.keeps:
        _keep(run, built)
    return built


def _keep(run: _Run, built: KernelBuilt) -> None:
    """Writes the record; a target that make does not know leaves the one that was there."""
    build = run.request.build
    if not find_unknown(built):
        write_build_record(build, built.record)
    elif run.before is not None:
        write_build_record(build, run.before)
    else:
        record_path(build).unlink(missing_ok=True)


def read_ccache(environment: Mapping[str, str], ccache: Path | None) -> Cached | None:
    """ccache's counts so far; None where it is not used or does not say (before 3.7)."""
    if ccache is None:
        return None
    result = process.run([ccache, "--print-stats"], env=environment, timeout=30)
    counts = dict(line.split("\t", 1) for line in result.stdout.splitlines() if "\t" in line)
    try:
        hits = int(counts["direct_cache_hit"]) + int(counts["preprocessed_cache_hit"])
        return Cached(hits, int(counts["cache_miss"]))
    except (KeyError, ValueError):
        return None


def _compare(before: Cached | None, after: Cached | None) -> Cached | None:
    if before is None or after is None:
        return None
    return Cached(after.hits - before.hits, after.misses - before.misses)
