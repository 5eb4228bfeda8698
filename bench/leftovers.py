# SPDX-License-Identifier: MIT
"""False alarms: a kernel's own modules, loaded and unloaded: `python bench/leftovers.py [--kernel NAME]`.

Each in a clone of its own, with what it depends on.  Prints what is told of each that leaves something: a
finding to be looked into, of the module or of lkm.  `--cycles N` counts memory too.  Ends with the numbers,
and the processor time that looking took.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import lkm
from lkm.leftovers.observe import Observer


class Clock:
    """The processor time of looking, without the waiting."""

    def __init__(self) -> None:
        self.spent: list[float] = []
        self.look = Observer._once

    def install(self) -> None:
        """Measures each look from now on."""
        spent, look = self.spent, self.look

        def timed(observer: Observer) -> object:
            start = time.process_time()
            try:
                return look(observer)
            finally:
                spent.append(time.process_time() - start)

        Observer._once = timed  # type: ignore[method-assign, assignment]


def module_files(kernel: lkm.Kernel, every: int, first: int) -> list[Path]:
    """Every so many of the kernel's modules."""
    assert kernel.modules is not None
    files = sorted(path for path in kernel.modules.rglob("*.ko*") if path.is_file())
    return files[first::every]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kernel", default="debian:6.1")
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cycles", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9, help="end after so many")
    options = parser.parse_args()
    kernel = lkm.find_kernel(options.kernel)
    clock = Clock()
    clock.install()
    outcomes: Counter[str] = Counter()
    until = time.monotonic() + options.seconds
    for path in module_files(kernel, options.every, options.first):
        if time.monotonic() > until:
            break
        try:
            result = lkm.run(path, kernel=kernel, job=lkm.Job(cycles=options.cycles))
        except lkm.LkmError as error:
            outcomes[type(error).__name__] += 1
            continue
        outcomes["left something" if not result.clean else result.outcome.value] += 1
        for one in result.leftovers or ():
            print(f"{path.name}: {one.text}", flush=True)
        for growth in result.cycles.growths if result.cycles else ():
            print(f"{path.name}: {growth.text}", flush=True)
    print(dict(outcomes))
    if clock.spent:
        spent = sorted(clock.spent)
        print(f"a look: median {1000 * spent[len(spent) // 2]:.1f} ms of processor time, {len(spent)} looks")


if __name__ == "__main__":
    main()
