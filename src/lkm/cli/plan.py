# SPDX-License-Identifier: MIT
"""`lkm plan`: what must be loaded or unloaded, in which order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli.common import emit_json, json_option, kernel_option
from lkm.cli.where import find_modules_dir, find_planner, release_options
from lkm.errors import BadInputError

if TYPE_CHECKING:
    from lkm.modtree.plan import Planner
    from lkm.modtree.unload import Loaded

SCHEMA = 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, required=True, metavar="NAME|FILE...")
@click.option("--unload", is_flag=True, help="What must be unloaded, and why something cannot be.")
@click.option(
    "--loaded",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --unload: what is loaded now, as in /proc/modules.",
)
@click.option(
    "-C",
    "--config",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="In place of modprobe.d; may be repeated.",
)
@click.option("--no-config", is_flag=True, help="Without modprobe.d.")
@click.option("--plain", is_flag=True, help="Exactly what modprobe --show-depends prints.")
@kernel_option
@release_options
@json_option
def command(
    names: tuple[str, ...],
    *,
    unload: bool,
    loaded: Path | None,
    config: tuple[Path, ...],
    no_config: bool,
    plain: bool,
    kernel_name: str | None,
    base: Path | None,
    release: str | None,
    as_json: bool,
) -> int:
    """Exactly what must be loaded for these modules, in which order and with which options.

    Soft dependencies, and the options, aliases, blacklists and commands of modprobe.d are included. A
    FILE may lie anywhere; what it needs is looked for among the kernel's modules. Nothing is loaded.
    """
    directory = find_modules_dir(kernel=kernel_name, base=base, release=release)
    paths: list[str | Path] | None = [] if no_config else list(config) or None
    planner, words = find_planner(directory, names, paths)
    if unload:
        return _show_unload(planner, words, loaded, as_json)
    steps = planner.plan(words, repeats=plain)
    if as_json:
        emit_json(
            {
                "schema": SCHEMA,
                "plan": [
                    {
                        "name": step.name,
                        "path": str(step.path) if step.path else None,
                        "options": step.options,
                        "action": step.action.value,
                        "command": step.command or None,
                        "why": step.why,
                    }
                    for step in steps
                ],
            }
        )
    elif plain:
        for step in steps:
            click.echo(str(step))
    else:
        width = max((len(str(step).rstrip()) for step in steps), default=0)
        for step in steps:
            click.echo(f"{str(step).rstrip():{min(width, 90)}}  # {step.why}")
        for name in words:
            if any(one.alias and one.name in planner.config.blacklist for one in planner.find(name)):
                click.echo(
                    f"note: {name} leads to a blacklisted module, which is not loaded by alias", err=True
                )
    return 0


def _show_unload(planner: Planner, names: list[str], loaded: Path | None, as_json: bool) -> int:
    from lkm.modtree.unload import parse_loaded, plan_unload

    now: dict[str, Loaded] | None = None
    if loaded is not None:
        try:
            now = parse_loaded(loaded.read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            raise BadInputError(f"cannot read {loaded}: {error.strerror}") from error
    found = plan_unload(planner, names, loaded=now)
    if as_json:
        steps: list[dict[str, Any]] = [
            {"name": one.name, "why": one.why, "reason": one.reason or None} for one in found
        ]
        emit_json({"schema": SCHEMA, "unload": steps})
    else:
        for one in found:
            if one.reason:
                click.echo(f"{one.name} cannot be unloaded: {one.reason}", err=True)
            else:
                click.echo(f"rmmod {one.name}  # {one.why}")
    return int(any(one.reason for one in found))
