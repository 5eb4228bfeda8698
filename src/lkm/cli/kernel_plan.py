# SPDX-License-Identifier: MIT
"""`lkm kernel build --dry-run`: the commands, and nothing done."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.errors import BadInputError

if TYPE_CHECKING:
    from lkm.compile.place import Words
    from lkm.compile.record import BuildRecord
    from lkm.compile.value import Request


def tell_steps(
    what: str,
    build: Path | None,
    parsed: Words,
    *,
    presets: Sequence[str],
    jobs: int | None,
    request: Request | None = None,
) -> None:
    """The commands of a build; `what`: the release that is got first, or ""."""
    from lkm.compile.build import plan_command

    place = str(build) if build is not None else "BUILD"
    tree = what or str(request.tree.path if request is not None else "TREE")
    if what:
        click.echo(f"lkm kernel get {what}")
    if presets and (build is None or not (build / ".config").is_file()):
        more = [word for name in presets for word in ("--preset", name)]
        more += [f"{name}={value}" for name, value in parsed.tree_words.items()]
        more += [str(one) for one in parsed.settings]
        click.echo(f"lkm kernel configure -O {place} --tree {tree} {shlex.join(more)}")
    if request is not None:
        click.echo(plan_command(replace(request, jobs=jobs)))
    else:
        words = [f"{name}={value}" for name, value in {**parsed.tree_words, **parsed.words}.items()]
        click.echo(f"lkm kernel build -O {place} {shlex.join([*words, *parsed.targets])}".rstrip())


def tell_again(path: Path, record: BuildRecord, build: Path) -> None:
    """The commands that do a recorded build again by hand."""
    from lkm.compile.again import find_recorded_tree
    from lkm.compile.record import record_path

    try:
        tree = str(find_recorded_tree(record).path)
    except BadInputError:  # not here
        click.echo(f"lkm kernel get {record.version}")
        tree = record.tree
    words = [f"{name}={value}" for name, value in record.variables.items()]
    file = record_path(path) if path.is_dir() else path
    click.echo(f"mkdir -p {build} && jq -r .config {file} > {build}/.config")
    click.echo(shlex.join(["make", "-C", tree, f"O={build}", *words, "olddefconfig"]))
    click.echo(shlex.join(["make", "-C", tree, f"O={build}", *words, f"-j{record.jobs}", *record.targets]))
