# SPDX-License-Identifier: MIT
"""How long verdicts take, and whether any is a false alarm: every module of kernels against their own kernel.

python bench/check.py                            the kernels of the targets
python bench/check.py debian:6.1.0-56-amd64      one
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lkm.kernel import Kernel, find_kernel
from lkm.modtree import iter_module_files
from lkm.modtree.index import Index
from lkm.verdict import Verdict, check_module, read_ground

KERNELS = ("debian:6.1.0-56-amd64", "debian:6.1-cloud-amd64", "debian:6.12", "debian:7.3")
_EACH, _ALL = 0.005, 3.0  # seconds: the targets


def measure(kernel: Kernel, *, targets: bool) -> bool:
    """One kernel; whether there was no false alarm and, of the big one, whether it was quick enough."""
    assert kernel.modules is not None
    paths = sorted(iter_module_files(kernel.modules))
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        read_ground(kernel, index=Index(Path(directory) / "index"))
        probed = time.perf_counter() - began
    read_ground(kernel)
    began = time.perf_counter()
    ground = read_ground(kernel)
    kept = time.perf_counter() - began
    taken: list[float] = []
    verdicts: list[Verdict] = []
    start, processor = time.perf_counter(), time.process_time()
    for path in paths:
        began = time.perf_counter()
        verdicts.append(check_module(path, ground))
        taken.append(time.perf_counter() - began)
    total, processor = time.perf_counter() - start, time.process_time() - processor
    began = time.perf_counter()
    argv = [sys.executable, "-m", "lkm", "check", str(kernel.modules), "--kernel", kernel.name]
    status = subprocess.run(argv, capture_output=True, check=False).returncode
    command = time.perf_counter() - began
    refused = [one for one in verdicts if not one.loads]
    open_questions = [one for one in verdicts if one.unproved]
    each = statistics.median(taken)
    print(f"{kernel.name}: {len(paths)} modules")
    print(f"  reading the kernel {probed:.2f} s once, {kept * 1000:.0f} ms from the index")
    print(f"  a module {each * 1000:.2f} ms in the median, {max(taken) * 1000:.0f} ms at most")
    print(f"  all {total:.2f} s in process, {processor:.2f} s of a processor")
    print(f"  all by the command {command:.2f} s (status {status})")
    print(f"  false alarms {len(refused)}, not known {len(open_questions)}")
    for one in refused:
        print(f"    {one.path.name}: {one.rule}: {one.message[:200]}")
    quick = each <= _EACH and (command <= _ALL or not targets)
    return not refused and not open_questions and quick and status == 0


def main() -> int:
    """Runs as the docstring says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", nargs="*", default=list(KERNELS))
    given = parser.parse_args()
    good = []
    for number, name in enumerate(given.kernels):
        kernel = find_kernel(name, need_build=False)
        good.append(measure(kernel, targets=number == 0))
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
