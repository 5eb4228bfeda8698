# SPDX-License-Identifier: MIT
"""Debian's sources of Linux 6.1, fetched once, for tests that configure and build a kernel."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lkm.config import read_config
from lkm.errors import LkmError, MissingError
from lkm.kernel import apt
from lkm.kernel.debian import Debian, Suite
from lkm.paths import cache_dir, locked, new_directory
from lkm.progress import Silent

PACKAGE = "linux-source-6.1"
# Nothing for x86 without drivers is made from these; they are three quarters of it all.
_PLACES = """
    drivers/gpu drivers/net drivers/media drivers/staging drivers/scsi drivers/infiniband drivers/iio
    drivers/usb drivers/mtd drivers/clk drivers/pinctrl drivers/crypto sound tools/testing tools/perf samples
    fs/xfs fs/btrfs fs/ocfs2
"""
LEFT_OUT = (
    "*/arch/[!ux]*/*.[chS]", "*/arch/[!ux]*/*.dts*", "*/Documentation/*.rst",
    *(f"*/{place}/*.[ch]" for place in _PLACES.split()),
)  # fmt: skip


def fetch_tree(*, whole: bool = False) -> Path:
    """Debian's sources of 6.1, kept in the cache; not `whole`: without what x86 without drivers needs not."""
    final = cache_dir() / "tests" / ("sources-6.1-whole" if whole else "sources-6.1")
    with locked(cache_dir() / "tests" / "lock"):
        if final.is_dir():
            return final
        debian = Debian(read_config())
        with new_directory(final) as part:
            problem: LkmError | None = None
            for suite in debian.suites():
                archive = debian.archive(suite)
                try:
                    _read_lists(debian, suite)
                    packages = [one for one in apt.find_closure(archive, [PACKAGE]) if one.name == PACKAGE]
                except LkmError as error:  # not every suite has it
                    problem = error
                    continue
                break
            else:
                raise problem or AssertionError(f"no {PACKAGE} in the package archive")
            (deb,) = apt.download(archive, packages, part, what=PACKAGE, progress=Silent())
            apt.unpack(deb, part / "root")
            deb.unlink()
            file = next((part / "root/usr/src").glob(f"{PACKAGE}.tar.*"))
            left_out = [f"--exclude={pattern}" for pattern in LEFT_OUT if not whole]
            argv = ["tar", "xf", str(file), "-C", str(part), "--strip-components=1", *left_out]
            subprocess.run(argv, check=True, capture_output=True, timeout=600)
            shutil.rmtree(part / "root")
    return final


def _read_lists(debian: Debian, suite: Suite) -> None:
    """The archive's lists; an archive that does not answer at once is asked again, twice."""
    for left in (2, 1, 0):
        try:
            debian.offers(suite, refresh=False, progress=Silent())
        except MissingError:
            if not left:
                raise
        else:
            return
