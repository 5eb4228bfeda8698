# SPDX-License-Identifier: MIT
"""`lkm kernel list`."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common
from lkm.cli.kernel_tell import SCHEMA, compiler_words, to_json, use_words
from lkm.errors import LkmError
from lkm.kernel import Kernel, Origin, find_kernel, list_kernels
from lkm.kernel.toolchain import list_toolchains
from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.cli.kernel_own import OwnRow, TreeRow
    from lkm.kernel.offer import Offer

_INDENT = 6  # of what goes on in a second line


@click.command("list", short_help="The kernels on this machine.")
@click.option("--all", "show_all", is_flag=True, help="Those that can be fetched, too.")
@common.json_option
@common.verbose_option
def command(*, show_all: bool, as_json: bool) -> None:
    """List the kernels here, those built here too, and kernel sources; * marks the default."""
    from lkm.cli.kernel_own import list_other_trees, list_own_rows, list_tree_rows

    kernels = list_kernels(unbuilt=True)
    owns, trees = list_own_rows(), list_tree_rows()
    default = _default_name()
    offers = _offers() if show_all else []
    if as_json:
        _emit(kernels, owns, trees, default, offers if show_all else None)
        return
    others = list_other_trees(owns)
    names = [kernel.name for kernel in kernels]
    names += [place.name for place in (*(row.place for row in trees), *(row.place for row in others))]
    width = max([24, *map(len, names)])
    by_name = {row.state.own.full_name: row for row in owns}
    for kernel in kernels:
        mark = "*" if kernel.name == default else " "
        start = f"{mark} {kernel.name:{width}}"
        if kernel.name in by_name:
            _tell_own(start, kernel, by_name[kernel.name])
            continue
        size = format_size(kernel.size) if kernel.origin is Origin.DISTRIBUTION else ""
        _line(f"{start} {use_words(kernel):12} {size:>10}  {compiler_words(kernel)}")
    for path, taken in list_toolchains():
        _line(f"  {f'compiler {path.name}':{width}} {'':12} {format_size(taken):>10}", dim=True)
    for row in trees:
        signed = "verified" if row.record.verified else "UNVERIFIED"
        _line(f"  {row.place.name:{width}} {signed:12} {format_size(row.size):>10}  {row.text}")
    for other in others:
        _line(f"  {other.place.name:{width}} {'elsewhere':12} {'':10}  {other.text}")
    here = {kernel.name for kernel in kernels}
    for offer in offers:
        if f"debian:{offer.release}" not in here:
            use = "can build" if offer.can_build else "boots only"
            size = format_size(offer.size)
            _line(f"  {f'debian:{offer.release}':{width}} {use:12} {size:>10}  {offer.suite}", dim=True)
    if not kernels:
        common.note(f"the running kernel, {os.uname().release}, has neither image nor headers here", dim=True)
    if not kernels and not offers:
        common.note("no kernel here yet; fetch one: lkm kernel add debian")
    _tell_broken(owns)
    _tell_much(owns, trees)


def _line(text: str, **style: Any) -> None:
    """A row; on a terminal too narrow for it, its last column goes on the next line."""
    start, _, last = text.rstrip().rpartition("  ")
    width = common.terminal_width() if sys.stdout.isatty() else 0
    if start and 0 < width < len(text.rstrip()):
        lines = textwrap.wrap(last, width - _INDENT, break_long_words=False, break_on_hyphens=False)
        text = "\n".join([start.rstrip(), *(f"{'':{_INDENT}}{line}" for line in lines)])
    click.secho(text.rstrip(), **style)


def _tell_broken(owns: Sequence[OwnRow]) -> None:
    """How to go on with those whose build broke off."""
    from lkm.compile.state import State

    names = [row.state.own.full_name for row in owns if row.state.state is State.BROKE_OFF]
    for name in names:  # each by a line of its own
        common.hint(f"lkm kernel build {name} goes on with it")


def _tell_own(start: str, kernel: Kernel, row: OwnRow) -> None:
    from lkm.compile.state import State

    good = row.state.state in (State.BUILT, State.CHANGED)
    use = use_words(kernel) if good else row.state.state.value
    text = row.text if row.text != use else ""
    colour = None if row.state.state is State.BUILT else "yellow"
    _line(f"{start} {use:12} {format_size(row.size):>10}  {text}", fg=colour)


def _tell_much(owns: Sequence[OwnRow], trees: Sequence[TreeRow]) -> None:
    """Where own kernels and sources take much together: what may go first."""
    from lkm.cli.kernel_own import find_much
    from lkm.paths import cache_dir

    total, name = find_much(owns, trees)
    if name:
        free = format_size(shutil.disk_usage(cache_dir()).free)
        common.note(f"own kernels and sources take {format_size(total)}; {free} are free")
        common.hint(f"lkm kernel remove {name}")


def _emit(
    kernels: Sequence[Kernel],
    owns: Sequence[OwnRow],
    trees: Sequence[TreeRow],
    default: str,
    offers: Sequence[Offer] | None,
) -> None:
    from lkm.cli.kernel_own import list_other_trees, own_json, tree_json

    by_name = {row.state.own.full_name: own_json(row) for row in owns}
    common.emit_json(
        {
            "schema": SCHEMA,
            "default": default or None,
            "kernels": [
                {**to_json(kernel), **({"own": by_name[kernel.name]} if kernel.name in by_name else {})}
                for kernel in kernels
            ],
            "trees": [tree_json(row) for row in trees],
            "other_trees": [
                {"path": row.place, "needed_by": [own.full_name for own in row.users]}
                for row in list_other_trees(owns)
            ],
            "compilers": [{"path": str(path), "size": size} for path, size in list_toolchains()],
            **({"offers": [_offer_json(offer) for offer in offers]} if offers is not None else {}),
        }
    )


def _offers() -> list[Offer]:
    from lkm.kernel.distribution import find_distribution

    with common.progress() as bar:
        return find_distribution(start=Path.cwd()).list_offers(refresh=False, progress=bar)


def _offer_json(offer: Offer) -> dict[str, Any]:
    return {
        "name": f"debian:{offer.release}",
        "release": offer.release,
        "flavour": offer.flavour,
        "version": offer.version,
        "suite": offer.suite,
        "can_build": offer.can_build,
        "current": offer.current,
        "size": offer.size,
    }


def _default_name() -> str:
    try:
        return find_kernel(fetch=False, need_build=False).name
    except LkmError:
        return ""
