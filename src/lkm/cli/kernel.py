# SPDX-License-Identifier: MIT
"""`lkm kernel`: its verbs, and `lkm kernel add`."""

from __future__ import annotations

import click

from lkm.cli import (
    common,
    kernel_boot,
    kernel_build,
    kernel_configure,
    kernel_get,
    kernel_install,
    kernel_list,
    kernel_remove,
    kernel_show,
    kernel_verify,
    kernel_why,
)
from lkm.cli.kernel_tell import SCHEMA, compiler_words, to_json, use_words
from lkm.kernel import add_kernel
from lkm.show.size import format_size


@click.group("kernel", short_help="Kernels, and their sources.")
def group() -> None:
    """Kernels to boot and to build against: fetched without root, kept in the cache.

    NAME is host (the running kernel), debian:6.1 (the newest of that series), debian:6.1.0-56-amd64
    (exactly that), debian (the distribution's current one), own:NAME (built here), a directory (a kernel
    build directory, or one where packages were unpacked) or an image file.
    """


group.add_command(kernel_list.command)
group.add_command(kernel_show.command)
group.add_command(kernel_remove.command)
group.add_command(kernel_boot.command)
group.add_command(kernel_get.command)
group.add_command(kernel_verify.command)
group.add_command(kernel_configure.command)
group.add_command(kernel_build.command)
group.add_command(kernel_why.why_command)
group.add_command(kernel_why.diff_command)
group.add_command(kernel_install.install_command)
group.add_command(kernel_install.uninstall_command)


@group.command("add", short_help="Fetch kernels into the cache.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--boot-only", is_flag=True, help="Take one without headers too; fetch no compiler.")
@common.json_option
@common.verbose_option
def add_command(*, names: tuple[str, ...], boot_only: bool, as_json: bool) -> None:
    """Fetch each NAME with the compiler it was built with; for a series the newest there is now."""
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
