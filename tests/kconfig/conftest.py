# SPDX-License-Identifier: MIT
"""A real kernel's Kconfig files and its own conf, fetched once; small trees of our own for the edges."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel_sources import fetch_tree

from lkm.kconfig.configuration import Request, configure
from lkm.kconfig.index import Index, open_index
from lkm.kconfig.tree import Tree, read_tree


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
