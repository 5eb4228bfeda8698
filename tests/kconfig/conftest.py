# SPDX-License-Identifier: MIT
"""A real kernel's Kconfig files and its own conf, fetched once; small trees of our own for the edges."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.config import read_config
from lkm.errors import LkmError, MissingError
from lkm.kconfig.configuration import Request, configure
from lkm.kconfig.index import Index, open_index
from lkm.kconfig.tree import Tree, read_tree
from lkm.kernel import apt
from lkm.kernel.debian import Debian, Suite
from lkm.paths import cache_dir, locked, new_directory
from lkm.progress import Silent

PACKAGE = "linux-source-6.1"
# All that configuring reads.
PARTS = ("*/Kconfig*", "*/scripts/*", "*/Makefile*", "*/Kbuild*", "*/configs/*")


def fetch_tree() -> Path:
    """What configuring needs of Debian's sources of 6.1, kept in the cache beside the kernels."""
    final = cache_dir() / "tests" / PACKAGE
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
            argv = ["tar", "xf", str(file), "-C", str(part), "--strip-components=1", "--wildcards", *PARTS]
            subprocess.run(argv, check=True, capture_output=True, timeout=300)
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


@pytest.fixture(scope="session")
def tree() -> Tree:
    """The Kconfig files, Makefiles and scripts of a real kernel."""
    for program in ("make", "gcc", "flex", "bison", "apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine")
    return read_tree(fetch_tree(), {"ARCH": "x86_64"})


@pytest.fixture(scope="session")
def index(tree: Tree) -> Index:
    """What the real tree's Kconfig files say."""
    return open_index(tree)


@pytest.fixture(scope="session")
def built(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build directory with defconfig and the kernel's own conf; read only."""
    place = tmp_path_factory.mktemp("build")
    configure(tree, place, Request(target="defconfig"))
    return place


@pytest.fixture
def output(built: Path, tmp_path: Path) -> Path:
    """A build directory of this test's own, with defconfig."""
    shutil.copytree(built, tmp_path / "o", symlinks=True)
    return tmp_path / "o"


@pytest.fixture
def small(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Index, Path]]:
    """Makes a tree of one Kconfig file, and a build directory with a .config and the real conf."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))

    def make(kconfig: str, config: str = "") -> tuple[Index, Path]:
        source = tmp_path / "small"
        source.mkdir(exist_ok=True)
        file = source / "Kconfig"
        if not file.exists() or file.read_text() != kconfig:
            file.write_text(kconfig)
        place = tmp_path / "small-o"
        (place / "scripts/kconfig").mkdir(parents=True, exist_ok=True)
        conf = place / "scripts/kconfig/conf"
        if not conf.exists():
            shutil.copy(built / "scripts/kconfig/conf", conf)
        (place / ".config").write_text(config)
        return open_index(Tree(source, "6.1.1", (("ARCH", "x86_64"),))), place

    return make
