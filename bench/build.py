# SPDX-License-Identifier: MIT
"""How long a build takes after one line has changed: `python bench/build.py [--kernel NAME]... [--runs N]`.

For each kernel, of the lecture's module: make by hand (Kbuild, incremental); the compiler alone (the saved
command of that one object, objtool left out); `lkm.build` in this process; the whole command `lkm build`;
and both where nothing has changed.  Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import Series, Target, report

import lkm
from lkm.kbuild import How, build_place
from lkm.kbuild.commands import read_command
from lkm.kernel import Kernel, toolchain_command

HELLO = Path(__file__).parents[1] / "examples" / "hello"
COMMAND = [sys.executable, "-c", "from lkm.cli import main; main()", "build"]


class Bench:
    """One kernel and two copies of the module: one for make by hand, one for lkm."""

    def __init__(self, kernel: Kernel, place: Path) -> None:
        self.kernel = kernel
        self.source, self.by_hand = place / "hello", place / "by-hand"
        for copy in (self.source, self.by_hand):
            shutil.copytree(HELLO, copy)
        self._number = itertools.count(1)
        self._text = (HELLO / "hello.c").read_text()

    def edit(self, source: Path) -> None:
        """Changes one line, to a text that was not there before."""
        text = self._text.replace("Hello!", f"Hello number {next(self._number)}!")
        (source / "hello.c").write_text(text)

    def run(self, argv: list[str], cwd: Path) -> None:
        """Under the kernel's own compiler; what it says is thrown away."""
        assert self.kernel.toolchain is not None
        command = toolchain_command(
            self.kernel.toolchain,
            argv,
            kernel=self.kernel,
            writable=[self.by_hand],
            readable=[],
            cwd=cwd,
        )
        subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def make(self) -> None:
        """What a person types."""
        self.run(["make", "-C", str(self.kernel.build), f"M={self.by_hand}", "modules"], self.by_hand)

    def compile(self) -> None:
        """The saved command of the one object, up to the compiler's end."""
        saved = read_command(self.by_hand / "hello.o")
        assert saved is not None and self.kernel.build is not None
        cwd = self.by_hand if saved.is_relative else self.kernel.build
        self.run(["sh", "-c", saved.command.partition(" ; ")[0]], cwd)

    def build(self, expected: How) -> float:
        """The library."""
        built = lkm.build(self.source, kernel=self.kernel)
        assert built.ok and built.how is expected, (built.how, built.log)
        return built.seconds

    def command(self) -> None:
        """The whole command."""
        argv = [*COMMAND, str(self.source), "--kernel", self.kernel.name]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(kernel: Kernel, runs: int) -> tuple[list[Series], list[Target]]:
    """All rows for one kernel, and how near the command comes to the compiler."""
    with tempfile.TemporaryDirectory(prefix="lkm-bench-") as place:
        bench = Bench(kernel, Path(place))
        label = kernel.release
        bench.make()
        for how in (How.KBUILD, How.FAST):
            bench.edit(bench.source)
            bench.build(how)
        jobs: dict[str, tuple[Callable[[], object], Path | None]] = {
            "make by hand": (bench.make, bench.by_hand),
            "the compiler alone": (bench.compile, bench.by_hand),
            "lkm.build": (lambda: bench.build(How.FAST), bench.source),
            "lkm build": (bench.command, bench.source),
            "lkm.build, nothing changed": (lambda: bench.build(How.NOTHING), None),
            "lkm build, nothing changed": (bench.command, None),
        }
        values: dict[str, list[float]] = {name: [] for name in jobs}
        # In turn, so that whatever else the machine does falls on all alike.
        for _ in range(runs):
            for name, (job, edited) in jobs.items():
                if edited is not None:
                    bench.edit(edited)
                start = time.perf_counter()
                job()
                values[name].append(time.perf_counter() - start)
        rows = [Series(f"{label}: {name}", tuple(taken)) for name, taken in values.items()]
        shutil.rmtree(build_place(bench.source, kernel, {}).parent, ignore_errors=True)
    return rows, [
        Target(f"{label}: lkm build / the compiler alone", rows[3].median / rows[1].median, 1.5),
        Target(f"{label}: make by hand / lkm build", rows[0].median / rows[3].median, 2.0, at_least=True),
    ]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kernel", action="append", help="default: debian:6.1, debian:6.12, debian:7.3")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Series] = []
    targets: list[Target] = []
    kernels = [
        lkm.find_kernel(name) for name in options.kernel or ("debian:6.1", "debian:6.12", "debian:7.3")
    ]
    for kernel in kernels:
        found = measure(kernel, options.runs)
        rows += found[0]
        targets += found[1]
    report(rows, targets, as_json=options.json)


if __name__ == "__main__":
    main()
