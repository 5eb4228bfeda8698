# SPDX-License-Identifier: MIT
"""Where a kernel brings its own compiler: commands made to run with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lkm.kbuild.job import Job


def foreign_command(job: Job, argv: Sequence[str], *, directory: Path, levels: int) -> list[str]:
    """`argv` to run in `directory` under the kernel's toolchain; itself where that is the machine's own."""
    toolchain = job.kernel.toolchain
    if toolchain is None or toolchain.root is None:
        return list(argv)
    from lkm.kernel import toolchain_command

    return toolchain_command(
        toolchain,
        list(argv),
        kernel=job.kernel,
        writable=[job.place, job.mirror.work],  # the source itself where it is built in place
        readable=readable_paths(job, levels),
        cwd=directory,
    )


def readable_paths(job: Job, levels: int) -> list[Path]:
    """What of the person's files a build may read: the source with `levels` directories above it, and
    what make words name."""
    top = job.mirror.source
    for _ in range(levels):
        top = top.parent if len(top.parts) > 2 else top
    named = [Path(word) for value in job.words.values() for word in value.split() if word.startswith("/")]
    return [top, *(path for path in named if path.exists())]
