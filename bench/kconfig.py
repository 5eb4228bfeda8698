# SPDX-License-Identifier: MIT
"""How long `lkm kernel why` takes: the first time in a tree, and again; each the whole command.

python bench/kconfig.py BUILD_DIRECTORY [OPTION...]      a configured build directory (make … O=DIR defconfig)
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OPTIONS = ("USB_ACM", "KASAN", "DEBUG_INFO_BTF")
_FIRST, _AGAIN = 3.0, 0.2  # seconds: the targets


def ask(option: str, output: Path, cache: str) -> float:
    """Seconds of one command."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "lkm", "kernel", "why", option, "-O", str(output)],
        env={**os.environ, "LKM_CACHE": cache},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.perf_counter() - began


def main() -> int:
    """Prints medians; status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("options", nargs="*", default=list(OPTIONS))
    parser.add_argument("--runs", type=int, default=5)
    words = parser.parse_args()
    first, other, again = [], [], []
    for _ in range(words.runs):
        with tempfile.TemporaryDirectory() as cache:
            first.append(ask(words.options[0], words.output, cache))
            other += [ask(option, words.output, cache) for option in words.options[1:]]
            again += [ask(option, words.output, cache) for option in words.options for _ in range(3)]
    good = True
    for what, taken, target in (
        ("first in a tree", first, _FIRST),
        ("another option, tree known", other, None),
        ("again", again, _AGAIN),
    ):
        median = statistics.median(taken)
        reached = target is None or median <= target
        good = good and reached
        limit = "" if target is None else f"  (target {target} s: {'reached' if reached else 'missed'})"
        print(f"{what:28} {median:.3f} s, least {min(taken):.3f} s, most {max(taken):.3f} s{limit}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
