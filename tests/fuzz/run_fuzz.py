# SPDX-License-Identifier: MIT
"""A long run: `python tests/fuzz/run_fuzz.py [--minutes N] [--target NAME]... [--wait-while FILE]`.

The minutes are of processor time.  What it finds is written to tests/fuzz/corpus, which the suite runs; then
mend it and run again.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fuzz_targets import ALLOWED, TARGETS
from fuzzer import Fuzzer

from lkm.errors import LkmError

CORPUS = Path(__file__).parent / "corpus"


def main() -> int:
    """Runs each target for its share of the time; status 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--wait-while", type=Path, metavar="FILE", help="stand still while FILE exists")
    options = parser.parse_args()

    def wait() -> None:
        while options.wait_while is not None and options.wait_while.exists():
            time.sleep(1)

    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    chosen = options.target or sorted(TARGETS)
    found = 0
    for name in chosen:
        target, seeds = TARGETS[name]
        kept = [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
        fuzzer = Fuzzer(
            target, (LkmError, *ALLOWED.get(name, ())), [*seeds, *kept], random.Random(options.seed)
        )
        fuzzer.run(seconds=options.minutes * 60 / len(chosen), before=wait)
        print(f"{name}: {fuzzer.cases} cases, {len(fuzzer.corpus)} kept, {len(fuzzer.seen)} steps,"
              f" {len(fuzzer.findings)} findings", flush=True)  # fmt: skip
        for finding in fuzzer.findings.values():
            found += 1
            (CORPUS / name).mkdir(parents=True, exist_ok=True)
            (CORPUS / name / finding.name).write_bytes(finding.data)
            print(f"  {finding.name} ({len(finding.data)} bytes): {finding.reason}", flush=True)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
