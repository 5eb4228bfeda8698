# SPDX-License-Identifier: MIT
"""Reading kernel logs: a million records, without a report in them, with many, and of other formats.

    bench/klog.py [--records N] [--json]

One process; each log is parsed and searched for reports.  Times are of the processor.  The memory is what the
process holds at most, the log's bytes included.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from measure import Series, Target, report

from lkm.klog import find_reports, parse_log

ROOT = Path(__file__).parents[1]
_WORDS = ("hello: device 7", "answered after 25 us", "with status 0,", "queue 3 of 8", "is awake again")


def _texts(records: int) -> Iterable[str]:
    for index in range(records):
        cut = index % len(_WORDS)
        yield " ".join([*_WORDS[cut:], *_WORDS[:cut], str(index)])


def _console(records: int) -> bytes:
    lines = (f"[{index / 1000:12.6f}] {text}\n" for index, text in enumerate(_texts(records)))
    return "".join(lines).encode()


def _callers(records: int) -> bytes:
    lines = (
        f"<{index % 8}>[{index / 1000:12.6f}][{f'T{index % 97}':>6}] {text}\r\n"
        for index, text in enumerate(_texts(records))
    )
    return "".join(lines).encode()


def _kmsg(records: int) -> bytes:
    return "".join(
        f"{index % 8},{index},{index * 1000},-;{text}\n" for index, text in enumerate(_texts(records))
    ).encode()


def _journal(records: int) -> bytes:
    return "".join(f"Nov 23 01:07:28 laptop kernel: {text}\n" for text in _texts(records)).encode()


def _pasted(records: int) -> bytes:
    return "".join(f"{text}\n" for text in _texts(records)).encode()


def _oopses(records: int) -> bytes:
    log = (ROOT / "tests/klog/logs/6.1-null_field.txt").read_bytes()
    lines = [line for line in log.splitlines(keepends=True) if not line.startswith(b"#")]
    return b"".join(lines) * max(1, records // len(lines))


LOGS: dict[str, Callable[[int], bytes]] = {
    "console": _console,
    "console, levels, callers, CR": _callers,
    "/dev/kmsg": _kmsg,
    "journalctl": _journal,
    "a paste without times": _pasted,
    "nothing but oopses": _oopses,
}


def _measure(name: str, records: int) -> tuple[float, float, int, int]:
    """Seconds of the processor to parse and to search, records and reports, in this process."""
    data = LOGS[name](records)
    begin = time.process_time()
    found = parse_log(data)
    parsed = time.process_time()
    reports = find_reports(found)
    return parsed - begin, time.process_time() - parsed, len(found), len(reports)


def _one(name: str, records: int) -> int:
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parsing, searching, count, reports = _measure(name, records)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(parsing, searching, count, reports, (peak - base) / 1024)
    return 0


def main() -> int:
    """Each log in a process of its own, three times; status 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=LOGS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return _one(options.one, options.records)
    rows: list[Series] = []
    targets: list[Target] = []
    for name in LOGS:
        argv = [sys.executable, __file__, "--one", name, "--records", str(options.records)]
        runs = []
        for _ in range(options.runs):
            done = subprocess.run(argv, check=True, capture_output=True, text=True)
            runs.append([float(word) for word in done.stdout.split()])
        rows.append(Series(f"{name}: parsed", tuple(run[2] / run[0] for run in runs), "records/s"))
        both = Series(
            f"{name}: parsed and searched", tuple(run[2] / (run[0] + run[1]) for run in runs), "records/s"
        )
        rows.append(both)
        rows.append(Series(f"{name}: memory", tuple(run[4] for run in runs), "MiB"))
        targets.append(Target(both.name, both.median, 100_000, "records/s", at_least=True))
    report(rows, targets, as_json=options.json)
    return 0 if all(one.reached for one in targets) else 1


if __name__ == "__main__":
    sys.exit(main())
