# SPDX-License-Identifier: MIT
"""Kconfig's `$(shell,...)`: a hundred questions to the compiler, asked while the files are read on.

Each is answered by a placeholder at once, and by its output where that is needed: at the end, or where it
is part of another question.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor

_MARK = re.compile(r"_lkm_shell_(\d+)_")
# One question, such as whether the compiler takes an option, takes some milliseconds.
_TIMEOUT = 60


class Shells:
    """Commands of Kconfig files, each started once, some at a time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
        self._answers: list[Future[str]] = []
        self._known: dict[str, str] = {}

    def start(self, command: str) -> str:
        """A mark that stands for the output of `command`."""
        command = self.resolve(command)
        mark = self._known.get(command)
        if mark is None:
            mark = self._known[command] = f"_lkm_shell_{len(self._answers)}_"
            self._answers.append(self._pool.submit(_run, command))
        return mark

    def resolve(self, text: str) -> str:
        """`text` with all marks replaced by what the commands said."""
        if "_lkm_shell_" not in text:
            return text
        return _MARK.sub(lambda match: self._answers[int(match[1])].result(), text)


def _run(command: str) -> str:
    """What a shell says: standard output, newlines as spaces (scripts/kconfig/preprocess.c, do_shell)."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_TIMEOUT,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace").rstrip("\n").replace("\n", " ")
