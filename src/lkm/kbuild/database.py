# SPDX-License-Identifier: MIT
"""compile_commands.json: how each source file is compiled, for editors and static analysis.

The format is clang's "JSON Compilation Database".  Files are the person's own, not the mirror's copies.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from lkm.kbuild.commands import read_cmd_file
from lkm.kbuild.job import Job

FILE_NAME = "compile_commands.json"


def read_database(job: Job, objects: Iterable[str]) -> list[dict[str, object]]:
    """An entry for each object, from the commands that Kbuild has saved."""
    entries: list[dict[str, object]] = []
    for name in objects:
        saved = read_cmd_file(job.mirror.work / name)
        if saved is None or not saved.dependencies:
            continue
        directory = job.mirror.work if saved.is_relative else job.directory
        source = str(job.real_path(saved.dependencies[0]))
        try:
            words = shlex.split(saved.command.partition(" ; ")[0])
        except ValueError:
            continue
        arguments = [word for word in words[:-1] if not word.startswith(("-Wp,-MMD", "-ffile-prefix-map"))]
        output = os.path.normpath(job.mirror.work / name)
        entries.append(
            {"directory": str(directory), "file": source, "arguments": [*arguments, source], "output": output}
        )
    return entries


def write_database(job: Job, objects: Iterable[str], *, to: Path) -> Path:
    """Writes the database into the directory `to`, whole or not at all; returns its path."""
    path = to / FILE_NAME
    part = path.with_name(f".new-{path.name}.{os.getpid()}")
    part.write_text(json.dumps(read_database(job, objects), indent=1) + "\n", encoding="utf-8")
    part.rename(path)
    return path
