# SPDX-License-Identifier: MIT
"""Where a kernel brings its own compiler: commands made to run with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lkm.kbuild.job import Job


def foreign_command(job: Job, argv: Sequence[str], *, directory: Path) -> list[str]:
    """`argv` to run in `directory` under the kernel's toolchain; itself where that is the machine's own."""
    toolchain = job.kernel.toolchain
    if toolchain is None or toolchain.root is None:
        return list(argv)
    from lkm.kernel import toolchain_command

    return toolchain_command(
        toolchain,
        list(argv),
        kernel=job.kernel,
        writable=[job.place, job.mirror.work],
        readable=[job.source if job.source.is_dir() else job.source.parent],
        cwd=directory,
    )
