# SPDX-License-Identifier: MIT
"""The verdict held against the kernel: hundreds of modules of every kind on each of several kernels.

    python bench/oracle.py                          6.1, 6.12 and 7.3
    python bench/oracle.py debian:6.1 --only fuzz   one kernel, the cases with that word

Prints a confusion table for each kernel and every disagreement; exit status 1 where less than 99.5 % agree.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from oracle_cases import make_cases  # type: ignore[import-not-found]
from oracle_guest import Agreement, compare_cases, count, table  # type: ignore[import-not-found]
from oracle_sources import build_sources  # type: ignore[import-not-found]

from lkm.kernel import find_kernel
from lkm.paths import cache_dir
from lkm.verdict import read_ground

KERNELS = ("debian:6.1", "debian:6.12", "debian:7.3")
_GOOD = (Agreement.SAME, Agreement.MESSAGE, Agreement.TAINTS)


# None of these kernels has what they are about: they are tested without a guest.
_ELSEWHERE = {"livepatch", "constructors"}


def documented_rules() -> set[str]:
    """The rules of docs/check.md: every one that refuses a module."""
    text = (Path(__file__).parents[1] / "docs" / "check.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*`) \| E", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def run(name: str, only: str, hit: Counter[str]) -> bool:
    """One kernel; whether enough agree.  Counts the rules that refused something in `hit`."""
    kernel = find_kernel(name)
    ground = read_ground(kernel)
    built = build_sources(kernel, cache_dir() / "oracle" / kernel.release)
    cases = [case for case in make_cases(ground, built) if only in case.name]
    began = time.monotonic()
    results = list(compare_cases(kernel, ground, cases))
    took = time.monotonic() - began
    counts = count(results)
    decided = [one for one in results if one.agreement is not Agreement.UNPROVED]
    agreed = sum(one.agreement in _GOOD for one in decided)
    print(f"\n{kernel.name}: {len(results)} cases in {took:.0f} s")
    print("\n".join(table(results)))
    print(", ".join(f"{number} {what}" for what, number in counts.most_common()))
    share = 100 * agreed / max(1, len(decided))
    print(f"accepted/refused and errno agree in {agreed} of {len(decided)}: {share:.2f} %")
    here = Counter(one.rule for result in results for one in result.verdict.findings if one.fatal)
    hit += here
    print("rules hit: " + ", ".join(f"{rule} {number}" for rule, number in sorted(here.items())))
    for one in results:
        if one.agreement not in (Agreement.SAME, Agreement.UNPROVED):
            print(f"  {one.agreement}: {one.case.name}: {one.what[:300]}")
    for one in results:
        if one.agreement is Agreement.UNPROVED:
            print(f"  unproved: {one.case.name}: {one.verdict.unproved[0][:100]}; {one.what[:100]}")
    return agreed >= 0.995 * len(decided)


def main() -> int:
    """Runs as the docstring says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", nargs="*", default=list(KERNELS))
    parser.add_argument("--only", default="", help="cases with this word in their names")
    given = parser.parse_args()
    hit: Counter[str] = Counter()
    good = [run(name, given.only, hit) for name in given.kernels]
    never = documented_rules() - hit.keys() - _ELSEWHERE
    print(f"\nrules that no case hits: {', '.join(sorted(never)) or 'none'}")
    return int(not all(good) or (bool(never) and not given.only and len(good) == len(KERNELS)))


if __name__ == "__main__":
    sys.exit(main())
