# SPDX-License-Identifier: MIT
"""How far an own kernel is, by what lies in its build directory."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pytest
from own_maker import make_build, make_sources

from lkm.compile.state import State, find_users, read_state
from lkm.kernel.own import LOCK_NAME, find_own, own_dir, register_own
from lkm.kernel.size import measure_build
from lkm.paths import locked
from lkm.release.record import Record, read_record, write_record


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def sources(cache: Path) -> Path:
    """Sources in the cache."""
    return make_sources()


def state_of(name: str) -> tuple[State, str]:
    own = find_own(name)
    assert own is not None
    found = read_state(own)
    return found.state, found.why


def test_how_far_an_own_kernel_is(sources: Path, cache: Path) -> None:
    build = make_build(own_dir() / "mine", sources)
    assert state_of("mine") == (State.BUILT, "")
    with locked(build / LOCK_NAME):
        assert state_of("mine")[0] is State.BUILDING
    (build / ".config").write_text("CONFIG_X86_64=y\n# CONFIG_MODULES is not set\n")
    assert state_of("mine") == (State.CHANGED, "its configuration was changed since")
    (build / ".lkm-build.json").unlink()
    os.utime(build / "arch/x86/boot/bzImage", ns=(0, 0))
    assert state_of("mine") == (State.CHANGED, "its configuration is newer than its image")
    (build / "arch/x86/boot/bzImage").unlink()
    assert state_of("mine")[0] is State.CONFIGURED
    (build / ".config").unlink()
    (build / "include/generated/utsrelease.h").unlink()
    assert state_of("mine")[0] is State.EMPTY
    make_build(own_dir() / "failed", sources, image=False, status=2)
    assert state_of("failed") == (State.FAILED, "the last build failed: 2 errors")


def test_other_sources_than_it_was_built_from(sources: Path, cache: Path) -> None:
    make_build(own_dir() / "mine", sources)
    (sources / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 10\nEXTRAVERSION =\n")
    assert state_of("mine") == (State.CHANGED, f"it was built from 6.12.9, and {sources} is 6.12.10 now")
    record = read_record(sources)
    assert record is not None
    write_record(sources, Record(**{**asdict(record), "sha256": "other"}))
    assert "got anew since" in state_of("mine")[1]
    sources.rename(sources.with_name("moved"))
    assert state_of("mine") == (State.CHANGED, f"its sources, {sources}, are not there any more")


def test_who_needs_sources(sources: Path, tmp_path: Path) -> None:
    make_build(own_dir() / "mine", sources)
    register_own("gone", make_build(tmp_path / "gone", sources)).build.rename(tmp_path / "moved")
    assert [own.name for own in find_users(sources)] == ["mine"]
    assert find_users(tmp_path) == []


def test_a_size_is_measured_once(sources: Path, cache: Path) -> None:
    build = make_build(own_dir() / "mine", sources)
    first = measure_build(build)
    (build / "arch/big").write_bytes(bytes(100_000))
    assert measure_build(build) == first  # no file that a build writes was touched
    (build / "vmlinux").write_bytes(bytes(4096))
    assert measure_build(build) > first + 100_000
