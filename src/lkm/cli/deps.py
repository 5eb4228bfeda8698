# SPDX-License-Identifier: MIT
"""`lkm deps`: what a module needs, and what needs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli.common import echo_lines, emit_json, json_option, kernel_option, to_plain
from lkm.cli.where import find_modules_dir, find_planner, release_options
from lkm.errors import MissingError

if TYPE_CHECKING:
    from lkm.modtree.deps import Dependencies
    from lkm.modtree.plan import Planner

SCHEMA = 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, required=True, metavar="NAME|FILE...")
@click.option("--graph", type=click.Choice(["text", "dot", "svg"]), help="Draw what they need.")
@click.option("--users", is_flag=True, help="With --graph: what needs them.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the graph to a file."
)
@kernel_option
@release_options
@json_option
def command(
    names: tuple[str, ...],
    *,
    graph: str | None,
    users: bool,
    output: Path | None,
    kernel_name: str | None,
    base: Path | None,
    release: str | None,
    as_json: bool,
) -> None:
    """What modules need and what needs them: directly, through others, softly and weakly; and circles.

    \b
    lkm deps e1000e
    lkm deps --graph svg -o snd.svg snd_hda_intel
    """
    directory = find_modules_dir(kernel=kernel_name, base=base, release=release)
    planner, words = find_planner(directory, names, [])
    modules = [one.name for word in words for one in planner.find(word)]
    if graph is not None:
        _draw(planner, modules, graph, users, output)
        return
    from lkm.modtree.deps import find_dependencies

    found = [find_dependencies(planner, name) for name in modules]
    if as_json:
        emit_json({"schema": SCHEMA, "deps": to_plain(found)})
        return
    for number, one in enumerate(found):
        if number:
            click.echo()
        echo_lines(_lines(one))


def _lines(found: Dependencies) -> list[str]:
    def row(title: str, names: Sequence[str]) -> list[str]:
        return [f"  {title + ':':20} {', '.join(names)}"] if names else []

    lines = [found.name, *row("needs", found.needs)]
    for owner, symbols in found.symbols.items():
        more = f" and {len(symbols) - 4} more" if len(symbols) > 4 else ""
        lines.append(f"    {owner} for {', '.join(symbols[:4])}{more}")
    through = [name for name in found.all_needs if name not in found.needs]
    lines += row("needs through them", through)
    lines += row("soft, before", found.before) + row("soft, after", found.after) + row("weak", found.weak)
    lines += row("used by", found.users)
    lines += row("used through them by", [name for name in found.all_users if name not in found.users])
    lines += row("soft dependency of", found.soft_users)
    for circle in found.circles:
        lines.append(f"  in a circle:         {' -> '.join(circle)}")
    if len(lines) == 1:
        lines.append("  needs nothing but the kernel, and no module needs it")
    return lines


def _draw(planner: Planner, names: list[str], form: str, users: bool, output: Path | None) -> None:
    from lkm.modtree.deps import direct_edges
    from lkm.show.graph import graph_dot, graph_svg, graph_text

    edges = direct_edges(planner, names, users=users)
    soft = {
        name: tuple(
            one.name for side in planner.soft(name) for one in side if one.name in edges and one.name != name
        )
        for name in edges
    }
    if form == "text":
        if users:
            above: dict[str, tuple[str, ...]] = {}
            for name, needs in edges.items():
                for need in needs:
                    above[need] = (*above.get(need, ()), name)
            text = "\n".join(graph_text(above, names)) + "\n"
        else:
            text = "\n".join(graph_text(edges, names)) + "\n"
    else:
        text = (graph_dot if form == "dot" else graph_svg)(edges, names, soft)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MissingError(f"cannot write {output}: {error.strerror}") from error
