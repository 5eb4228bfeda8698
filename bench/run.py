# SPDX-License-Identifier: MIT
"""From a module to the kernel's answer: `python bench/run.py [--kernel NAME] [--runs N] [--json]`.

In one run: QEMU's own start (the floor); a cycle through the library, from a template's clone and from a
standby; the whole command; an edited line to its message; the first run, which makes the template; many
clones at once; and virtme-ng for the same job, where it is installed.  Prints a table, or JSON.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cycle import clones_at_once, cycle, floor, standby_cycle
from measure import Series, Target, repeat, report
from virtme import find_virtme, installed_modules, run_virtme

import lkm
from lkm.guest import Standby, remove_templates
from lkm.kernel import Kernel

HELLO = Path(__file__).parents[1] / "examples" / "hello"
LAUNCHER = Path(__file__).parents[1] / "lkm"
CLONES = (1, 2, 4, 8, 16, 32)


def whole_command(kernel: Kernel, module: Path) -> None:
    """`./lkm run FILE.ko`."""
    argv: list[str | Path] = [LAUNCHER, "run", "--kernel", kernel.name, module, "month=December", "day=31"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "We are on 31 December" in done.stdout, done.stdout


class Edited:
    """A copy of the module; each call changes one line, builds, runs, and waits for the new message."""

    def __init__(self, kernel: Kernel, place: Path) -> None:
        self.kernel = kernel
        self.source = place / "hello"
        shutil.copytree(HELLO, self.source)
        self.text = (self.source / "hello.c").read_text()
        self.number = 0
        lkm.build(self.source, kernel=kernel)

    def to_message(self) -> float:
        """Seconds from the saved edit to its message, in this process."""
        self.number += 1
        message = f"Hello number {self.number}!"
        (self.source / "hello.c").write_text(self.text.replace("Hello!", message))
        start = time.perf_counter()
        built = lkm.build(self.source, kernel=self.kernel)
        with lkm.Guest(self.kernel) as guest, guest.loaded(built.modules[0]) as module:
            assert message in module.log.text, module.log.text
            return time.perf_counter() - start


def first_run(kernel: Kernel, module: Path) -> None:
    """The whole command where no guest of this kernel has been saved yet."""
    whole_command(kernel, module)


def measure(kernel: Kernel, runs: int) -> tuple[list[Series], list[Target]]:
    """Everything but virtme-ng."""
    module = lkm.build(HELLO, kernel=kernel).modules[0]
    whole_command(kernel, module)
    rows = [
        repeat("QEMU start to QMP (the floor)", lambda: floor(kernel), runs=runs),
        repeat("cycle: clone, load, unload, log, end", lambda: cycle(kernel, module), runs=runs),
    ]
    with Standby(kernel) as standby:
        rows.append(repeat("cycle from a standby", lambda: standby_cycle(standby, module), runs=runs))
    rows.append(repeat("lkm run FILE.ko", lambda: whole_command(kernel, module), runs=runs))
    with tempfile.TemporaryDirectory() as place:
        edited = Edited(kernel, Path(place))
        rows.append(repeat("edited line to message", edited.to_message, runs=runs))

    def first() -> float:
        remove_templates(kernel)
        start = time.perf_counter()
        first_run(kernel, module)
        return time.perf_counter() - start

    rows.append(repeat("first run: template made", first, runs=max(3, runs // 4), warmup=0))
    memory = []
    for count in CLONES:
        rate, private = clones_at_once(kernel, module, count)
        rows.append(Series(f"{count} clones at once", (rate,), "cycles/s"))
        if count > 1:
            memory.append(private)
        rows.append(Series(f"{count} clones at once, private memory of each", (private,), "MB"))
    base, one, waiting, command, edit, fresh = (row.median for row in rows[:6])
    targets = [
        Target("cycle / floor", one / base, 3.5),
        Target("standby / floor", waiting / base, 2.0),
        Target("lkm run FILE.ko - cycle", (command - one) * 1000, 120, "ms"),
        Target("edited line to message", edit, 0.7, "s"),
        Target("first run", fresh, 3.5, "s"),
        Target("private memory of each of several clones", max(memory), 45, "MB"),
    ]
    return rows, targets


def against_virtme(program: str, kernel: Kernel, runs: int) -> tuple[list[Series], list[Target]]:
    """virtme-ng and a cycle on the same kernel, in turn."""
    module = lkm.build(HELLO, kernel=kernel).modules[0]
    theirs: list[float] = []
    ours: list[float] = []
    with installed_modules(kernel):
        for _ in range(runs):
            row = repeat("virtme-ng", lambda: run_virtme(program, kernel, module), runs=1, warmup=0)
            theirs += row.values
            ours += repeat("cycle", lambda: cycle(kernel, module), runs=3).values
    rows = [
        Series(f"virtme-ng, {kernel.release}", tuple(theirs)),
        Series(f"cycle, {kernel.release}", tuple(ours)),
    ]
    return rows, [Target("virtme-ng / cycle", rows[0].median / rows[1].median, 150, at_least=True)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kernel", default="debian:6.1", help="default: debian:6.1, the cloud flavour")
    parser.add_argument("--virtme-kernel", default="debian:6.1-amd64", help="one with 9p, for virtme-ng")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, targets = measure(lkm.find_kernel(options.kernel), options.runs)
    program = find_virtme()
    if program is None:
        print("virtme-ng is not installed (pip install virtme-ng): left out", file=sys.stderr)
    else:
        more = against_virtme(program, lkm.find_kernel(options.virtme_kernel), max(3, options.runs // 5))
        rows += more[0]
        targets += more[1]
    report(rows, targets, as_json=options.json)


if __name__ == "__main__":
    main()
