# SPDX-License-Identifier: MIT
"""`lkm new`."""

from __future__ import annotations

from pathlib import Path

import click

from lkm.cli import common
from lkm.kbuild import new_module

SCHEMA = 1


@click.command(short_help="Write a new module that builds and loads at once.")
@click.argument("name")
@common.directory_option
@common.json_option
def command(*, name: str, directory: Path | None, as_json: bool) -> int:
    """Write a new module NAME: its C file, a Makefile, a .gitignore and a test.

    The Makefile works under Kbuild and by hand: make, make clean, make KDIR=/a/kernel/build.

    \b
      lkm new hello && lkm run hello month=December day=31
    """
    parent = directory or Path()
    made = new_module(name, parent=parent)
    if as_json:
        common.emit_json({"schema": SCHEMA, "directory": made.resolve(), "files": sorted(made.iterdir())})
    else:
        click.echo(made)
        common.note(f"try: lkm run {made}", dim=True)
    return 0
