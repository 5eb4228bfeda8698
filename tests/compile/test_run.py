# SPDX-License-Identifier: MIT
"""make, run over a build directory: what it must not take away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.compile.run import kept_lists

LISTS = ("modules.order", "Module.symvers")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build directory with the lists of two modules, of 2001."""
    for name in LISTS:
        (tmp_path / name).write_text("a\nb\n")
        os.utime(tmp_path / name, (1e9, 1e9))
    return tmp_path


def _make_one(build: Path) -> None:
    """What Kbuild does (single_modules of the top Makefile)."""
    for name in LISTS:
        (build / name).write_text("a\n")
    (build / "modules.order").unlink()


def test_one_module_leaves_the_lists_of_all(build: Path) -> None:
    with pytest.raises(KeyboardInterrupt), kept_lists(build, ["fs/a.ko"]):
        _make_one(build)
        raise KeyboardInterrupt
    for name in LISTS:
        assert (build / name).read_text() == "a\nb\n"
        assert (build / name).stat().st_mtime == 1e9


@pytest.mark.parametrize("targets", [[], ["modules"], ["fs/", "fs/a.o"]])
def test_what_makes_all_of_them_writes_the_lists(build: Path, targets: list[str]) -> None:
    with kept_lists(build, targets):
        (build / "modules.order").write_text("c\n")
    assert (build / "modules.order").read_text() == "c\n"


def test_where_there_are_none_there_are_none(tmp_path: Path) -> None:
    with kept_lists(tmp_path, ["fs/a.ko"]):
        (tmp_path / "Module.symvers").write_text("a\n")
    assert (tmp_path / "Module.symvers").read_text() == "a\n"
