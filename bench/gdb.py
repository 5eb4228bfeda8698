# SPDX-License-Identifier: MIT
"""How long until a guest waits for gdb, and gdb is at a breakpoint: `python bench/gdb.py [--kernel NAME]...`.

Of the lecture's module, built: from the start of `lkm run --gdb hello.ko` to the line that says what to type,
and to the init function in a gdb that is given that line at once.  What is made once for a kernel, its saved
guest and its symbols, is there; making the symbols is measured by itself.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from measure import Series, Target, report

import lkm
from lkm.guest.gdb.symbols import make_symbols, remove_symbols
from lkm.kernel import Kernel

HELLO = Path(__file__).parents[1] / "examples" / "hello"
COMMAND = [sys.executable, "-c", "from lkm.cli import main; main()", "run", "--gdb"]


def wait(kernel: Kernel, module: Path) -> tuple[float, float]:
    """Seconds to the command that is printed, and to the breakpoint in gdb."""
    start = time.perf_counter()
    run = subprocess.Popen(
        [*COMMAND, "--kernel", kernel.name, str(module)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    line = next(line for line in run.stderr if line.startswith("    gdb -x "))
    waits = time.perf_counter() - start
    gdb = subprocess.Popen(
        [*shlex.split(line), "-nx", "-batch", "-ex", "continue"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert gdb.stdout is not None
    assert any("hello_init ()" in line for line in gdb.stdout)
    stops = time.perf_counter() - start
    gdb.communicate()
    run.communicate()
    assert run.returncode == 0
    return waits, stops


def make(kernel: Kernel) -> float:
    """Seconds to make the file with the kernel's symbols."""
    remove_symbols()
    start = time.perf_counter()
    make_symbols(kernel, lambda: [])
    return time.perf_counter() - start


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kernel", action="append", help="default: debian:6.1")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["PYTHONUNBUFFERED"] = "1"
    rows: list[Series] = []
    targets: list[Target] = []
    for kernel in (lkm.find_kernel(name) for name in options.kernel or ("debian:6.1",)):
        module = lkm.build(HELLO, kernel=kernel).modules[0]
        symbols = tuple(make(kernel) for _ in range(3))
        wait(kernel, module)
        taken = [wait(kernel, module) for _ in range(options.runs)]
        label = kernel.release
        rows.append(Series(f"{label}: lkm run --gdb FILE.ko waits", tuple(one for one, _ in taken)))
        rows.append(Series(f"{label}: gdb in the init function", tuple(one for _, one in taken)))
        rows.append(Series(f"{label}: the kernel's symbols, once", symbols))
        targets.append(Target(f"{label}: waits for gdb", rows[-3].median, 1.0, "s"))
    report(rows, targets, as_json=options.json)


if __name__ == "__main__":
    main()
