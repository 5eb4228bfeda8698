# SPDX-License-Identifier: MIT
"""`lkm symbol`: who defines and exports a symbol, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lkm.cli.common import echo_lines, emit_json, json_option, note
from lkm.errors import BadInputError

if TYPE_CHECKING:
    from lkm.kernel import Kernel
    from lkm.kernel.kallsyms import MapSymbol
    from lkm.kernel.symbols import KernelSymbol, Symbols

SCHEMA = 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, required=True, metavar="NAME|GLOB...")
@click.option(
    "--kernel",
    "kernels",
    multiple=True,
    metavar="NAME",
    help="This kernel; may be repeated. Default: all at hand.",
)
@click.option("--exported", is_flag=True, help="Only what modules may use.")
@click.option("--users", is_flag=True, help="Name all modules that use it.")
@json_option
def command(
    names: tuple[str, ...], *, kernels: tuple[str, ...], exported: bool, users: bool, as_json: bool
) -> None:
    """Where a symbol is defined, its type and address, whether and to whom it is exported, and who uses it.

    The same for each kernel at hand, side by side. A name may be a shell pattern.

    \b
    lkm symbol _printk
    lkm symbol 'usb_*_driver' --kernel debian:6.1 --exported
    """
    from lkm.kernel.symbols import Symbols, find_in_modules

    symbols = Symbols(read_map=ask_guest)
    chosen = _readable(symbols, find_kernels(kernels), every=bool(kernels))
    found: list[KernelSymbol] = []
    for name in names:
        some = [one for one in symbols.find(chosen, name) if one.exported or not exported]
        if not some and not exported and not _is_pattern(name):
            # Neither the kernel nor an export: a module may define it for itself.
            some = [one for kernel in chosen for one in find_in_modules(kernel, name, symbols.index)]
        if not some:
            near = _near(name, symbols, chosen)
            hint = f"lkm symbol {near}" if near else "lkm map --kernel NAME, and a part of the name"
            raise BadInputError(f"no symbol '{name}' in {', '.join(one.name for one in chosen)}", hint=hint)
        found += some
        missing = [one.name for one in chosen if one.name not in {symbol.kernel for symbol in some}]
        if missing and not as_json and not _is_pattern(name):
            note(f"no {name} in {', '.join(missing)}")
    if as_json:
        emit_json({"schema": SCHEMA, "symbol": [symbol_json(one) for one in found]})
        return
    echo_lines(_lines(found, every_user=users))


def _is_pattern(name: str) -> bool:
    return any(letter in name for letter in "*?[")


def _readable(symbols: Symbols, kernels: list[Kernel], *, every: bool) -> list[Kernel]:
    """Those whose symbols can be read; with `every`, as asked for by name, one that cannot be is an error."""
    found = []
    for kernel in kernels:
        try:
            symbols.read(kernel)
        except BadInputError as error:
            if every or len(kernels) == 1:
                raise
            note(f"without {kernel.name}: {error.message}")
        else:
            found.append(kernel)
    return found


def find_kernels(names: tuple[str, ...]) -> list[Kernel]:
    """The kernels of these names, or all at hand; the distribution's current one where there is none."""
    from lkm.kernel import find_kernel, list_kernels

    if names:
        return [find_kernel(name, need_build=False) for name in names]
    return list_kernels() or [find_kernel(None, need_build=False)]


def ask_guest(kernel: Kernel) -> list[MapSymbol] | None:
    """The symbol map of a booted guest, for a kernel whose files hold none; None where it tells none either.

    Guests are without KASLR: the addresses are as linked.
    """
    if not kernel.can_boot:
        return None
    from lkm.guest import Guest
    from lkm.kernel.symbols import parse_map

    note(f"{kernel.name} has no symbol map on disk: it is asked in a guest")
    with Guest(kernel) as guest:
        try:
            text = guest.copy_out("/proc/kallsyms").decode("utf-8", "replace")
        except BadInputError:
            return None  # built without CONFIG_KALLSYMS
    found = parse_map(text, name=f"/proc/kallsyms of {kernel.name}")
    return found if any(one.address for one in found) else None


def _near(name: str, symbols: Symbols, kernels: list[Kernel]) -> str:
    """A symbol that may have been meant: one that has the name in it, or an export that is spelt like it."""
    from difflib import get_close_matches

    plain = name.strip("*")
    names = [one.name for one in symbols.find(kernels, f"*{plain}*")[:200]]
    if names:
        return next(iter(get_close_matches(plain, names, n=1, cutoff=0.1)), names[0])
    alike = [one for one in symbols.exported_names(kernels[-1]) if abs(len(one) - len(plain)) < 3]
    return next(iter(get_close_matches(plain, alike, n=1, cutoff=0.8)), "")


def symbol_json(symbol: KernelSymbol) -> dict[str, Any]:
    """One symbol of one kernel."""
    from lkm.kernel.symbols import TYPES

    return {
        "name": symbol.name,
        "kernel": symbol.kernel,
        "owner": symbol.owner,
        "type": symbol.type or None,
        "type_meaning": TYPES.get(symbol.type),
        "exported": symbol.exported,
        "gpl_only": symbol.gpl_only,
        "namespace": symbol.namespace,
        "crc": None if symbol.crc is None else f"0x{symbol.crc:08x}",
        "address": None if symbol.address is None else f"0x{symbol.address:016x}",
        "users": list(symbol.users),
    }


def _lines(found: list[KernelSymbol], *, every_user: bool) -> list[str]:
    from lkm.kernel.symbols import TYPES

    lines: list[str] = []
    last = ""
    for one in sorted(found, key=lambda one: one.name):
        if one.name != last:
            last = one.name
            lines.append(one.name)
        where = "the kernel" if one.owner == "vmlinux" else f"module {one.owner}"
        words = [where]
        if one.type:
            words.append(f"{one.type}: {TYPES.get(one.type, 'unknown')}")
        if one.address is not None:
            words.append(f"{one.address:016x}")
        words.append(_exported(one))
        if one.crc is not None:
            words.append(f"crc 0x{one.crc:08x}")
        lines.append(f"  {one.kernel}: {'; '.join(words)}")
        if one.users:
            most = len(one.users) if every_user else 6
            more = f" and {len(one.users) - most} more" if len(one.users) > most else ""
            lines.append(f"    used by {len(one.users)} modules: {', '.join(one.users[:most])}{more}")
    return lines


def _exported(symbol: KernelSymbol) -> str:
    if not symbol.exported:
        return "not exported: no module may use it"
    to = "to GPL-compatible modules only" if symbol.gpl_only else "to all modules"
    return f"exported {to}" + (f", in namespace {symbol.namespace}" if symbol.namespace else "")
