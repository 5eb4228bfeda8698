# SPDX-License-Identifier: MIT
"""`lkm doctor` as it is shown."""

from __future__ import annotations

import sys

import click
import pytest

from lkm.cli import doctor
from lkm.doctor import Finding, State


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_finding_goes_on_in_its_column_and_its_command_stays_whole(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    command = ("lkm", "kernel", "build", "6.12", "--preset", "debug", "--name", "mine")
    text = "no kernel here has KASAN, lockdep or kmemleak; building one takes 3 GiB"
    finding = Finding("debug kernel", State.NOTE, text, "memory errors, reported where they happen", command)
    monkeypatch.setattr(doctor, "examine", lambda stage: [finding])
    doctor.command.main([], standalone_mode=False)
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert lines[0].startswith("note    debug kernel         no kernel here has ")
    assert {line[:29].strip() for line in lines[1:]} == {""}
    assert lines[-1] == f"{'':29}mend: {' '.join(command)}"
    if is_terminal:
        assert max(map(len, lines[:-1])) <= 60
        said = " ".join(" ".join(line[29:] for line in lines[:-1]).split())
        assert said == f"{text} for: {finding.purpose}"
    else:
        assert [line[29:] for line in lines[:-1]] == [text, f"for: {finding.purpose}"]
