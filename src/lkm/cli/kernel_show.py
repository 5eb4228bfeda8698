# SPDX-License-Identifier: MIT
"""`lkm kernel show`."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common
from lkm.cli.kernel_tell import SCHEMA, compiler_words, to_json, use_words
from lkm.errors import BadInputError
from lkm.kernel import Kernel, find_kernel
from lkm.kernel.facts import FACTS, parse_facts
from lkm.kernel.image import read_header
from lkm.kernel.layout import read_text
from lkm.kernel.stock import describe_kernel, find_stored_kernel
from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.cli.kernel_own import OwnRow, TreeRow

Row = tuple[str, object]
_TO_BUILD = ("configured", "broke off", "failed", "changed")


@click.command("show", short_help="All that is known of a kernel.")
@click.argument("name", required=False)
@common.json_option
@common.verbose_option
def command(*, name: str | None, as_json: bool) -> None:
    """Show a kernel (default: the default one), its parts, and which compiler is used for it and why.

    Of one that was built here also how far it is, its sources and who signed them, and how it was built;
    NAME may be kernel sources, too (linux-6.12.9).
    """
    from lkm.cli.kernel_own import find_row, find_tree_row, own_json, tree_json
    from lkm.kernel.own import find_own

    if name is not None and (tree := find_tree_row(name)) is not None:
        if as_json:
            common.emit_json({"schema": SCHEMA, "tree": tree_json(tree)})
        else:
            _echo(_tree_rows(tree))
        return
    named = find_own(name) if name is not None else None
    if named is not None and (name or "").startswith("own:"):
        kernel = find_stored_kernel(named.full_name)  # one that is not built, too
    else:
        kernel = find_kernel(name, fetch=False, need_build=False)
    row = find_row(kernel)
    description = describe_kernel(kernel)
    facts = parse_facts(read_text(kernel.config)) if kernel.config is not None else {}
    if as_json:
        more = {"own": own_json(row)} if row is not None else {}
        header = {"header": _header_json(kernel)}
        common.emit_json(
            {"schema": SCHEMA, **to_json(kernel), **description, "config_facts": facts, **header, **more}
        )
        return
    rows = [*_kernel_rows(kernel, description)]
    if row is not None:
        rows += _own_rows(row)
    rows += [(key, value) for key, value in description["fetched"].items() if value]
    _echo([*rows, *_header_rows(kernel)])
    for label, (option, is_on) in zip(_first("options"), facts.items(), strict=False):
        text = f"{label:16} {'+' if is_on else '-'} {option:24} {FACTS[option]}"
        click.secho(_wrap(text, 44), dim=not is_on)


def _first(label: str) -> Iterator[str]:
    """A label for the first of some rows; the others go on under it."""
    return chain([label], repeat(""))


def _echo(rows: list[Row]) -> None:
    for label, value in rows:
        click.echo(_wrap(f"{label:16} {value}".rstrip(), 17))


def _wrap(line: str, indent: int) -> str:
    """A line as it is, or on a terminal in lines that fit it, those after the first indented."""
    width = common.terminal_width() if sys.stdout.isatty() else 0
    if not 0 < width < len(line):
        return line
    start, text = line[:indent], line[indent:]
    lines = textwrap.wrap(text, max(width - indent, 20), break_long_words=False, break_on_hyphens=False)
    return start + f"\n{'':{indent}}".join(lines)


def _kernel_rows(kernel: Kernel, description: dict[str, Any]) -> list[Row]:
    rows: list[Row] = [
        ("name", kernel.name),
        ("release", kernel.release or "not known yet"),
        ("arch", kernel.arch),
        ("origin", kernel.origin.value),
        ("use", use_words(kernel)),
        ("image", kernel.image or "none"),
        ("modules", kernel.modules or "none"),
        ("build directory", kernel.build or "none"),
        ("configuration", kernel.config or "none"),
        ("built with", description["compiler_wanted"] or "not known"),
        ("compiler", compiler_words(kernel) or "none"),
    ]
    if kernel.toolchain is not None:
        rows += [
            ("", kernel.toolchain.note),
            *([("", kernel.toolchain.root)] if kernel.toolchain.root else []),
        ]
    elif description["why_not"]:
        rows += [("", description["why_not"])]
    if kernel.size:
        rows += [("on disk", format_size(kernel.size))]
    return rows


def _own_rows(row: OwnRow) -> list[Row]:
    """How far an own kernel is, what it was built from, and what there is of it."""
    state, record = row.state, row.state.record
    text = row.text if row.text != state.state.value else ""
    where = f", {state.own.build} (not in the cache: remove leaves it)" if state.own.linked else ""
    rows: list[Row] = [
        ("state", f"{state.state.value}{f': {text}' if text else ''}"),
        *([("", f"lkm kernel build -O {state.own.build}")] if state.state.value in _TO_BUILD else []),
        ("on disk", f"{format_size(row.size)}{where}"),
        ("sources", state.tree or "not known"),
    ]
    if record is not None:
        source = record.source or {}
        rows += [("", source["message"])] if source.get("message") else [("", "nothing says who signed them")]
        took = f", {record.seconds:.0f} s" if record.seconds is not None else ""
        label = "built" if record.seconds is not None else "build begun"
        rows += [(label, f"{record.started}{took}, -j{record.jobs}, {record.compiler}")]
        words = [f"{name}={value}" for name, value in sorted(record.variables.items())]
        rows += [("", shlex.join(["make", *words, *record.targets]))] if words else []
        rows += [("", f"configuration {record.config_sha256[:16]} (SHA-256)")] if record.config_sha256 else []
    return [*rows, *_part_rows(state.own.build, state.kernel)]


def _part_rows(build: Path, kernel: Kernel) -> list[Row]:
    from lkm.modtree.built import list_built

    rows: list[Row] = []
    for name in ("vmlinux", "System.map"):
        path = build / name
        if path.is_file():
            symbols = read_text(path, 64 << 20).count("\n") if name == "System.map" else 0
            more = f", {symbols} symbols" if symbols else ""
            rows.append((name, f"{path}, {format_size(path.stat().st_size)}{more}"))
    if kernel.modules == build:
        files = list_built(build)
        size = sum(path.stat().st_size for path in files)
        rows.append(("module files", f"{len(files)}, {format_size(size)}, as modules.order lists them"))
    return rows


def _header_rows(kernel: Kernel) -> list[Row]:
    """What the header of its image says."""
    from lkm.show.image import image_rows

    try:
        header = read_header(kernel.image) if kernel.image is not None else None
    except BadInputError as error:
        return [("boot header", error.message)]
    if header is None:
        return []
    # A distribution's kernel has a version of its package, too.
    rows = [("image version" if label == "version" else label, text) for label, text in image_rows(header)]
    return [("boot header", "what the image says of itself:"), *rows]


def _header_json(kernel: Kernel) -> dict[str, Any] | None:
    from lkm.show.image import image_json

    try:
        header = read_header(kernel.image) if kernel.image is not None else None
    except BadInputError:
        return None
    return image_json(header) if header is not None else None


def _tree_rows(row: TreeRow) -> list[Row]:
    record = row.record
    return [
        ("sources", row.place),
        ("version", record.version),
        ("origin", f"{record.origin}, {record.source}"),
        ("verified", f"{'yes' if record.verified else 'NO'}: {record.message}"),
        *([("signed", f"{record.signed} by {record.signer}")] if record.signer else []),
        *([("checksums", record.sums)] if record.sums else []),
        ("got", record.got),
        ("on disk", format_size(row.size)),
        ("needed by", ", ".join(own.full_name for own in row.users) or "no own kernel"),
    ]
