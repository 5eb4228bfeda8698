# SPDX-License-Identifier: MIT
"""`lkm sections`: what a module's parts cost in memory."""

from __future__ import annotations

from pathlib import Path

import click

from lkm.cli.common import echo_lines, json_option, kernel_option, terminal_width
from lkm.cli.where import find_module_file, release_options
from lkm.errors import MissingError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("module", metavar="FILE|NAME")
@click.option("--functions", is_flag=True, help="Name every function and its size.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw it as a picture."
)
@kernel_option
@release_options
@json_option
def command(
    module: str,
    *,
    functions: bool,
    svg: Path | None,
    kernel_name: str | None,
    base: Path | None,
    release: str | None,
    as_json: bool,
) -> None:
    """What __init, __exit, __initdata, per-CPU, read-only and other parts of a module cost in bytes.

    Tells what is freed after init, what would never be loaded if the module were built in, and which
    functions and variables lie there.
    """
    from lkm.module import read_module
    from lkm.show.sections import sections_json, sections_lines, sections_svg

    found = read_module(find_module_file(module, kernel=kernel_name, base=base, release=release))
    if svg is not None:
        try:
            svg.write_text(sections_svg(found), encoding="utf-8")
        except OSError as error:
            raise MissingError(f"cannot write {svg}: {error.strerror}") from error
    if as_json:
        from lkm.cli.common import emit_json

        emit_json(sections_json(found))
    else:
        echo_lines(sections_lines(found, all_functions=functions, width=terminal_width()))
