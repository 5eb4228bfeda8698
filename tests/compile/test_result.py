# SPDX-License-Identifier: MIT
"""What a log says, and what a build left."""

from __future__ import annotations

from pathlib import Path

from lkm.compile.result import count_modules, find_packages, find_parts, read_diagnostics
from lkm.kbuild.value import Severity

# Two jobs: what follows from the first error, and warnings of others, come between.
LOG = """\
  CC      init/main.o
  CC      kernel/fork.o
/src/kernel/fork.c: In function 'fork_init':
/src/kernel/fork.c:812:6: warning: unused variable 'x' [-Wunused-variable]
  812 |  int x;
      |      ^
/src/init/main.c:99:10: fatal error: linux/none.h: No such file or directory
   99 | #include <linux/none.h>
      |          ^~~~~~~~~~~~~~
compilation terminated.
make[3]: *** [/src/scripts/Makefile.build:250: init/main.o] Error 1
make[2]: *** [/src/Makefile:500: init] Error 2
make[2]: *** Waiting for unfinished jobs....
  CC      kernel/exit.o
/src/kernel/exit.c:7:1: error: expected identifier
make: *** [Makefile:219: __sub-make] Error 2
"""


def test_the_first_cause_comes_first(tmp_path: Path) -> None:
    found = read_diagnostics(LOG.splitlines(), tmp_path, failed=True)
    assert [(str(item.path), item.line, item.severity) for item in found] == [
        ("/src/init/main.c", 99, Severity.ERROR),
        ("/src/kernel/exit.c", 7, Severity.ERROR),
        ("/src/kernel/fork.c", 812, Severity.WARNING),
    ]


def test_a_failure_that_nobody_knows_is_told_by_its_last_words(tmp_path: Path) -> None:
    log = ["  GEN     Makefile", "bc: command not understood", "make: *** [Makefile:219: prepare] Error 1"]
    (item,) = read_diagnostics(log, tmp_path, failed=True)
    assert item.text == "bc: command not understood"
    assert read_diagnostics(log, tmp_path, failed=False) == ()
    (item,) = read_diagnostics([], tmp_path, failed=True)
    assert item.text == "make gave no reason"


def test_parts_modules_and_packages(tmp_path: Path) -> None:
    build = tmp_path / "o"
    (build / "arch/x86/boot").mkdir(parents=True)
    (build / "arch/x86/boot/bzImage").write_bytes(b"x" * 70)
    (build / "vmlinux").write_bytes(b"x" * 500)
    assert [(part.path.name, part.size) for part in find_parts(build)] == [("vmlinux", 500), ("bzImage", 70)]
    assert count_modules(build) == (0, 0)
    (build / "fs").mkdir()
    (build / "fs/a.ko").write_bytes(b"x" * 10)
    (build / "modules.order").write_text("fs/a.o\nfs/gone.o\n")  # since 6.3; before: fs/a.ko
    assert count_modules(build) == (1, 10)
    (tmp_path / "linux-image_1_amd64.deb").touch()
    said = "dpkg-deb: building package 'linux-image' in '../linux-image_1_amd64.deb'."
    assert find_packages([said, "noise"], build) == (tmp_path / "linux-image_1_amd64.deb",)
