# SPDX-License-Identifier: MIT
"""A kernel of one's own: building beside plain make, again from ccache, the bar's estimate, booting.

python bench/kernel.py build TREE [--preset tiny] [--runs 2] [TARGET...]  lkm kernel build, make -j: by turns
python bench/kernel.py ccache TREE [--preset tiny] [TARGET...]            an empty ccache, then a full one
python bench/kernel.py estimate TREE [--preset guest]                     a first build, and what its bar said
python bench/kernel.py boot KERNEL [--beside debian:6.12] [--runs 11]     to READY, by turns

TREE is a kernel's sources that were never built in place; each build gets a directory of its own, in --place
(default: where temporary files go; 0.2 to 1 GB).  TARGETs of make (kernel/) make a short build of it.  The
rest of a kernel's life: bench/verify.py (lkm kernel verify) and bench/kconfig.py (lkm kernel why).
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from measure import Series, Target, report
from verify import measure

import lkm
from lkm.compile.build import build_kernel, plan_command
from lkm.compile.value import Request
from lkm.guest.boot import boot
from lkm.guest.start import Settings, find_machine
from lkm.kconfig import presets
from lkm.kconfig.configuration import Request as Wanted
from lkm.kconfig.configuration import configure
from lkm.kconfig.tree import Tree, read_tree

LKM = [sys.executable, "-m", "lkm", "kernel", "build"]


@dataclass
class Told:
    """What a bar is told: when, and how many seconds were to go."""

    estimates: list[tuple[float, float]] = field(default_factory=list)

    def update(
        self, what: str, done: int = 0, total: int | None = None, *, left: float | None = None
    ) -> None:
        """Keeps it."""
        if left is not None:
            self.estimates.append((time.perf_counter(), left))


def make_directory(tree: Tree, preset: str, place: Path) -> Path:
    """A configured build directory with nothing built."""
    build = Path(tempfile.mkdtemp(prefix="lkm-bench-", dir=place))
    wanted = presets.read_preset(preset)
    configure(tree, build, Wanted(target=wanted.base, settings=wanted.settings))
    return build


def run_quiet(argv: list[str], **more: str) -> None:
    """Runs a command to its good end."""
    done = subprocess.run(argv, env={**os.environ, **more}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(argv)}: status {done.returncode}\n{done.stdout[-800:]}{done.stderr[-800:]}")


def in_directory(tree: Tree, preset: str, place: Path, job: Callable[[Path], None]) -> tuple[float, float]:
    """Wall and processor seconds of a job in a new build directory, which is removed."""
    build = make_directory(tree, preset, place)
    try:
        return measure(lambda: job(build))
    finally:
        shutil.rmtree(build)
        shutil.rmtree(f"{build}.cache", ignore_errors=True)


def beside_make(words: argparse.Namespace) -> tuple[list[Series], list[Target]]:
    """`lkm kernel build` and the make that it runs, each in a fresh directory, by turns."""
    tree, jobs = read_tree(words.tree), len(os.sched_getaffinity(0))

    def by_make(build: Path) -> None:
        line = plan_command(Request(tree, build, tuple(words.targets), {}, jobs=jobs, ccache=False))
        run_quiet(shlex.split(line))

    def by_lkm(build: Path) -> None:
        argv = [*LKM, str(build), *words.targets, f"-j{jobs}", "--no-ccache"]
        run_quiet(argv, LKM_CACHE=f"{build}.cache")  # its name is not to be listed

    pairs = []
    for number in range(words.runs):
        order = (by_make, by_lkm) if number % 2 == 0 else (by_lkm, by_make)
        taken = {job: in_directory(tree, words.preset, words.place, job) for job in order}
        pairs.append((taken[by_make], taken[by_lkm]))
        print(f"{number + 1}/{words.runs}: {pairs[-1]}", file=sys.stderr, flush=True)
    rows = [
        Series("make -j", tuple(one[0] for one, _ in pairs)),
        Series("lkm kernel build", tuple(two[0] for _, two in pairs)),
        Series("make -j, processor", tuple(one[1] for one, _ in pairs)),
        Series("lkm kernel build, processor", tuple(two[1] for _, two in pairs)),
    ]
    wall, used = (statistics.median(two[part] / one[part] for one, two in pairs) for part in (0, 1))
    return rows, [
        Target("lkm kernel build / make -j, wall", wall, 1.02),
        Target("the same, processor time", used, 1.02),
    ]


def from_ccache(words: argparse.Namespace) -> tuple[list[Series], list[Target]]:
    """A build with an empty ccache, then the same in another directory."""
    tree = read_tree(words.tree)
    with tempfile.TemporaryDirectory(dir=words.place) as cache:

        def job(build: Path) -> None:
            run_quiet([*LKM, str(build), *words.targets], CCACHE_DIR=cache, LKM_CACHE=f"{build}.cache")

        cold = in_directory(tree, words.preset, words.place, job)
        warm = [in_directory(tree, words.preset, words.place, job) for _ in range(words.runs)]
    rows = [
        Series("ccache empty", (cold[0],)),
        Series("ccache full, another directory", tuple(wall for wall, _ in warm)),
        Series("ccache empty, processor", (cold[1],)),
        Series("ccache full, another directory, processor", tuple(used for _, used in warm)),
    ]
    return rows, [
        Target("from ccache / cold, wall", rows[1].median / rows[0].median, 0.2),
        Target("the same, processor time", rows[3].median / rows[2].median, 0.2),
    ]


def first_build(words: argparse.Namespace) -> tuple[list[Series], list[Target]]:
    """A whole build on a machine that never built one: minutes, and how far the bar was off."""
    tree, told = read_tree(words.tree), Told()
    build = make_directory(tree, words.preset, words.place)
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state  # what earlier builds took is not known
        start = time.perf_counter()
        result: list[bool] = []

        def job() -> None:
            request = Request(tree, build, (), {}, ccache=False)
            result.append(build_kernel(request, progress=told).ok)

        wall, used = measure(job)
    end = start + wall
    shutil.rmtree(build)
    if result != [True]:
        sys.exit("the build failed")
    # Against what was to go then, where a fifth of the whole was done; the last seconds are no estimate.
    late = [(end - at, left) for at, left in told.estimates if start + wall * 0.2 <= at <= end - 2]
    # Of the whole: what the bar says when it will be done.
    errors = [abs(left - truth) / wall for truth, left in late]
    rows = [
        Series(f"{words.preset}, whole", (wall,)),
        Series(f"{words.preset}, processor", (used,)),
        Series("off, of the time that the whole took", tuple(errors), "×"),
        Series("off, of what was to go", tuple(abs(left / truth - 1) for truth, left in late), "×"),
    ]
    return rows, [
        Target("minutes", wall / 60, 12, "min"),
        Target("most that the bar was off, of the whole", max(errors), 0.25),
        Target("off, of what was to go, median", rows[3].median, 0.25),
    ]


def to_ready(words: argparse.Namespace) -> tuple[list[Series], list[Target]]:
    """Seconds to READY of two kernels, by turns; wall, and what QEMU used of a processor."""
    names = (words.kernel, words.beside)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(words.runs + 1):
        for name in names if number % 2 else names[::-1]:
            kernel = lkm.find_kernel(name)
            machine = find_machine(Settings(kernel))
            start = time.perf_counter()
            vm = boot(kernel, machine, "memory-backend-ram")
            wall = time.perf_counter() - start
            ticks = Path(f"/proc/{vm.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            vm.close()
            if number:  # the first reads the files
                taken[name].append((wall, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")))
        print(f"\r{number}/{words.runs}  ", end="", file=sys.stderr, flush=True)
    rows = [
        Series(f"{name}{what}", tuple(one[part] for one in taken[name]))
        for part, what in ((0, ""), (1, ", QEMU's processor time"))
        for name in names
    ]
    return rows, [
        Target("to READY, wall", rows[0].median / rows[1].median, 0.6),
        Target("the same, QEMU's processor time", rows[2].median / rows[3].median, 0.6),
    ]


def main() -> None:
    """Measures one thing and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = parser.add_subparsers(required=True)
    jobs = (
        ("build", beside_make, "tiny", 2),
        ("ccache", from_ccache, "tiny", 1),
        ("estimate", first_build, "guest", 1),
    )
    for name, job, preset, runs in jobs:
        part = parts.add_parser(name)
        part.add_argument("tree", type=Path)
        part.add_argument("targets", nargs="*", help="of make; default: all")
        part.add_argument("--preset", default=preset)
        part.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()))
        part.set_defaults(job=job)
        part.add_argument("--runs", type=int, default=runs)
        part.add_argument("--json", action="store_true")
    part = parts.add_parser("boot")
    part.add_argument("kernel")
    part.add_argument("--beside", default="debian:6.12")
    part.add_argument("--runs", type=int, default=11)
    part.add_argument("--json", action="store_true")
    part.set_defaults(job=to_ready)
    words = parser.parse_args()
    rows, targets = words.job(words)
    report(rows, targets, as_json=words.json)


if __name__ == "__main__":
    main()
