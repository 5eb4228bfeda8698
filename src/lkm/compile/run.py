# SPDX-License-Identifier: MIT
"""make, run once over a build directory: its lines kept, its steps followed, the rest counted beside it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from lkm import process
from lkm.compile.estimate import Estimate
from lkm.compile.record import log_path
from lkm.compile.steps import COMPILING, is_link, is_packing, measure_step, parse_line, parse_plan
from lkm.compile.value import Step
from lkm.errors import LkmError
from lkm.kconfig.tree import Tree
from lkm.progress import Progress

# Made while Kbuild prepares: what is to be compiled cannot be counted before.
_PREPARING = ("scripts/", "tools/", "arch/x86/tools/", "/", "usr/include/")
_LISTS = ("modules.order", "Module.symvers")  # of all modules of a build
_UPDATE = 0.1  # seconds between two looks at the clock for the bar


def make_argv(tree: Tree, build: Path, words: Mapping[str, str], *more: str) -> list[str]:
    """`make -C TREE O=BUILD …`, as a person would type it."""
    pairs = {"O": str(build), **dict(tree.words), **words}
    return ["make", "-C", str(tree.path), *(f"{name}={value}" for name, value in pairs.items()), *more]


class Follower:
    """Follows make's output: the log file, the steps with their times, the bar."""

    def __init__(
        self,
        build: Path,
        estimate: Estimate,
        progress: Progress,
        *,
        on_line: Callable[[str], None] | None,
        on_prepared: Callable[[], None],
    ) -> None:
        self.begun: dict[str, tuple[Step, float]] = {}
        self._build = build
        self._estimate = estimate
        self._progress = progress
        self._on_line = on_line
        self._on_prepared: Callable[[], None] | None = on_prepared
        self._linking = False
        self._packing = False
        self._shown = 0.0
        self._file: TextIO | None = None

    def __enter__(self) -> Follower:
        self._file = log_path(self._build).open("w", encoding="utf-8", errors="replace", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()

    def feed(self, line: str) -> None:
        """Takes a line of make's."""
        assert self._file is not None
        self._file.write(f"{line}\n")
        if self._on_line is not None:
            self._on_line(line)
        now = time.time()
        step = parse_line(line)
        if step is not None:
            self.begun.setdefault(step.target, (step, now))
            self._estimate.begin(step, now)
            if self._on_prepared is not None and _is_of_kernel(step):
                self._on_prepared()
                self._on_prepared = None
        if not self._linking and is_link(line):
            self._linking = True
            self._estimate.link(now)
        self._packing = self._packing or is_packing(line)
        self.show(now)

    def show(self, now: float) -> None:
        """Tells the bar, at most ten times a second."""
        if now - self._shown < _UPDATE:
            return
        self._shown = now
        done, total = self._estimate.counts
        if self._packing:
            self._progress.update("packing")
        elif self._on_prepared is not None:
            self._progress.update("preparing")
        else:
            what = "linking" if self._linking else "compiling"
            self._progress.update(what, done, total, left=self._estimate.left(now))

    def measured(self) -> list[Step]:
        """The compile steps with their times, the slowest first."""
        steps = []
        for target, (step, begun) in self.begun.items():
            if step.kind in COMPILING:
                seconds = measure_step(self._build, target, begun)
                if seconds is not None:
                    steps.append(replace(step, seconds=seconds))
        return sorted(steps, key=lambda step: -(step.seconds or 0.0))


def _is_of_kernel(step: Step) -> bool:
    return (
        step.kind in ("CC", "AS", "RUSTC")
        and step.target.endswith(".o")
        and not step.target.startswith(_PREPARING)
    )


def count_steps(
    tree: Tree, build: Path, words: Mapping[str, str], *, environment: Mapping[str, str], modules: bool
) -> list[Step]:
    """What make would compile now.  Runs beside a make that builds; empty where make does not say.

    Of the whole tree (`.`), not of `all`: with -n, GNU make runs recipes that begin with +, and those that
    link vmlinux and modules do (scripts/Makefile.vmlinux, Makefile.modfinal).
    """
    more = {"KBUILD_MODULES": "1"} if modules else {}
    argv = ["nice", "-n", "5", *make_argv(tree, build, {**words, **more}, "-nk", ".")]
    with contextlib.suppress(LkmError):
        result = process.run(argv, env=environment, timeout=600)
        return list(parse_plan(result.stdout.splitlines()))
    return []


@contextlib.contextmanager
def kept_lists(build: Path, targets: Sequence[str]) -> Iterator[None]:
    """Puts the lists of all modules and their symbols back where one module is built.

    `make fs/ext2/ext2.ko` writes both for that one alone, and removes the first (the top Makefile,
    single_modules): nothing could be installed then, nor built against the other modules.  With their old
    times, so that `make modules` writes them anew where something is newer.
    """
    names = _LISTS if any(target.endswith(".ko") for target in targets) else ()
    paths = [build / name for name in names if (build / name).is_file()]
    old = [(path, path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    try:
        yield
    finally:
        for path, data, time_ns in old:
            if not path.is_file() or path.read_bytes() != data:
                path.write_bytes(data)
            os.utime(path, ns=(time_ns, time_ns))


def run_make(
    tree: Tree,
    build: Path,
    *,
    words: Mapping[str, str],
    targets: Sequence[str],
    jobs: int,
    environment: Mapping[str, str],
    estimate: Estimate,
    progress: Progress,
    on_line: Callable[[str], None] | None = None,
    timeout: float,
) -> tuple[process.Result, Follower]:
    """Runs make to its end, whatever becomes of it; raises as `process.run`.

    Interrupted or killed it leaves what is finished, and what was being made is removed by make.
    """

    def count() -> None:
        modules = not targets or any(name in ("all", "modules") or name.endswith("-pkg") for name in targets)
        estimate.plan(count_steps(tree, build, words, environment=environment, modules=modules))

    counting = threading.Thread(target=count, name="count", daemon=True)
    whole = not any("/" in target or "." in target for target in targets)  # no directory, no one file
    argv = make_argv(tree, build, words, f"-j{jobs}", *targets)
    on_prepared = counting.start if whole else lambda: None
    follow = Follower(build, estimate, progress, on_line=on_line, on_prepared=on_prepared)
    with kept_lists(build, targets), follow as follower:
        follower.show(time.time())
        result = process.run_lines(
            argv, env=environment, on_line=follower.feed, timeout=timeout, dies_by="TERM"
        )
    if counting.is_alive():
        counting.join(timeout=30)
    return result, follower
