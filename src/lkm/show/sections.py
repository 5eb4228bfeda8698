# SPDX-License-Identifier: MIT
"""What a module's parts cost in memory: a table with bars, a picture, JSON."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from lkm.module import Module
from lkm.module.layout import DROPPED_BUILT_IN, FREED, MEANINGS, Kind, Layout, Name, Part
from lkm.show.info import printable

SCHEMA = 1
_BAR, _LEAST_BAR = 40, 8
_BLOCKS = " ▏▎▍▌▋▊▉█"
_COLOURS = {
    Kind.TEXT: "#4c78a8",
    Kind.READ_ONLY: "#72b7b2",
    Kind.AFTER_INIT: "#54a24b",
    Kind.DATA: "#f58518",
    Kind.ZERO: "#ffbf79",
    Kind.PER_CPU: "#b279a2",
    Kind.INIT_TEXT: "#e45756",
    Kind.INIT_DATA: "#ff9da6",
    Kind.EXIT_TEXT: "#9d755d",
    Kind.EXIT_DATA: "#d8b5a5",
    Kind.NOT_LOADED: "#bab0ac",
}


def sections_json(module: Module) -> dict[str, Any]:
    """The object of `lkm sections --json`; sizes in bytes."""
    layout = module.layout
    return {
        "schema": SCHEMA,
        "name": module.name,
        "core": layout.core,
        "init": layout.init,
        "pages": layout.pages,
        "per_cpu": layout.per_cpu,
        "not_loaded": layout.not_loaded,
        "freed_after_init": layout.size_of(*FREED),
        "dropped_if_built_in": layout.size_of(*DROPPED_BUILT_IN),
        "kinds": [
            {"kind": kind.value, "size": layout.size_of(kind), "meaning": MEANINGS[kind]} for kind in Kind
        ],
        "sections": [
            {
                "name": part.section,
                "kind": part.kind.value,
                "size": part.size,
                "align": part.align,
                "functions": [_name_json(one) for one in part.functions],
                "variables": [_name_json(one) for one in part.variables],
            }
            for part in layout.parts
        ],
    }


def _name_json(name: Name) -> dict[str, Any]:
    return {"name": name.name, "size": name.size, "also": list(name.also)}


def bar(size: int, most: int, width: int = _BAR) -> str:
    """A bar of up to `width` letters for `size` of `most`; anything above nothing is seen."""
    if size <= 0 or most <= 0:
        return ""
    eighths = max(1, round(size / most * width * 8))
    return _BLOCKS[8] * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")


def sections_lines(module: Module, *, all_functions: bool = False, width: int = 120) -> list[str]:
    """For a person: each kind with a bar, then what is freed, what would be dropped, and its functions.

    `width`: columns that the bars may make use of.
    """
    layout = module.layout
    kinds = [(kind, layout.size_of(kind)) for kind in Kind if layout.size_of(kind)]
    room = min(_BAR, max(_LEAST_BAR, width - 34 - max(map(len, MEANINGS.values()))))
    loaded = [size for kind, size in kinds if kind is not Kind.NOT_LOADED]
    most = max(loaded, default=0)
    lines = [
        f"{module.name}: {layout.core} bytes kept ({layout.pages} in pages), {layout.init} for init only"
    ]
    for kind, size in kinds:
        drawn = bar(size, most, room) if kind is not Kind.NOT_LOADED else ""
        lines.append(f"  {kind.value:20} {size:9}  {drawn:{room}} {MEANINGS[kind]}")
    lines += _told("freed after init", layout, FREED, all_functions, layout.init)
    lines += _told("never loaded if built in", layout, DROPPED_BUILT_IN, all_functions)
    if layout.per_cpu:
        lines += _told("one copy for each CPU", layout, (Kind.PER_CPU,), all_functions)
    if all_functions:
        lines += _told("kept", layout, (Kind.TEXT,), all_functions)
    return lines


def _told(
    title: str, layout: Layout, kinds: tuple[Kind, ...], all_functions: bool, aligned: int = 0
) -> list[str]:
    parts = [part for part in layout.parts if part.kind in kinds and part.size]
    if not parts:
        return []
    size = sum(part.size for part in parts)
    gaps = f", {aligned} with the gaps of alignment" if aligned > size else ""
    lines = [f"{title}: {size} bytes{gaps}"]
    for part in parts:
        lines.append(f"  {part.section} ({part.size}): {_names(part, all_functions)}")
    return lines


def _names(part: Part, all_names: bool) -> str:
    names = [_name_text(one, "()") for one in part.functions] + [_name_text(one) for one in part.variables]
    if not names:
        return "no named function or variable"
    most = len(names) if all_names else 8
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _name_text(name: Name, call: str = "") -> str:
    also = f" (also {printable(', '.join(name.also))})" if name.also else ""
    return f"{printable(name.name)}{call} {name.size}{also}"


def sections_svg(module: Module) -> str:
    """A picture: a bar of what is loaded, each kind a colour, and a legend.  Complete SVG text."""
    layout = module.layout
    kinds = [
        (kind, layout.size_of(kind)) for kind in Kind if kind is not Kind.NOT_LOADED and layout.size_of(kind)
    ]
    total = sum(size for _, size in kinds) or 1
    width, left = 760, 20
    at = float(left)
    bars, legend = [], []
    for number, (kind, size) in enumerate(kinds):
        length = size / total * (width - 2 * left)
        title = escape(f"{kind.value}: {size} bytes. {MEANINGS[kind]}")
        bars.append(
            f'<rect x="{at:.2f}" y="50" width="{length:.2f}" height="44" fill="{_COLOURS[kind]}">'
            f"<title>{title}</title></rect>"
        )
        at += length
        y = 124 + 22 * number
        legend.append(
            f'<rect x="{left}" y="{y - 11}" width="13" height="13" fill="{_COLOURS[kind]}"/>'
            f'<text x="{left + 22}" y="{y}">{escape(kind.value)}</text>'
            f'<text x="{left + 270}" y="{y}" text-anchor="end">{size}</text>'
            f'<text x="{left + 290}" y="{y}">{escape(MEANINGS[kind])}</text>'
        )
    height = 134 + 22 * len(kinds)
    head = escape(printable(f"{module.name}: {layout.core} bytes kept, {layout.init} freed after init"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            f'<text x="{left}" y="30" font-size="16">{head}</text>',
            *bars,
            *legend,
            "</svg>\n",
        ]
    )
