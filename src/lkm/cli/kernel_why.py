# SPDX-License-Identifier: MIT
"""`lkm kernel why` and `lkm kernel diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli import common
from lkm.cli.kernel_tree import find_output, find_tree, output_option, prompt_of, tree_option

if TYPE_CHECKING:
    from lkm.kconfig.difference import Source
    from lkm.kconfig.index import Index

SCHEMA = 1
_OF_CLANG = {"CC_IS_CLANG", "LD_IS_LLD", "AS_IS_LLVM"}  # on where make is told LLVM=1


@click.command("why", short_help="Why an option is on or off, and what would change it.")
@click.argument("option", metavar="OPTION[=VALUE]")
@output_option
@tree_option
@click.option("--all", "every", is_flag=True, help="Show all of long lists.")
@common.json_option
@common.verbose_option
def why_command(
    *, option: str, output: Path | None, tree_name: str | None, every: bool, as_json: bool
) -> int:
    """Say what an option is in a build directory's configuration, and why.

    Its prompt and help, where it is defined, what it depends on and which part is not met (-), what selects
    it, and the least change that would turn it on, or give it VALUE: proved by the kernel's own conf.
    Status 1: no way to it was found.

    \b
      lkm kernel why KASAN -O build
      lkm kernel why NET=n -O build        what must go for it to be off
    """
    from lkm.kconfig.why import explain
    from lkm.show.kconfig import format_why

    place = find_output(output, configured=True)
    name, equals, value = option.removeprefix("CONFIG_").partition("=")
    tree = find_tree(tree_name, place)
    why, index = explain(tree, place, name, wanted=value if equals else None)
    if as_json:
        common.emit_json({"schema": SCHEMA, **common.to_plain(why)})
    else:
        common.echo_lines(format_why(why, prompt_of(index), every=every, width=common.terminal_width()))
        if why.change is not None and why.change.proved:
            words = " ".join(map(str, why.change.settings))
            common.hint(f"lkm kernel configure {f'-O {output} ' if output else ''}set {words}")
        elif why.change is not None and not _OF_CLANG.isdisjoint(why.change.stops):
            words = f"LLVM=1 set {why.name}={why.change.wanted}"
            common.hint(f"by clang: lkm kernel configure {f'-O {output} ' if output else ''}{words}")
    return 1 if why.change is not None and not why.change.proved else 0


@click.command("diff", short_help="Two configurations, by option.")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@tree_option
@common.json_option
@common.verbose_option
def diff_command(*, before: str, after: str, tree_name: str | None, as_json: bool) -> int:
    """Compare two configurations: what is only in A, only in B, changed.

    A and B are configuration files, build directories, names of kernels (debian:6.1), or running. With
    sources at hand (--tree, or a build directory's own) each option is shown with its prompt, and --json
    has its help text. Status 1: they differ.

    \b
      lkm kernel diff debian:6.1 build
    """
    from lkm.kconfig.difference import diff_configs, read_source
    from lkm.show.kconfig import format_difference

    with common.progress() as bar:
        one, other = (read_source(name, progress=bar) for name in (before, after))
    difference = diff_configs(one, other)
    index = None if difference.same else _find_index(tree_name, other, one)
    if as_json:
        groups = ("only_before", "only_after", "changed")
        common.emit_json(
            {
                "schema": SCHEMA,
                "before": str(one.path),
                "after": str(other.path),
                **{
                    name: [
                        {**common.to_plain(change), **_texts(index, change.name)}
                        for change in getattr(difference, name)
                    ]
                    for name in groups
                },
            }
        )
    else:
        common.echo_lines(format_difference(difference, prompt_of(index)))
    return 0 if difference.same else 1


def _find_index(tree_name: str | None, *sources: Source) -> Index | None:
    """The options' texts: of the sources that are named, or that a build directory is of; else none."""
    from lkm.kconfig.index import open_index
    from lkm.kconfig.tree import read_tree

    if tree_name is not None:
        return open_index(find_tree(tree_name, Path.cwd()))
    tree = next((source.tree for source in sources if source.tree is not None), None)
    return open_index(read_tree(tree)) if tree is not None else None


def _texts(index: Index | None, name: str) -> dict[str, str | None]:
    symbol = index.find(name) if index is not None else None
    if symbol is None:
        return {"prompt": None, "help": None}
    return {"prompt": symbol.prompt, "help": symbol.help}
