# SPDX-License-Identifier: MIT
"""A graph of modules as text, as DOT for Graphviz, and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

Edges = Mapping[str, Sequence[str]]  # each module and those it needs directly
_BOX, _GAP_X, _GAP_Y, _HEIGHT = 8.0, 26, 64, 28


def graph_text(edges: Edges, roots: Iterable[str]) -> list[str]:
    """A tree of lines below each root; what was shown before is not opened again."""
    lines: list[str] = []
    shown: set[str] = set()

    def show(name: str, head: str, tail: str) -> None:
        needs = edges.get(name, ())
        again = name in shown and bool(needs)
        lines.append(f"{head}{name}{' (see above)' if again else ''}")
        if again:
            return
        shown.add(name)
        for number, need in enumerate(needs):
            last = number == len(needs) - 1
            show(need, f"{tail}{'└─ ' if last else '├─ '}", f"{tail}{'   ' if last else '│  '}")

    for root in roots:
        show(root, "", "")
    return lines


def graph_dot(edges: Edges, roots: Iterable[str], soft: Edges | None = None) -> str:
    """DOT: an arrow from each module to what it needs, dashed where it is a soft dependency."""
    lines = ["digraph modules {", "  rankdir=BT;", '  node [shape=box, fontname="sans-serif"];']
    chosen = set(roots)
    lines += [f"  {_quoted(name)} [style=bold];" for name in sorted(chosen)]
    for name, needs in edges.items():
        lines += [f"  {_quoted(name)} -> {_quoted(need)};" for need in needs]
        if not needs:
            lines.append(f"  {_quoted(name)};")
    for name, needs in (soft or {}).items():
        lines += [f"  {_quoted(name)} -> {_quoted(need)} [style=dashed];" for need in needs]
    return "\n".join([*lines, "}\n"])


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def graph_svg(edges: Edges, roots: Iterable[str], soft: Edges | None = None) -> str:
    """A picture in layers: each module above all that it needs.  Complete SVG text."""
    chosen = set(roots)
    layers = _layers(edges)
    place: dict[str, tuple[float, float, float]] = {}
    width = 0.0
    for level, names in enumerate(layers):
        x = float(_GAP_X)
        for name in names:
            size = _BOX * len(name) + 20
            place[name] = (x, 20.0 + level * (_HEIGHT + _GAP_Y), size)
            x += size + _GAP_X
        width = max(width, x)
    _center(layers, place, width)
    height = 20 + len(layers) * (_HEIGHT + _GAP_Y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}"'
        f' viewBox="0 0 {width:.0f} {height}" font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
        ' orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height}" fill="white"/>',
    ]
    for pairs, style in ((edges, ""), (soft or {}, ' stroke-dasharray="5,4"')):
        for name, needs in pairs.items():
            parts += [
                _arrow(place[name], place[need], style) for need in needs if {name, need} <= place.keys()
            ]
    for name, (x, y, size) in place.items():
        fill = "#cfe3f5" if name in chosen else "#f4f4f4"
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{_HEIGHT}" rx="4" fill="{fill}"'
            f' stroke="#444"/><text x="{x + size / 2:.1f}" y="{y + 19:.1f}" text-anchor="middle">'
            f"{escape(name)}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def _layers(edges: Edges) -> list[list[str]]:
    """Each module one layer below the lowest of those that need it; in a circle, where it is first met."""
    depth: dict[str, int] = {}

    def visit(name: str, level: int, path: tuple[str, ...]) -> None:
        if name in path or depth.get(name, -1) >= level:
            return
        depth[name] = level
        for need in edges.get(name, ()):
            visit(need, level + 1, (*path, name))

    needed = {need for needs in edges.values() for need in needs}
    for name in [*(name for name in edges if name not in needed), *edges]:
        if name not in depth:
            visit(name, 0, ())
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, level in depth.items():
        layers[level].append(name)
    return layers


def _center(layers: list[list[str]], place: dict[str, tuple[float, float, float]], width: float) -> None:
    for names in layers:
        right = max(place[name][0] + place[name][2] for name in names)
        shift = (width - _GAP_X - right) / 2
        for name in names:
            x, y, size = place[name]
            place[name] = (x + shift, y, size)


def _arrow(start: tuple[float, float, float], end: tuple[float, float, float], style: str) -> str:
    x1, y1 = start[0] + start[2] / 2, start[1] + _HEIGHT
    x2, y2 = end[0] + end[2] / 2, end[1]
    return (
        f'<path d="M{x1:.1f},{y1:.1f} C{x1:.1f},{(y1 + y2) / 2:.1f} {x2:.1f},{(y1 + y2) / 2:.1f} '
        f'{x2:.1f},{y2:.1f}" fill="none" stroke="#555"{style} marker-end="url(#tip)"/>'
    )
