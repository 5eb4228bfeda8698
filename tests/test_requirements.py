# SPDX-License-Identifier: MIT
"""The table that the launcher and the doctor read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lkm.requirements import PACKAGE_MANAGERS, Requirement, install_command, is_met, read_requirements

ROOT = Path(__file__).parents[1]


def test_each_row_is_whole() -> None:
    rows = read_requirements()
    assert {row.stage for row in rows} == {"setup", "run", "test"}
    for row in rows:
        assert row.probe.partition(":")[0] in ("cmd", "py", "lib"), row
        assert all(row.packages[column] for column, _ in PACKAGE_MANAGERS.values()), row


def test_what_is_not_there_is_missed() -> None:
    def needs(probe: str) -> bool:
        return is_met(Requirement("run", probe, "", {}))

    assert needs("cmd:sh")
    assert not needs("cmd:no-such-program")
    assert needs("py:json")
    assert not needs("py:no_such_module")
    assert needs("lib:libc.so.6")
    assert not needs("lib:libnothing.so.9")


def test_the_command_names_each_package_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "apt-get"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    row = Requirement("run", "cmd:gcc", "", {"apt": "gcc", "dnf": "gcc", "pacman": "gcc"})
    command = install_command([row, row])
    assert command is not None
    assert command[-4:] == ["install", "-y", "--no-install-recommends", "gcc"]


@pytest.mark.parametrize("script", ["lkm", "test"])
def test_the_launcher_is_posix_shell(script: str) -> None:
    first = (ROOT / script).read_text().splitlines()[0]
    assert first == "#!/bin/sh"
    assert subprocess.run(["sh", "-n", ROOT / script], check=False).returncode == 0
