# SPDX-License-Identifier: MIT
"""`lkm params`: a module's parameters, and what the kernel would say to values for them."""

from __future__ import annotations

from pathlib import Path

import click

from lkm.cli.common import echo_lines, json_option, kernel_option
from lkm.cli.where import find_module_file, release_options


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("module", metavar="FILE|NAME")
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@kernel_option
@release_options
@json_option
def command(
    module: str,
    values: tuple[str, ...],
    *,
    kernel_name: str | None,
    base: Path | None,
    release: str | None,
    as_json: bool,
) -> int:
    """A module's parameters: type, default value, what sysfs shows; and whether values would be taken.

    Each NAME=VALUE is checked by the kernel's own rules for the type; exit status 1 where one would keep
    the module from loading, or names a parameter that is not there.

    \b
    lkm params hello.ko
    lkm params hello.ko month=December day=31
    """
    from lkm.module import read_module
    from lkm.module.rules import check_values

    found = read_module(find_module_file(module, kernel=kernel_name, base=base, release=release))
    answers = check_values(
        found.parameters, values, bits=found.elf.header.bits, release=found.vermagic.partition(" ")[0]
    )
    from lkm.show.params import answer_line, params_json, params_lines

    if as_json:
        from lkm.cli.common import emit_json

        emit_json(params_json(found.name, found.parameters, answers))
    else:
        echo_lines([answer_line(one) for one in answers] if values else params_lines(found.parameters))
    return int(any(one.error or one.unknown for one in answers))
