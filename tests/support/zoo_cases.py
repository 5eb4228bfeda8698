# SPDX-License-Identifier: MIT
"""The zoo's modules as cases: what the head of each source says that comes of it, and how it is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import lkm
from lkm.job import Job, Outcome, RunResult
from lkm.kernel import Kernel
from lkm.klog.report import Kind

ZOO = Path(__file__).parents[1] / "zoo"
MODULES = ZOO / "modules"
DEBUG = ZOO / "debug"  # those that only a kernel built for it reports
KASAN = "CONFIG_KASAN=y"
MARK = "/* BUG HERE */"
_HEAD = re.compile(r"/\*\n(.*?)\n \*/", re.DOTALL)
_FACT = re.compile(r"([a-z]+): (.*)")
_KNOWN = {
    "outcome",
    "kind",
    "ending",
    "timeout",
    "memory",
    "cpus",
    "cmdline",
    "exec",
    "parameters",
    "nounload",
    "needs",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One module of the zoo.

    `kind` is that of the first report expected, None where the kernel reports nothing.  `line`: the marked
    one, None where no line of the source can be named.  `ending`: how the guest ended, and what ran it then
    where that is expected to be known.  `timeout`: seconds; `memory`: MiB; `command`: run in the guest once
    it is loaded.  `needs`: options that the kernel must have, each as its configuration has it.
    """

    name: str
    path: Path
    what: str
    outcome: Outcome
    kind: Kind | None
    line: int | None
    ending: tuple[str, ...] = ()
    timeout: float = 30.0
    memory: int = 256
    cpus: int = 1
    cmdline: str = ""
    command: str | None = None
    parameters: tuple[str, ...] = ()
    unload: bool = True
    needs: tuple[str, ...] = ()

    @property
    def job(self) -> Job:
        """How it is run."""
        return Job(
            command=self.command,
            unload=self.unload,
            timeout=self.timeout,
            memory=self.memory,
            cpus=self.cpus,
            cmdline=self.cmdline,
        )


def parse_case(path: Path, text: str) -> Case:
    """The case of one source.  Raises `ValueError` where its head is not understood."""
    head = _HEAD.search(text)
    if head is None:
        raise ValueError(f"{path}: no comment at its head")
    lines = [line.removeprefix(" *").strip() for line in head[1].splitlines()]
    facts: dict[str, list[str]] = {}
    for line in filter(None, lines):
        if (match := _FACT.fullmatch(line)) is not None:
            facts.setdefault(match[1], []).append(match[2])
    if unknown := facts.keys() - _KNOWN:
        raise ValueError(f"{path}: {', '.join(sorted(unknown))}: not known")
    one = {name: " ".join(texts) for name, texts in facts.items()}
    marked = [number for number, line in enumerate(text.splitlines(), 1) if MARK in line]
    if len(marked) > 1:
        raise ValueError(f"{path}: more than one line is marked")
    case = Case(
        name=path.stem,
        path=path,
        what=" ".join(line for line in lines if not _FACT.fullmatch(line)).strip(),
        outcome=Outcome(one["outcome"]),
        kind=None if one["kind"] == "none" else Kind(one["kind"]),
        line=marked[0] if marked else None,
        ending=tuple(one.get("ending", "").split(maxsplit=1)),
        cmdline=one.get("cmdline", ""),
        command=one.get("exec"),
        parameters=tuple(one.get("parameters", "").split()),
        unload="nounload" not in one,
        needs=tuple(one.get("needs", "").split()),
    )
    settings = {name: int(one[name]) for name in ("timeout", "memory", "cpus") if name in one}
    return replace(case, **settings)


def read_cases(directory: Path = MODULES) -> Sequence[Case]:
    """All of one of the zoo's directories, by name."""
    return [parse_case(path, path.read_text()) for path in sorted(directory.glob("*.c"))]


def read_options(kernel: Kernel) -> frozenset[str]:
    """The options that a kernel was built with, each as its configuration has it."""
    return frozenset() if kernel.config is None else frozenset(kernel.config.read_text().splitlines())


def unfit(case: Case, options: frozenset[str]) -> str:
    """Why a kernel with those options cannot show the case, "" where it can."""
    if missing := [option for option in case.needs if option not in options]:
        return f"built without {' '.join(missing)}"
    if not case.needs and KASAN in options:
        return "KASAN reports it before the kernel meets it"
    return ""


def run_case(case: Case, module: Path, *, kernel: Kernel) -> RunResult:
    """Runs the built `module` of a case in a clone of its own, which is larger where KASAN takes its part."""
    job = case.job
    if KASAN in read_options(kernel):
        job = replace(job, memory=max(job.memory, 512))
    return lkm.run(module, kernel=kernel, parameters=case.parameters, job=job)


class Runs:
    """The runs of many cases: all begin at once, two at a time, and each is waited for by who asks for it."""

    def __init__(self, cases: Sequence[Case], *, kernel: Kernel, at_once: int = 2) -> None:
        self._kernel = kernel
        self._modules: dict[str, Path] = {}
        for directory in sorted({case.path.parent for case in cases}):
            built = lkm.build(directory, kernel=kernel, jobs=at_once)
            assert built.ok, built.log
            self._modules |= {path.stem: path for path in built.modules}
        self._executor = ThreadPoolExecutor(at_once)
        # The long ones first, and those alike one after another: the second finds the first's saved guest.
        order = sorted(cases, key=lambda case: (-case.timeout if case.timeout != 30 else 0, case.cmdline))
        self._runs = {case.name: self._executor.submit(self._run, case) for case in order}

    def _run(self, case: Case) -> RunResult:
        return run_case(case, self._modules[case.name], kernel=self._kernel)

    def result(self, case: Case) -> RunResult:
        """What came of a case."""
        return self._runs[case.name].result()

    def close(self) -> None:
        """Lets those that run end, and begins no more."""
        self._executor.shutdown(cancel_futures=True)
