# SPDX-License-Identifier: MIT
"""How long a crash takes to decode: `lkm decode` as a whole process, of a module with debug information.

python bench/decode.py                    the crash of a small module, on the default kernel
python bench/decode.py --kernel DIR       one whose vmlinux has debug information, too
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Series, machine, repeat

import lkm
from lkm.decode.last import write_last

TARGET = 0.3  # seconds
SOURCE = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/netdevice.h>
struct device_state { struct list_head queue; const char *name; };
static struct device_state *the_device;
static inline char first_letter(struct device_state *dev) { return dev->name[0]; }
static int __init crash_init(void)
{
	pr_info("%c\\n", first_letter(READ_ONCE(the_device)));
	return 0;
}
module_init(crash_init);
MODULE_DESCRIPTION("Follows a NULL pointer");
MODULE_LICENSE("GPL");
"""


def main() -> int:
    """Builds a module that crashes, runs it, and decodes what the kernel said; status 1 above the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kernel")
    parser.add_argument("--memory", type=int, default=256)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory, "crash")
        place.mkdir()
        (place / "crash.c").write_text(SOURCE)
        (place / "Makefile").write_text("obj-m += crash.o\n")
        result = lkm.run(place, kernel=arguments.kernel, job=lkm.Job(memory=arguments.memory))
        if not result.reports or result.reports[0].place is None:
            print("the crash was not decoded", file=sys.stderr)
            return 1
        os.environ["XDG_STATE_HOME"] = directory
        write_last(result.kernel.name, [one.path for one in result.modules], result.log, first=0)
        series = [measure("lkm decode", ["decode"], runs=arguments.runs)]
        series += [measure("lkm --version", ["--version"], runs=arguments.runs)]
    print(machine())
    for one in series:
        print(f"{one.name:30} {one.median * 1000:6.0f} ms median, {one.p95 * 1000:6.0f} ms p95")
    return int(series[0].median > TARGET)


def measure(name: str, words: list[str], *, runs: int) -> Series:
    """Wall time of whole processes; the processor's time of each is printed, too."""
    argv = [sys.executable, "-m", "lkm", *words]

    def once() -> None:
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    before = os.times()
    series = repeat(name, once, runs=runs)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"{name}: {used / (runs + 1) * 1000:.0f} ms of a processor each")
    return series


if __name__ == "__main__":
    sys.exit(main())
