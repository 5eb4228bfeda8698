# SPDX-License-Identifier: MIT
"""Two kernels' boots side by side, as one picture and as one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from lkm.show.boot import (
    comparison_headline,
    comparison_notes,
    difference_cells,
    format_duration,
    most_different,
)
from lkm.show.boot_html import html_page
from lkm.show.boot_svg import (
    BARS,
    BARS_WIDTH,
    EDGE,
    ROW,
    svg_document,
    svg_headline,
    svg_row,
    svg_text,
)

if TYPE_CHECKING:
    from lkm.boot import Boot, Comparison, Difference

_COLORS = {"A": "kernel", "B": "calls"}  # classes of the pictures' style


def comparison_svg(comparison: Comparison) -> str:
    """Each phase, and the initcalls that differ most, with a bar for either kernel.  Complete SVG text."""
    title = comparison_headline(comparison)
    body = [svg_headline(title)]
    y = 58
    totals = comparison.total.before, comparison.total.after
    for (letter, boot), total in zip(_sides(comparison), totals, strict=True):
        body.append(
            f'<rect class="{_COLORS[letter]}" x="{EDGE}" y="{y - 10}" width="11" height="11" rx="2"/>'
        )
        body.append(
            svg_text(
                EDGE + 17, y, f"{letter} {boot.kernel}, {boot.release}: {format_duration(total or 0)}", "dim"
            )
        )
        y += 20
    y = _bars("Phases", comparison.phases, _titles(comparison), body, y + 14)
    if shown := most_different(comparison):
        y = _bars("The initcalls that differ most", shown, {}, body, y + 34)
    return svg_document(title, body, y + 16)


def comparison_html(comparison: Comparison) -> str:
    """A complete page: the picture, both tables in figures, how it was measured."""
    parts = ["<figure>", comparison_svg(comparison), "</figure>"]
    parts += _table("Phases", comparison.phases, _titles(comparison))
    if shown := most_different(comparison):
        parts += _table("The initcalls that differ most", shown, {})
    parts.append("<h2>How this was measured</h2>")
    parts += [f"<p>{escape(text)}</p>" for text in comparison_notes(comparison)]
    for letter, boot in _sides(comparison):
        parts.append(
            f"<p>{letter}: {escape(boot.kernel)}, {escape(boot.release)}, {escape(boot.machine)}; "
            f"<code>{escape(boot.command_line)}</code></p>"
        )
    return html_page(comparison_headline(comparison), parts)


def _sides(comparison: Comparison) -> tuple[tuple[str, Boot], ...]:
    return ("A", comparison.before), ("B", comparison.after)


def _titles(comparison: Comparison) -> dict[str, str]:
    return {phase.name: phase.title for _, boot in _sides(comparison) for phase in boot.phases}


def _bars(head: str, found: Sequence[Difference], titles: Mapping[str, str], body: list[str], y: int) -> int:
    """Two rows each, on one scale for all; where they end."""
    longest = max((max(one.before or 0.0, one.after or 0.0) for one in found), default=0.0)
    body.append(svg_text(EDGE, y, head, "sub"))
    y += 10
    for one in found:
        title = titles.get(one.name, one.name)
        for letter, seconds in (("A", one.before), ("B", one.after)):
            took = "-" if seconds is None else format_duration(seconds)
            size = max(seconds / longest * BARS_WIDTH, 1.5) if seconds and longest else 0.0
            texts = (title if letter == "A" else "", took)
            body += svg_row(y, texts, (BARS, size), _COLORS[letter], f"{title}, {letter}: {took}")
            y += ROW
        y += 4
    return y


def _table(head: str, found: Sequence[Difference], titles: Mapping[str, str]) -> Iterator[str]:
    yield f"<h2>{head}</h2>"
    names = "".join(f'<th class="num">{name}</th>' for name in ("A", "B", "B-A", "B/A"))
    yield f"<table><thead><tr><th></th>{names}</tr></thead><tbody>"
    for one in found:
        cells = "".join(f'<td class="num">{cell}</td>' for cell in difference_cells(one))
        yield f"<tr><td>{escape(titles.get(one.name, one.name))}</td>{cells}</tr>"
    yield "</tbody></table>"
