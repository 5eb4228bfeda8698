# SPDX-License-Identifier: MIT
"""`lkm doctor`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import click

from lkm import process
from lkm.cli import common
from lkm.doctor import Finding, State, examine
from lkm.errors import MissingError, UsageError
from lkm.guest import remove_templates
from lkm.guest.gdb.symbols import remove_symbols
from lkm.kbuild import remove_builds
from lkm.requirements import install_command, is_met, read_requirements

SCHEMA = 1
_TEXT = 29  # columns before what is said of a finding
_LEAST = 20  # columns; in fewer nothing is folded
_SIGN = {State.GOOD: ("ok", "green"), State.NOTE: ("note", "yellow"), State.MISSING: ("missing", "red")}


@click.command(short_help="What this machine lacks, and the command that mends it.")
@click.option("--fix", is_flag=True, help="Install what is missing.")
@click.option(
    "--clear", is_flag=True, help="Remove saved guests and builds (kernels stay: lkm kernel remove)."
)
@click.option("--tests", is_flag=True, help="Look at what lkm's own test suite needs, too.")
@click.option("--hardware", is_flag=True, help="Show the machine's hardware, and which driver serves it.")
@click.option(
    "--from",
    "place",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="With --hardware: another machine's, written down there.",
)
@click.option("--recorder", is_flag=True, help="Print the script that writes a machine's hardware down.")
@click.option(
    "--tree", "tree_name", metavar="DIR|VERSION", help="With --hardware: sources that name options."
)
@click.option("--all", "every", is_flag=True, help="With --hardware: every device and flag.")
@common.kernel_option
@common.json_option
@common.verbose_option
def command(
    *,
    fix: bool,
    clear: bool,
    tests: bool,
    hardware: bool,
    place: Path | None,
    recorder: bool,
    tree_name: str | None,
    every: bool,
    kernel_name: str | None,
    as_json: bool,
) -> int:
    """Say what this machine has and lacks for lkm, why it is needed and the command that mends it.

    Exits 3 where something needed is missing. With --hardware: processors, memory, firmware, disks and
    devices instead, which driver has each, as a module or built in, and under which option.

    \b
      lkm doctor --hardware --tree 6.12
      lkm doctor --recorder > record.sh
      sh record.sh > machine                     on the other machine
      lkm doctor --hardware --from machine --kernel debian-amd64
    """
    if hardware or recorder or place or tree_name or every or kernel_name:
        from lkm.cli.hardware import check_alone, read_recorder, show_hardware

        if recorder:
            click.echo(read_recorder(), nl=False)
            return 0
        if fix or clear or tests:
            raise UsageError(
                "--hardware goes without --fix, --clear and --tests", hint="lkm doctor --hardware"
            )
        check_alone(hardware, **{"from": place, "tree": tree_name, "all": every, "kernel": kernel_name})
        return show_hardware(
            place=place, kernel_name=kernel_name, tree_name=tree_name, every=every, as_json=as_json
        )
    if clear:
        from lkm.show.size import format_size

        freed = remove_templates(None) + remove_builds() + remove_symbols()
        common.note(f"freed {format_size(freed)}")
    stage = "test" if tests else "run"
    if fix:
        _fix(stage)
    findings = examine(stage=stage)
    if as_json:
        common.emit_json({"schema": SCHEMA, "findings": findings})
    else:
        for finding in findings:
            _show(finding)
    missing = [finding for finding in findings if finding.state is State.MISSING]
    if missing and not fix and not as_json:
        common.note("lkm doctor --fix installs what is missing", bold=True)
    return 3 if missing else 0


def _show(finding: Finding) -> None:
    """On a terminal texts go on in their column; the command that mends it stays whole, to be copied."""
    sign, colour = _SIGN[finding.state]
    click.secho(f"{sign:8}", fg=colour, nl=False)
    width = common.terminal_width() - _TEXT if sys.stdout.isatty() else 0
    name = finding.name
    for line in _fold(finding.text, width):
        click.echo(f"{name:{_TEXT - 9}} {line}" if name else f"{'':{_TEXT}}{line}")
        name = ""
    if finding.state is not State.GOOD:
        for line in _fold(f"for: {finding.purpose}", width):
            click.secho(f"{'':{_TEXT}}{line}", dim=True)
        if finding.fix:
            click.echo(f"{'':{_TEXT}}mend: {shlex.join(finding.fix)}")


def _fold(text: str, width: int) -> list[str]:
    """A text in lines of so many columns; as it is where there are too few, or none are counted."""
    if width < _LEAST or len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _fix(stage: str) -> None:
    stages = {"run"} if stage == "run" else {"run", "test"}
    missing = [row for row in read_requirements() if row.stage in stages and not is_met(row)]
    if not missing:
        common.note("nothing to install")
        return
    argv = install_command(missing)
    if argv is None:
        names = ", ".join(sorted({row.packages["apt"] for row in missing}))
        raise MissingError("no package manager that lkm knows is here", hint=f"install: {names}")
    if argv[0] == "sudo" and process.find_program("sudo") is None:
        raise MissingError("only root can install packages here", hint=f"as root: {shlex.join(argv[1:])}")
    common.note(f"+ {shlex.join(argv)}")
    if subprocess.run(argv, check=False).returncode:  # the person may have to answer sudo
        raise MissingError("the packages could not be installed", hint=shlex.join(argv))
