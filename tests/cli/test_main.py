# SPDX-License-Identifier: MIT
"""The command as a whole: verbs, errors, exit statuses."""

from __future__ import annotations

import click
import pytest

from lkm.cli import VERBS, lkm, run_command
from lkm.version import VERSION

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_every_option_explained(verb: str, capfd: Capture) -> None:
    assert run_command([verb, "--help"]) == 0
    said = capfd.readouterr().out
    assert said.startswith(f"Usage: lkm {verb}")
    command = lkm.get_command(None, verb)  # type: ignore[arg-type]  # the context is not looked at
    assert command is not None
    for option in command.params:
        if isinstance(option, click.Argument):
            continue
        assert getattr(option, "help", ""), f"lkm {verb} {option.opts}: no help"


def test_help_names_every_verb(capfd: Capture) -> None:
    assert run_command(["--help"]) == 0
    said = capfd.readouterr().out
    assert all(f"  {verb}  " in said for verb in VERBS)


def test_version(capfd: Capture) -> None:
    assert run_command(["--version"]) == 0
    assert capfd.readouterr().out == f"lkm {VERSION}\n"


def test_a_mistyped_verb_gets_the_near_one(capfd: Capture) -> None:
    assert run_command(["rnu"]) == 2
    assert capfd.readouterr().err == "error: there is no verb 'rnu'\nhint: lkm run\n"


def test_a_mistyped_option_is_wrong_use(capfd: Capture) -> None:
    assert run_command(["run", "--exce", "true"]) == 2
    said = capfd.readouterr().err
    assert "error: no such option" in said and "--exce" in said  # click 8.1 has it without quotes
    assert "hint: " in said


def test_errors_go_to_standard_error_and_results_to_standard_output(capfd: Capture) -> None:
    run_command(["rnu"])
    assert capfd.readouterr().out == ""
