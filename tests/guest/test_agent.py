# SPDX-License-Identifier: MIT
"""The agent and the launcher are compiled once for each version, and the last few are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.guest.agent import agent_key, build_agent, build_launcher


def test_other_versions_are_kept_the_newest_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    for age in range(6):  # hours
        other = tmp_path / "agent" / f"other-{age}"
        other.mkdir(parents=True)
        os.utime(other, ns=(0, other.stat().st_mtime_ns - age * 3600 * 10**9))
    assert build_agent().is_file()
    kept = {path.name for path in (tmp_path / "agent").iterdir() if path.is_dir()}
    assert kept == {agent_key(), "other-0", "other-1", "other-2"}


def test_what_was_removed_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    for program in (build_launcher(), build_agent()):
        program.unlink()
        assert build_launcher().is_file()
        assert build_agent().is_file()
