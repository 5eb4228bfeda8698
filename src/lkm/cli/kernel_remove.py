# SPDX-License-Identifier: MIT
"""`lkm kernel remove`."""

from __future__ import annotations

import click

from lkm.cli import common
from lkm.cli.kernel_tell import SCHEMA, size_words
from lkm.errors import UsageError


@click.command("remove", short_help="Remove kernels and sources from the cache.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--force", is_flag=True, help="Sources that an own kernel needs, too.")
@common.json_option
@common.verbose_option
def command(*, names: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Remove each NAME from the cache, with the guests saved for it and a compiler nothing else needs.

    NAME is a kernel, one built here (own:NAME), or sources (linux-6.12.9). A build directory outside the
    cache stays; only its name is forgotten.
    """
    from lkm.cli.kernel_own import find_tree_row, remove_sources

    freed = 0
    for name in names:
        row = find_tree_row(name)
        if row is not None:
            freed += remove_sources(row, force=force)
        else:
            freed += _remove_kernel(name)
    if as_json:
        common.emit_json({"schema": SCHEMA, "freed": freed})
    else:
        click.echo(f"freed {size_words(freed)}")


def _remove_kernel(name: str) -> int:
    from lkm.guest import remove_templates
    from lkm.kernel import Origin, remove_kernel
    from lkm.kernel.own import find_own, is_building
    from lkm.kernel.size import measure_build
    from lkm.kernel.stock import find_stored_kernel

    kernel = find_stored_kernel(name)
    own = find_own(kernel.name) if kernel.origin is Origin.OWN else None
    if own is not None and is_building(own.build):
        raise UsageError(f"{own.full_name} is being built now", hint="end that build first")
    freed = remove_templates(kernel) + remove_kernel(kernel.name)
    if own is not None and own.linked and own.is_there:
        size = size_words(measure_build(own.build))
        common.note(f"{own.full_name} is forgotten; its build directory {own.build} stays ({size})")
        common.hint(f"rm -r {own.build}, if nothing else needs it")
    elif own is not None:
        what = f"{own.build} was gone already" if own.linked else f"{own.build} is removed"
        common.note(f"{own.full_name} is forgotten; {what}")
    return freed
