# SPDX-License-Identifier: MIT
"""A module source and a kernel to modules."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lkm import paths, process
from lkm.errors import BadInputError, MissingError
from lkm.kbuild.cache import prune_builds, write_source
from lkm.kbuild.job import Job, Work
from lkm.kbuild.make import check_kernel, parse_make_words
from lkm.kbuild.mirror import Mirror, mirror_of, target_name
from lkm.kbuild.source import find_source
from lkm.kbuild.value import Built, How
from lkm.kernel.find import given_kernel
from lkm.kernel.value import Kernel

FORMAT = "1"


def build(
    source: Path | str,
    *,
    kernel: Kernel | str | None = None,
    jobs: int | None = None,
    in_place: bool = False,
    make_words: Sequence[str] = (),
    on_line: Callable[[str], None] | None = None,
    timeout: float = 600.0,
    clean: bool = False,
    compile_commands: bool = False,
) -> Built:
    """Builds the modules of `source` (a directory with a Kbuild file, or one C file) for `kernel`.

    The work is done in the cache, by the kernel's own Kbuild; `source` is only read, or with `in_place`
    written as make by hand would.  `kernel`: one, its name, or None for the one that `find_kernel()` gives.
    `jobs`: how many compilers at once (default: one a processor).
    `make_words`: settings for Kbuild as on make's command line (`W=1`, `KCFLAGS=-DDEBUG`).  `on_line` gets
    each line the tools say as it comes.  `timeout` is in seconds.  `clean` forgets what was built before.
    `compile_commands` puts compile_commands.json into the source too, for editors.

    A source that does not compile is a result with `ok` False and diagnostics.  Raises `BadInputError`
    where `source` is none or the kernel has no headers, `MissingError` where the compiler or make is
    missing, `UsageError` for a bad make word, `OutOfTimeError`.
    """
    start = time.monotonic()
    kernel = given_kernel(kernel, need_build=True)
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
        if clean:
            shutil.rmtree(job.place, ignore_errors=True)
        try:
            work = _run(job, in_place=in_place)
        except OSError as error:
            raise MissingError(
                f"{error.filename or job.place}: {error.strerror}",
                hint="lkm doctor --clear, or export LKM_CACHE=/a/directory/with/room",
            ) from error
        if compile_commands and work.ok:
            from lkm.kbuild.database import FILE_NAME

            made = (job.place if in_place else job.mirror.work) / FILE_NAME
            target = job.mirror.directory / FILE_NAME
            try:
                shutil.copyfile(made, target)
            except OSError as error:
                raise BadInputError(f"{target}: {error.strerror}", hint=f"cp {made} .") from error
    if work.how is How.KBUILD:
        write_source(job.place, job.source)
        prune_builds()
    return Built(
        job.source,
        kernel,
        work.ok,
        work.modules,
        work.diagnostics,
        job.mirror.work,
        work.how,
        time.monotonic() - start,
        work.log,
    )


def _run(job: Job, *, in_place: bool) -> Work:
    # Each is imported when it is needed: most builds find that nothing has changed.
    if in_place:
        from lkm.kbuild.full import build_in_place

        return build_in_place(job)
    from lkm.kbuild.work import run_job

    return run_job(job)


def build_place(source: Path, kernel: Kernel, words: Mapping[str, str]) -> Path:
    """The directory in the cache for one source and one kernel with these make words."""
    toolchain = kernel.toolchain
    told = [
        FORMAT,
        os.uname().release,
        kernel.release,
        str(kernel.build),
        *(f"{key}={words[key]}" for key in sorted(words)),
    ]
    if toolchain is not None:
        own = process.find_program(toolchain.compiler) if toolchain.root is None else None
        told += [toolchain.compiler, toolchain.version, str(toolchain.root), str(own)]
    return paths.builds_dir(source) / paths.short_digest("\0".join(told))


def source_copy(module: Path, path: Path) -> Path | None:
    """The copy that a module in the cache was made from of `path`, a file of its source; None for others."""
    source = paths.source_of(module)
    if source is None:
        return None
    builds = paths.builds_dir(source)
    mirror = _mirror(source, builds / module.relative_to(builds).parts[0])
    if not path.is_relative_to(mirror.source):
        return None
    copy = mirror.root / target_name(mirror, str(path.relative_to(mirror.source)))
    return copy if copy.is_file() and not copy.is_symlink() else None


def _mirror(source: Path, place: Path) -> Mirror:
    return mirror_of(source, place / "tree")


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
    if kernel.toolchain is not None and not {"CC", "LLVM"} & words.keys():
        words = {**dict(kernel.toolchain.words), **words}
    place = build_place(source, kernel, words)
    if in_place:
        _check_in_place(source)
        mirror = Mirror(source, source)
    else:
        mirror = _mirror(source, place)
    if re.search(r"[\s:]", str(mirror.work)):
        raise BadInputError(
            f"{mirror.work}: Kbuild cannot work in a path with a space or a colon",
            hint=f"lkm build {source}" if in_place else "export LKM_CACHE=/a/path/without/them",
        )
    count = jobs or len(os.sched_getaffinity(0))
    return Job(source, kernel, directory, words, count, place, mirror, on_line, timeout)


def _check_in_place(source: Path) -> None:
    if not source.is_dir():
        raise BadInputError(f"{source}: one C file cannot be built in place", hint=f"lkm build {source}")
    if not os.access(source, os.W_OK):
        raise BadInputError(f"{source}: cannot be written", hint=f"lkm build {source}")
