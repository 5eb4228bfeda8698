# SPDX-License-Identifier: MIT
"""Records the golden logs of tests/klog/logs/ anew, from the zoo's modules.

    .lkm/venv/bin/python tests/zoo/record.py SERIES KERNEL [NAME...]

SERIES: how the logs' names begin (6.1, 6.12-debug).  KERNEL: as for `--kernel`.  NAME: modules of the zoo;
without, those that SERIES has.  A log is written as `dmesg --raw` would show it, its provenance above, the
directory of the sources renamed.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from zoo_cases import DEBUG, MODULES, Case, read_cases, run_case

import lkm
from lkm.kernel import Kernel
from lkm.klog import Record

LOGS = Path(__file__).parents[1] / "klog" / "logs"
SOURCES = "/home/student/zoo"  # where the sources lie, in a log
_PLACE = re.compile(r"/\S*/modules(?=/\w+\.c:)")


def format_raw(records: tuple[Record, ...]) -> str:
    """The records as `dmesg --raw` prints them; each line of one carries its prefix."""
    lines = []
    for record in records:
        prefix = f"<{record.level}>[{record.seconds:12.6f}] "
        lines += [prefix + line for line in _PLACE.sub(SOURCES, record.text).split("\n")]
    return "\n".join(lines) + "\n"


def build(cases: Sequence[Case], kernel: Kernel, place: Path) -> dict[str, Path]:
    """Builds those alone, of copies in `place`; module files by name."""
    source = place / "modules"
    source.mkdir()
    for path in (MODULES / "Makefile", *(case.path for case in cases)):
        shutil.copy(path, source)
    built = lkm.build(source, kernel=kernel)
    if not built.ok:
        raise SystemExit(built.log)
    return {path.stem: path for path in built.modules}


def record(series: str, kernel_name: str, names: Sequence[str]) -> None:
    """Runs those modules on that kernel, one after the other, and writes what it said."""
    kernel = lkm.find_kernel(kernel_name)
    paths = {case: LOGS / f"{series}-{case.name}.txt" for case in [*read_cases(MODULES), *read_cases(DEBUG)]}
    cases = [case for case in paths if case.name in names or (not names and paths[case].exists())]
    with TemporaryDirectory() as place:
        modules = build(cases, kernel, Path(place))
        for case in cases:
            result = run_case(case, modules[case.name], kernel=kernel)
            above = f"# {kernel.release}: tests/zoo/modules/{case.name}.c, recorded by tests/zoo/record.py\n"
            paths[case].write_text(above + format_raw(result.log))
            print(f"{paths[case]}: {result.outcome}, {paths[case].stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    record(sys.argv[1], sys.argv[2], sys.argv[3:])
