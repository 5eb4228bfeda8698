# SPDX-License-Identifier: MIT
"""`lkm map`: a kernel's symbol map."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lkm.cli.common import emit_json, json_option
from lkm.cli.symbol import ask_guest, symbol_json
from lkm.errors import BadInputError, UsageError

if TYPE_CHECKING:
    from lkm.kernel import Kernel
    from lkm.kernel.symbols import KernelSymbol, Symbols

SCHEMA = 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("words", nargs=-1, metavar="[PATTERN|ADDRESS]...")
@click.option(
    "--kernel", "kernel_name", metavar="NAME", help="The kernel: host, debian:6.1, a directory, an image."
)
@click.option(
    "--type", "types", multiple=True, metavar="LETTER", help="Only symbols of this type; may be repeated."
)
@click.option("--count", is_flag=True, help="How many symbols there are of each type.")
@click.option("--types", "legend", is_flag=True, help="What each type letter means.")
@json_option
def command(
    words: tuple[str, ...],
    *,
    kernel_name: str | None,
    types: tuple[str, ...],
    count: bool,
    legend: bool,
    as_json: bool,
) -> None:
    """The symbol map of a kernel, as System.map has it: search it, or find what lies at an address.

    A PATTERN is a shell pattern, or a part of a name; an ADDRESS is hexadecimal, 0x before it. Addresses
    are as linked: a running kernel with KASLR has them moved.

    \b
    lkm map 'tcp_v4_*'                    search
    lkm map 0xffffffff81000123            symbol and offset
    lkm map --count                       how many of each type
    """
    from lkm.kernel.symbols import TYPES, Symbols

    if legend:
        if as_json:
            emit_json({"schema": SCHEMA, "types": TYPES})
        else:
            for letter, meaning in TYPES.items():
                click.echo(f"{letter}  {meaning}")
        return
    from lkm.kernel import find_kernel
    from lkm.kernel.own import find_unbuilt

    kernel = find_kernel(kernel_name, need_build=False)
    symbols = Symbols(read_map=ask_guest)
    if not symbols.has_map(kernel):
        unbuilt = find_unbuilt(kernel.build, kernel.name) if kernel.build is not None else None
        raise unbuilt or BadInputError(f"{kernel.name} has no symbol map", hint="lkm kernel list")
    if count:
        _show_counts(symbols, kernel, as_json)
        return
    if not words:
        words = ("*",)
    rows: list[tuple[KernelSymbol, int | None]] = []
    for word in words:
        if word.lower().startswith("0x"):
            rows.append(_at(symbols, kernel, word))
        else:
            pattern = word if any(letter in word for letter in "*?[") else f"*{word}*"
            found = [one for one in symbols.find([kernel], pattern) if one.address is not None]
            rows += [(one, None) for one in sorted(found, key=_place) if not types or one.type in types]
    if not rows:
        raise BadInputError(
            f"no symbol matches {' '.join(words)} in {kernel.name}",
            hint=_near_hint(symbols, kernel, words, kernel_name),
        )
    if as_json:
        emit_json({"schema": SCHEMA, "map": [{**symbol_json(one), "offset": offset} for one, offset in rows]})
        return
    for one, offset in rows:
        if offset is None:
            click.echo(f"{one.address:016x} {one.type} {one.name}")
        else:
            click.echo(f"{(one.address or 0) + offset:016x} {one.type} {one.name}+0x{offset:x}")


def _near_hint(symbols: Symbols, kernel: Kernel, words: Sequence[str], kernel_name: str | None) -> str:
    """The names that come near to those that nothing has; how many symbols there are where none does."""
    from lkm.verdict.nearest import choose_nearest

    which = f"--kernel {shlex.quote(kernel_name)} " if kernel_name is not None else ""
    names = [one.name for one in symbols.find([kernel], "*") if one.address is not None]
    near = [found for word in words if not word.startswith("0x") for found in choose_nearest(names, word)[:1]]
    return f"lkm map {which}{shlex.join(near)}" if near else f"lkm map {which}--count"


def _place(symbol: KernelSymbol) -> tuple[int, str]:
    return symbol.address or 0, symbol.name


def _at(symbols: Symbols, kernel: Kernel, word: str) -> tuple[KernelSymbol, int]:
    try:
        address = int(word, 16)
    except ValueError as error:
        raise UsageError(
            f"'{word}' is not a hexadecimal address", hint="lkm map 0xffffffff81000123"
        ) from error
    if address >> 64:
        raise UsageError(f"'{word}' has more than 64 bits")
    found = symbols.at(kernel, address)
    if found is None:
        raise BadInputError(f"nothing is known at {word} in {kernel.name}", hint="lkm map --count")
    return found


def _show_counts(symbols: Symbols, kernel: Kernel, as_json: bool) -> None:
    from lkm.kernel.symbols import TYPES

    counts = symbols.counts(kernel)
    if as_json:
        rows = [
            {"type": letter, "count": many, "meaning": TYPES.get(letter)} for letter, many in counts.items()
        ]
        emit_json({"schema": SCHEMA, "kernel": kernel.name, "counts": rows})
        return
    for letter, many in counts.items():
        click.echo(f"{letter} {many:8}  {TYPES.get(letter, 'unknown')}")
    click.echo(f"  {sum(counts.values()):8}  in all")
