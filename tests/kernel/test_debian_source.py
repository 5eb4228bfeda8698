# SPDX-License-Identifier: MIT
"""Debian's own kernel sources, from the archive made here, by real apt."""

from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lkm.cli import run_command
from lkm.config import Config
from lkm.errors import MissingError, UsageError
from lkm.kernel import apt
from lkm.kernel.debian import Debian
from lkm.kernel.debian_source import get_debian_source
from lkm.progress import Silent
from lkm.release import read_record, verify_tree


def source_package(top: str) -> dict[str, bytes]:
    """What linux-source-6.1 holds."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo(f"{top}/Makefile")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"all:\n"))
    return {
        f"usr/src/{top}.tar.xz": lzma.compress(buffer.getvalue()),
        "usr/src/linux-patch-6.1-rt.patch.xz": b"x",
    }


def get(words: str, dest: Path | None = None) -> Any:
    return get_debian_source(Debian(Config()), words, dest=dest, progress=Silent())


@pytest.fixture
def with_sources(archive: Any) -> Any:
    name = "linux-source-6.1"
    archive.add("bookworm", name, "6.1.192-2", source_package(name), depends="xz-utils")
    archive.add("bookworm", "xz-utils", "5.4", {})
    archive.publish("bookworm")
    return archive


def test_sources(with_sources: Any, cache: Path, tmp_path: Path) -> None:
    got = get("6.1")
    assert got.tree == cache / "sources/linux-source-6.1" and (got.tree / "Makefile").read_text() == "all:\n"
    assert got.version == "6.1.192-2" and got.record.verified and got.record.origin == "package"
    assert got.record.message == "the package linux-source-6.1 6.1.192-2 of Debian's, verified by apt"
    assert read_record(got.tree) == got.record
    assert get("6.1").was_here
    assert verify_tree(got.tree).ok
    (got.tree / "Makefile").write_text("evil:\n")
    assert not verify_tree(got.tree).ok
    assert get("6.1", tmp_path / "own").tree == tmp_path / "own/linux-source-6.1"
    assert not list(cache.glob("sources/.new-*"))


def test_as_it_is_typed(with_sources: Any, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["kernel", "get", "debian:6.1"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{cache}/sources/linux-source-6.1\n" and "verified by apt" in said.err


def test_a_name_is_no_pattern(with_sources: Any, archive: Any) -> None:
    archive.add("trixie", "linux-source-6.12", "6.12.94-1", {})
    archive.publish("trixie")
    debian = Debian(Config())
    suites = {suite.name: debian.archive(suite) for suite in debian.suites()}
    for name in ("trixie", "bookworm"):
        apt.update_lists(suites[name])
    with pytest.raises(MissingError, match=r"Unable to locate package linux-source-6\.1\n"):
        apt.find_closure(suites["trixie"], ["linux-source-6.1"])
    (found,) = apt.find_closure(suites["trixie"], ["linux-source-6.12"])
    assert found.name == "linux-source-6.12"
    names = {one.name for one in apt.find_closure(suites["bookworm"], ["linux-source-6.1"])}
    assert names == {"linux-source-6.1", "xz-utils"}


def test_none_of_that_series(with_sources: Any) -> None:
    with pytest.raises(UsageError, match=r"Debian has no linux-source-6\.12 ") as caught:
        get("6.12")  # the kernel is there, its sources are not
    assert "6.1, 6.12" in caught.value.hint
    for words in ("6.99", "", "6.1.192", "x"):
        with pytest.raises(UsageError):
            get(words)
