# SPDX-License-Identifier: MIT
"""`lkm kernel`: its verbs, and `lkm kernel add`."""

from __future__ import annotations

from importlib import import_module

import click

from lkm.cli import common

# verb: where its command object is
_VERBS = {
    "list": "kernel_list:command",
    "show": "kernel_show:command",
    "remove": "kernel_remove:command",
    "boot": "kernel_boot:command",
    "get": "kernel_get:command",
    "verify": "kernel_verify:command",
    "configure": "kernel_configure:command",
    "build": "kernel_build:command",
    "why": "kernel_why:why_command",
    "diff": "kernel_why:diff_command",
    "install": "kernel_install:install_command",
    "uninstall": "kernel_install:uninstall_command",
}


class Verbs(click.Group):
    """A group whose verbs are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_VERBS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = _VERBS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"lkm.cli.{module}"), attribute)
        return command


@click.group("kernel", cls=Verbs, short_help="Kernels, and their sources.")
def group() -> None:
    """Kernels to boot and to build against: fetched without root, kept in the cache.

    NAME is host (the running kernel), debian:6.1 (the newest of that series), debian:6.1.0-56-amd64
    (exactly that), debian (the distribution's current one), own:NAME (built here), a directory (a kernel
    build directory, or one where packages were unpacked) or an image file.
    """


@group.command("add", short_help="Fetch kernels into the cache.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--boot-only", is_flag=True, help="Take one without headers too; fetch no compiler.")
@common.json_option
@common.verbose_option
def add_command(*, names: tuple[str, ...], boot_only: bool, as_json: bool) -> None:
    """Fetch each NAME with the compiler it was built with; for a series the newest there is now."""
    from lkm.cli.kernel_tell import SCHEMA, compiler_words, to_json, use_words
    from lkm.kernel import add_kernel
    from lkm.show.size import format_size

    kernels = []
    with common.progress() as bar:
        for name in names:
            kernels.append(add_kernel(name, need_build=not boot_only, progress=bar))
    if as_json:
        common.emit_json({"schema": SCHEMA, "kernels": [to_json(kernel) for kernel in kernels]})
        return
    for kernel in kernels:
        words = (kernel.name, use_words(kernel), format_size(kernel.size), compiler_words(kernel))
        click.echo("  ".join(words).rstrip())
