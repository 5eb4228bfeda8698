# SPDX-License-Identifier: MIT
"""`lkm kernel remove`."""

from __future__ import annotations

import click

from lkm.cli import common
from lkm.cli.kernel_tell import SCHEMA
from lkm.errors import UsageError
from lkm.show.size import format_size


@click.command("remove", short_help="Remove kernels, own ones too, and sources.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--force", is_flag=True, help="Sources that an own kernel needs, too.")
@click.option(
    "--with-directory", is_flag=True, help="An own kernel's build directory outside the cache, too."
)
@common.json_option
@common.verbose_option
def command(*, names: tuple[str, ...], force: bool, with_directory: bool, as_json: bool) -> None:
    """Remove each NAME from the cache, with the guests saved for it and a compiler nothing else needs.

    NAME is a kernel, one built here (own:NAME), or sources (linux-6.12.9). A build directory outside the
    cache stays, and only its name is forgotten, unless --with-directory is given.
    """
    from lkm.cli.kernel_own import find_tree_row, remove_sources

    freed = 0
    for name in names:
        row = find_tree_row(name)
        if row is not None:
            freed += remove_sources(row, force=force)
        else:
            freed += _remove_kernel(name, with_directory=with_directory)
    if as_json:
        common.emit_json({"schema": SCHEMA, "freed": freed})
    else:
        click.echo(f"freed {format_size(freed)}")


def _remove_kernel(name: str, *, with_directory: bool) -> int:
    import shutil

    from lkm.cli.kernel_own import check_directory
    from lkm.guest import remove_templates
    from lkm.kernel import Origin, remove_kernel
    from lkm.kernel.own import find_own, is_building
    from lkm.kernel.size import measure_build
    from lkm.kernel.stock import find_stored_kernel
    from lkm.kernel.store import read_size

    try:
        kernel = find_stored_kernel(name)
    except UsageError as error:
        near = _near(name)
        raise UsageError(error.message, hint=f"lkm kernel remove {near}" if near else error.hint) from None
    own = find_own(kernel.name) if kernel.origin is Origin.OWN else None
    if own is not None and is_building(own.build):
        raise UsageError(f"{own.full_name} is being built now", hint="end that build first")
    is_elsewhere = own is not None and own.linked and own.is_there
    if own is not None and is_elsewhere and with_directory:
        check_directory(own)
    freed = remove_templates(kernel) + remove_kernel(kernel.name)
    if own is not None and is_elsewhere and with_directory:
        freed += read_size(own.build)
        shutil.rmtree(own.build)
        common.note(f"{own.full_name} is forgotten; {own.build} is removed")
    elif own is not None and is_elsewhere:
        size = format_size(measure_build(own.build))
        common.note(f"{own.full_name} is forgotten; its build directory {own.build} stays ({size})")
        common.hint(f"rm -r {own.build}, if nothing else needs it")
    elif own is not None:
        what = f"{own.build} was gone already" if own.linked else f"{own.build} is removed"
        common.note(f"{own.full_name} is forgotten; {what}")
    return freed


def _near(name: str) -> str:
    """Of the kernels and sources here the one whose name comes nearest to a wrong one; "" where none does."""
    from difflib import get_close_matches

    from lkm.kernel.own import list_own
    from lkm.kernel.store import list_stored
    from lkm.release.get import list_trees

    names = [place.name for place, _ in list_trees()]
    for own in list_own():
        names += [own.full_name, own.name]
    for stored in list_stored():
        names += [stored.kernel.name, stored.kernel.release]
    return next(iter(get_close_matches(name, names, n=1)), "")
