# SPDX-License-Identifier: MIT
"""What a log says, and what a build left."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lkm.compile.build import build_kernel
from lkm.compile.record import digest_file
from lkm.compile.result import (
    count_modules,
    find_packages,
    find_parts,
    gather_packages,
    read_diagnostics,
)
from lkm.compile.value import Request
from lkm.kbuild.value import Severity
from lkm.kconfig.tree import read_tree

if TYPE_CHECKING:
    from own_build import OwnBuild

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
    framed = ["make[1]: Entering directory '/o'", *log, "make[1]: Leaving directory '/o'"]
    assert read_diagnostics(framed, tmp_path, failed=True) == (item,)
    note = "/src/irq.h:39:33: note: in expansion of macro 'x'"
    assert read_diagnostics([*log, note], tmp_path, failed=True)[0] == item
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


def test_packages_of_a_build_in_the_cache_stay_with_it(tmp_path: Path) -> None:
    build = tmp_path / "o"
    build.mkdir()
    names = ["linux-image-6.12-x_6.12-1_amd64.deb", "u_6.12-1_amd64.buildinfo", "u_6.12-1_amd64.changes"]
    for name in (*names, "another.deb"):
        (tmp_path / name).touch()
    said = [
        f"dpkg-deb: building package 'linux-image-6.12-x' in '../{names[0]}'.",
        f" dpkg-genbuildinfo --build=binary -O../{names[1]}",
        f" dpkg-genchanges --build=binary -O../{names[2]}",
    ]
    assert gather_packages(said, build, build / "packages") == (build / "packages" / names[0],)
    assert sorted(path.name for path in (build / "packages").iterdir()) == names
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["another.deb"]


def test_other_packagers(tmp_path: Path) -> None:
    for name in ("a.rpm", "linux-6.12-x86.tar.gz"):
        (tmp_path / name).touch()
    said = [f"Wrote: {tmp_path}/a.rpm", "  TAR     linux-6.12-x86.tar.gz"]
    assert [path.name for path in find_packages(said, tmp_path)] == ["a.rpm", "linux-6.12-x86.tar.gz"]


def test_what_a_packager_lacks_is_the_cause(tmp_path: Path) -> None:
    log = [
        "dpkg-buildpackage: info: host architecture amd64",
        "dpkg-checkbuilddeps: error: Unmet build dependencies: build-essential:native",
        "dpkg-buildpackage: warning: build dependencies/conflicts unsatisfied; aborting",
        "make[1]: *** [/src/scripts/Makefile.package:86: bindeb-pkg] Error 3",
    ]
    first, second = read_diagnostics(log, tmp_path, failed=True)
    assert first.text == "dpkg-checkbuilddeps: Unmet build dependencies: build-essential:native"
    assert second.severity is Severity.WARNING and second.text.startswith("dpkg-buildpackage: build")


@pytest.mark.slow
@pytest.mark.fetch
def test_debian_packages(own_kernel: OwnBuild, tmp_path: Path) -> None:
    """Of a kernel that is built: the same each time, and the sources are as they were.

    Up to 6.11 the package of headers takes scripts/unifdef along where it lies there, as from the second time
    on: it is made for linux-libc-dev, beside or after it.
    """
    tree, release = read_tree(own_kernel.tree, {"ARCH": "x86_64"}), own_kernel.release
    sources, build = _list(tree.path), tmp_path / "o"
    shutil.copytree(own_kernel.build, build, symlinks=True)
    digests = []
    for _ in range(3):
        built = build_kernel(Request(tree, build, ("bindeb-pkg",)))
        assert built.ok, built.diagnostics
        assert {path.parent for path in built.packages} == {tmp_path}
        digests.append({path.name: digest_file(path) for path in built.packages})
    names = ("linux-libc-dev", f"linux-image-{release}", f"linux-headers-{release}")
    assert set(digests[0]) == {f"{name}_{tree.version}-1_amd64.deb" for name in names}
    image = next(path for path in built.packages if path.name.startswith("linux-image"))
    held = subprocess.run(["dpkg-deb", "-c", str(image)], capture_output=True, text=True, check=True).stdout
    for name in (f"boot/vmlinuz-{release}", f"boot/config-{release}", "pps-ktimer.ko"):
        assert f"{name}\n" in held, name
    assert _list(tree.path) == sources
    headers = next(name for name in digests[0] if name.startswith("linux-headers"))
    assert digests[1] == digests[2] == digests[0] | {headers: digests[1][headers]}


def _list(tree: Path) -> set[str]:
    return {str(path) for path in tree.rglob("*")}
