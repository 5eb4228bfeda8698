# SPDX-License-Identifier: MIT
"""A module source and a kernel to modules."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm import paths, process
from lkm.errors import BadInputError
from lkm.kbuild.diagnostics import Targets, flatten, parse_log
from lkm.kbuild.make import build_environment, build_make_argv, check_kernel, parse_make_words
from lkm.kbuild.mirror import Mirror, link_above, mirror_of, scan, sync
from lkm.kbuild.outcome import read_modules, remove_stale
from lkm.kbuild.source import find_source
from lkm.kbuild.value import Built, Diagnostic, How, Severity
from lkm.kernel.value import Kernel

FORMAT = "1"


@dataclass(frozen=True, slots=True)
class Job:
    """All that a build is told: see `build`.  `place`: the directory in the cache that is this job's own."""

    source: Path
    kernel: Kernel
    directory: Path
    words: Mapping[str, str]
    jobs: int
    place: Path
    mirror: Mirror
    on_line: Callable[[str], None] | None
    timeout: float


def build(
    source: Path | str,
    *,
    kernel: Kernel,
    jobs: int | None = None,
    in_place: bool = False,
    make_words: Sequence[str] = (),
    on_line: Callable[[str], None] | None = None,
    timeout: float = 600.0,
) -> Built:
    """Builds the modules of `source` (a directory with a Kbuild file, or one C file) for `kernel`.

    The work is done in the cache, by the kernel's own Kbuild; `source` is only read, or with `in_place`
    written as make by hand would.  `jobs`: how many compilers at once (default: one a processor).
    `make_words`: settings for Kbuild as on make's command line (`W=1`, `KCFLAGS=-DDEBUG`).  `on_line` gets
    each line the tools say as it comes.  `timeout` is in seconds.

    A source that does not compile is a result with `ok` False and diagnostics.  Raises `BadInputError`
    where `source` is none or the kernel has no headers, `MissingError` where the compiler or make is
    missing, `UsageError` for a bad make word, `OutOfTimeError`.
    """
    start = time.monotonic()
    job = _job(
        source,
        kernel,
        jobs=jobs,
        in_place=in_place,
        make_words=make_words,
        on_line=on_line,
        timeout=timeout,
    )
    with paths.locked(job.place.with_name(f"{job.place.name}.lock")):
        built = _build(job)
    ok, modules, diagnostics, how, log = built
    seconds = time.monotonic() - start
    return Built(job.source, kernel, ok, modules, diagnostics, job.mirror.root, how, seconds, log)


def build_place(source: Path, kernel: Kernel, words: Mapping[str, str]) -> Path:
    """The directory in the cache for one source and one kernel with these make words."""
    toolchain = kernel.toolchain
    told = [FORMAT, kernel.release, str(kernel.build), *(f"{key}={words[key]}" for key in sorted(words))]
    if toolchain is not None:
        told += [toolchain.compiler, toolchain.version, str(toolchain.root)]
    return paths.cache_dir() / "build" / _digest(str(source)) / _digest("\0".join(told))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _job(
    given: Path | str,
    kernel: Kernel,
    *,
    jobs: int | None,
    in_place: bool,
    make_words: Sequence[str],
    on_line: Callable[[str], None] | None,
    timeout: float,
) -> Job:
    source = find_source(given)
    words = parse_make_words(make_words)
    directory = check_kernel(kernel, words)
    place = build_place(source, kernel, words)
    if in_place:
        _check_in_place(source)
        mirror = Mirror(source, source)
    else:
        mirror = mirror_of(source, place / "tree")
    if " " in str(mirror.root) or ":" in str(mirror.root):
        raise BadInputError(
            f"{mirror.root}: Kbuild cannot work in a path with a space or a colon",
            hint="lkm build without --in-place" if in_place else "export LKM_CACHE=/a/path/without/them",
        )
    count = jobs or len(os.sched_getaffinity(0))
    return Job(source, kernel, directory, words, count, place, mirror, on_line, timeout)


def _check_in_place(source: Path) -> None:
    if not source.is_dir():
        raise BadInputError(f"{source}: one C file cannot be built in place", hint=f"lkm build {source}")
    if not os.access(source, os.W_OK):
        raise BadInputError(f"{source}: cannot be written", hint="lkm build without --in-place")


def _build(job: Job) -> tuple[bool, tuple[Path, ...], tuple[Diagnostic, ...], How, str]:
    mirror = job.mirror
    paths.make_dir(job.place)
    if mirror.root != mirror.source:
        shutil.rmtree(job.place / "tree", ignore_errors=True)
        paths.make_dir(mirror.root)
        sync(mirror, scan(mirror), {})
        link_above(mirror, 1)
    result = _run_kbuild(job)
    targets = parse_log(result.stdout.splitlines(), real_path=lambda text: _real_path(job, text))
    modules = read_modules(mirror.root) if result.status == 0 else ()
    if result.status == 0:
        remove_stale(mirror.root, modules)
    elif not any(item.severity is Severity.ERROR for item in flatten(targets)):
        _explain(targets, result)
    return result.status == 0, modules, flatten(targets), How.KBUILD, result.stdout


def _run_kbuild(job: Job) -> process.Result:
    argv = build_make_argv(
        job.mirror, job.directory, words=job.words, jobs=job.jobs, options=job.place / "options"
    )
    return process.run_lines(
        argv,
        cwd=job.mirror.root,
        env=build_environment(job.mirror.root),
        on_line=job.on_line,
        timeout=job.timeout,
    )


def _real_path(job: Job, text: str) -> Path:
    """A path as a tool printed it, to the source file's own."""
    mirror = job.mirror
    path = Path(text)
    if not path.is_absolute():
        path = next((base / path for base in (mirror.root, job.directory) if (base / path).exists()), path)
    if mirror.only is not None and path == mirror.root / mirror.only.name:
        return mirror.only
    if path.is_relative_to(mirror.root):
        return Path(os.path.normpath(mirror.source / path.relative_to(mirror.root)))
    return Path(os.path.normpath(path))


def _explain(targets: Targets, result: process.Result) -> None:
    """A failure that nothing understood speaks of: its last words are the diagnostic."""
    last = [line for line in result.stdout.splitlines() if line.strip()][-3:]
    text = "; ".join(last) or f"make ended with status {result.status}"
    targets.setdefault("", []).append(Diagnostic(None, 0, 0, Severity.ERROR, text))


def remove_builds() -> int:
    """Removes every finished build from the cache and returns how many bytes that freed.

    A build that is going on is left alone.
    """
    freed = 0
    base = paths.cache_dir() / "build"
    for place in sorted(base.glob("*/*/")):
        with paths.locked(place.with_name(f"{place.name}.lock")):
            freed += sum(path.lstat().st_blocks * 512 for path in place.rglob("*") if path.is_file())
            shutil.rmtree(place, ignore_errors=True)
    return freed
