# SPDX-License-Identifier: MIT
"""`lkm kernel list | show | add | remove`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common, kernel_boot, kernel_configure, kernel_get, kernel_install, kernel_verify, kernel_why
from lkm.errors import LkmError
from lkm.kernel import Kernel, Origin, add_kernel, find_kernel, list_kernels, remove_kernel
from lkm.kernel.facts import FACTS, parse_facts
from lkm.kernel.layout import read_text
from lkm.kernel.stock import describe_kernel, find_stored_kernel
from lkm.kernel.toolchain import list_toolchains

if TYPE_CHECKING:
    from lkm.kernel.offer import Offer

SCHEMA = 1


@click.group("kernel", short_help="Kernels, and their sources.")
def group() -> None:
    """Kernels to boot and to build against: fetched without root, kept in the cache.

    NAME is host (the running kernel), debian:6.1 (the newest of that series), debian:6.1.0-56-amd64
    (exactly that), debian (the distribution's current one), a directory (a kernel build directory, or one
    where packages were unpacked) or an image file.
    """


group.add_command(kernel_boot.command)
group.add_command(kernel_get.command)
group.add_command(kernel_verify.command)
group.add_command(kernel_configure.command)
group.add_command(kernel_why.why_command)
group.add_command(kernel_why.diff_command)
group.add_command(kernel_install.install_command)
group.add_command(kernel_install.uninstall_command)


@group.command("list", short_help="The kernels on this machine.")
@click.option("--all", "show_all", is_flag=True, help="Those that can be fetched, too.")
@common.json_option
@common.verbose_option
def list_command(*, show_all: bool, as_json: bool) -> None:
    """List the running kernel and the kernels in the cache; * marks the default."""
    kernels = list_kernels()
    default = _default_name()
    offers = _offers() if show_all else []
    here = {kernel.name for kernel in kernels}
    if as_json:
        common.emit_json(
            {
                "schema": SCHEMA,
                "default": default or None,
                "kernels": [to_json(kernel) for kernel in kernels],
                "compilers": [{"path": str(path), "size": size} for path, size in list_toolchains()],
                **({"offers": [_offer_json(offer) for offer in offers]} if show_all else {}),
            }
        )
        return
    for kernel in kernels:
        mark = "*" if kernel.name == default else " "
        size = _size(kernel.size) if kernel.origin is Origin.DISTRIBUTION else ""
        click.echo(f"{mark} {kernel.name:42} {_use(kernel):12} {size:>8}  {_compiler(kernel)}".rstrip())
    for path, taken in list_toolchains():
        click.secho(f"  {f'compiler {path.name}':42} {'':12} {_size(taken):>8}", dim=True)
    for offer in offers:
        if f"debian:{offer.release}" not in here:
            use = "can build" if offer.can_build else "boots only"
            click.secho(
                f"  {f'debian:{offer.release}':42} {use:12} {_size(offer.size):>8}  {offer.suite}", dim=True
            )
    if all(kernel.origin is not Origin.HOST for kernel in kernels):
        common.note(f"the running kernel, {os.uname().release}, has neither image nor headers here", dim=True)
    if not kernels and not offers:
        common.note("no kernel here yet; fetch one: lkm kernel add debian")


@group.command("show", short_help="All that is known of a kernel.")
@click.argument("name", required=False)
@common.json_option
@common.verbose_option
def show_command(*, name: str | None, as_json: bool) -> None:
    """Show a kernel (default: the default one), its parts, and which compiler is used for it and why."""
    kernel = find_kernel(name, fetch=False, need_build=False)
    description = describe_kernel(kernel)
    facts = parse_facts(read_text(kernel.config)) if kernel.config is not None else {}
    if as_json:
        common.emit_json({"schema": SCHEMA, **to_json(kernel), **description, "config_facts": facts})
        return
    rows: list[tuple[str, object]] = [
        ("name", kernel.name),
        ("release", kernel.release),
        ("arch", kernel.arch),
        ("origin", kernel.origin.value),
        ("use", _use(kernel)),
        ("image", kernel.image or "none"),
        ("modules", kernel.modules or "none"),
        ("build directory", kernel.build or "none"),
        ("configuration", kernel.config or "none"),
        ("built with", description["compiler_wanted"] or "not known"),
        ("compiler", _compiler(kernel) or "none"),
    ]
    if kernel.toolchain is not None:
        rows += [
            ("", kernel.toolchain.note),
            *([("", kernel.toolchain.root)] if kernel.toolchain.root else []),
        ]
    elif description["why_not"]:
        rows += [("", description["why_not"])]
    if kernel.size:
        rows += [("on disk", _size(kernel.size))]
    rows += [(key, value) for key, value in description["fetched"].items() if value]
    for label, value in rows:
        click.echo(f"{label:16} {value}".rstrip())
    for option, is_on in facts.items():
        click.secho(f"{'':16} {'+' if is_on else '-'} {option:24} {FACTS[option]}", dim=not is_on)


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
        click.echo(f"{kernel.name}  {_use(kernel)}  {_size(kernel.size)}  {_compiler(kernel)}".rstrip())


@group.command("remove", short_help="Remove kernels from the cache.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@common.json_option
@common.verbose_option
def remove_command(*, names: tuple[str, ...], as_json: bool) -> None:
    """Remove each NAME from the cache, with the guests saved for it and a compiler nothing else needs."""
    from lkm.guest import remove_templates

    freed = 0
    for name in names:
        kernel = find_stored_kernel(name)
        freed += remove_templates(kernel)
        freed += remove_kernel(kernel.name)
    if as_json:
        common.emit_json({"schema": SCHEMA, "freed": freed})
    else:
        click.echo(f"freed {_size(freed)}")


def to_json(kernel: Kernel) -> dict[str, Any]:
    """A kernel as `--json` shows it: its fields, and what it can be used for."""
    return {**common.to_plain(kernel), "can_build": kernel.can_build, "can_boot": kernel.can_boot}


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


def _use(kernel: Kernel) -> str:
    if kernel.can_build:
        return "can build" if kernel.can_boot else "builds only"
    if kernel.build is not None:
        return "no compiler"
    return "boots only" if kernel.can_boot else "nothing"


def _compiler(kernel: Kernel) -> str:
    if kernel.toolchain is None:
        return ""
    return f"{kernel.toolchain.compiler} ({'fetched' if kernel.toolchain.root else 'this machine'})"


def _size(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
