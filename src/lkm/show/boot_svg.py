# SPDX-License-Identifier: MIT
"""How a kernel came up, as one picture: no script, nothing fetched, text that can be selected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from lkm.boot.stages import freed_means
from lkm.show.boot import (
    format_duration,
    headline,
    in_order,
    level_sums,
    origin,
    phase_group,
    slowest,
)
from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.boot import Boot

_WIDTH, ROW, EDGE = 960, 22, 24
_TITLE_END, _TIME_END, BARS = 220, 290, 302
_HEADLINE = 88  # letters of the usual size
BARS_WIDTH = _WIDTH - BARS - EDGE

# By what a phase belongs to: on light, on dark.
COLORS = {
    "loader": ("#0e7490", "#22b8cf"),
    "kernel": ("#1d4ed8", "#6ea8fe"),
    "calls": ("#15803d", "#51cf66"),
    "user": ("#86198f", "#da77f2"),
    "aside": ("#a16207", "#fab005"),
}
GROUPS = {
    "loader": "before the kernel proper",
    "kernel": "the kernel's own set-up",
    "calls": "initcalls",
    "user": "to the first process",
    "aside": "beside the others",
}


def color_rules(attribute: str = "fill") -> str:
    """CSS rules for the bars, for light and for dark."""
    light = "".join(f".{name}{{{attribute}:{pair[0]}}}" for name, pair in COLORS.items())
    dark = "".join(f".{name}{{{attribute}:{pair[1]}}}" for name, pair in COLORS.items())
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


_STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1b1f24}"
    ".head{font-size:18px;font-weight:600}.sub{font-weight:600}.dim,.axis{fill:#57606a}"
    ".num{text-anchor:end;font-variant-numeric:tabular-nums}.axis{font-size:11px;text-anchor:middle}"
    ".bg{fill:#fff}.line{stroke:#d0d7de}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim,.axis{fill:#9aa4af}.bg{fill:#0d1117}"
    ".line{stroke:#30363d}}"
)


def boot_svg(boot: Boot) -> str:
    """Timeline of the phases, levels, the slowest functions, memory given back.  Complete SVG text."""
    title = headline(boot)
    body = [
        svg_headline(title),
        svg_text(EDGE, 58, f"{boot.release}, {boot.machine}", "dim"),
    ]
    y = _phases(boot, body, 100)
    if boot.initcalls:
        y = _levels(boot, body, y + 34)
        y = _slowest(boot, body, y + 34)
    if boot.freed:
        y = _freed(boot, body, y + 34)
    return svg_document(title, body, y + 16)


def phases_svg(boot: Boot) -> str:
    """The timeline alone, to be part of a page."""
    body: list[str] = []
    return svg_document(headline(boot), body, _phases(boot, body, 32) + 8)


def svg_headline(title: str) -> str:
    """The first line of a picture; a long one is set smaller, to stay within it."""
    size = min(18.0, 18.0 * _HEADLINE / len(title))
    return f'<text class="head" style="font-size:{size:.1f}px" x="{EDGE}" y="36">{escape(title)}</text>'


def svg_document(title: str, body: list[str], height: int) -> str:
    """Complete SVG text of what `body` draws, with the style for it."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-label={quoteattr(title)} '
            'style="max-width:100%;height:auto">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}{color_rules()}</style>",
            f'<rect class="bg" width="{_WIDTH}" height="{height}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _phases(boot: Boot, body: list[str], y: int) -> int:
    scale = BARS_WIDTH / boot.total if boot.total > 0 else 0.0
    phases = in_order(boot.phases)
    bottom = y + len(phases) * ROW
    x = float(EDGE)
    there = {phase_group(phase.name) for phase in phases}
    for group in [group for group in GROUPS if group in there]:
        body.append(f'<rect class="{group}" x="{x:.0f}" y="{y - 28}" width="11" height="11" rx="2"/>')
        body.append(svg_text(x + 17, y - 18, GROUPS[group], "dim"))
        x += 34 + 7.2 * len(GROUPS[group])
    for tick in _ticks(boot.total):
        at = BARS + tick * scale
        body.append(f'<line class="line" x1="{at:.1f}" y1="{y}" x2="{at:.1f}" y2="{bottom}"/>')
        body.append(f'<text class="axis" x="{at:.1f}" y="{bottom + 15}">{tick:g} s</text>')
    for phase in phases:
        title = f"{'+ ' if phase.aside else ''}{phase.title}"
        about = f"{phase.title}: {phase.start:.3f} s to {phase.end:.3f} s. {phase.what}"
        bar = (BARS + phase.start * scale, max(phase.seconds * scale, 1.5))
        body += svg_row(y, (title, format_duration(phase.seconds)), bar, phase_group(phase.name), about)
        y += ROW
    return y + 16


def _levels(boot: Boot, body: list[str], y: int) -> int:
    sums = level_sums(boot.initcalls)
    longest = max(seconds for _, seconds in sums.values())
    together = format_duration(sum(one.seconds for one in boot.initcalls))
    body.append(svg_text(EDGE, y, f"{len(boot.initcalls)} initcalls, {together} together", "sub"))
    y += 10
    for level, (count, seconds) in sums.items():
        title = f"{level or 'level unknown'} ({count})"
        size = max(seconds / longest * BARS_WIDTH, 1.5) if longest else 1.5
        about = f"{count} functions of level {level or 'unknown'}: {format_duration(seconds)}"
        body += svg_row(y, (title, format_duration(seconds)), (BARS, size), "calls", about)
        y += ROW
    return y


def _slowest(boot: Boot, body: list[str], y: int) -> int:
    found = slowest(boot.initcalls, 12)
    longest = max(one.seconds for one in found)
    body.append(svg_text(EDGE, y, "The slowest of them", "sub"))
    y += 10
    for one in found:
        size = max(one.seconds / longest * BARS_WIDTH * 0.55, 1.5) if longest else 1.5
        place = ", ".join(filter(None, [one.level, origin(one)]))
        about = f"{one.name}(): {format_duration(one.seconds)}, {place}"
        body += svg_row(y, (one.name, format_duration(one.seconds)), (BARS, size), "calls", about)
        body.append(svg_text(BARS + size + 8, y + 15, place, "dim"))
        y += ROW
    return y


def _freed(boot: Boot, body: list[str], y: int) -> int:
    whole = sum(one.bytes for one in boot.freed)
    largest = max(one.bytes for one in boot.freed)
    body.append(svg_text(EDGE, y, f"Memory given back: {format_size(whole)}", "sub"))
    y += 10
    for one in boot.freed:
        size = max(one.bytes / largest * BARS_WIDTH * 0.3, 1.5)
        means = freed_means(one.what)
        title = one.what.replace("unused kernel image (", "").removesuffix(")")
        about = f"Freeing {one.what} memory: {one.bytes >> 10}K. {means}"
        body += svg_row(y, (title, f"{one.bytes >> 10} KiB"), (BARS, size), "user", about)
        body.append(svg_text(BARS + size + 8, y + 15, means, "dim"))
        y += ROW
    return y


def svg_row(
    y: int, texts: tuple[str, str], bar: tuple[float, float], group: str, about: str
) -> Iterator[str]:
    """One line: `texts`: its title and its value; `bar`: where it begins and how long it is."""
    title, value = texts
    yield f"<g><title>{escape(about)}</title>"
    yield svg_text(EDGE, y + 15, title)
    yield f'<text class="num" x="{_TIME_END}" y="{y + 15}">{escape(value)}</text>'
    place = f'x="{bar[0]:.1f}" y="{y + 4}" width="{bar[1]:.1f}" height="{ROW - 8}"'
    yield f'<rect class="{group}" {place} rx="2"/></g>'


def svg_text(x: float, y: int, text: str, kind: str = "") -> str:
    """A text from `x` on, its base line at `y`; `kind`: a class of the style."""
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x:.0f}" y="{y}">{escape(text)}</text>'


def _ticks(total: float) -> Iterator[float]:
    """Round times below `total`, at most ten."""
    step = next((one for one in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if total / one <= 10), 100)
    count = 0
    while count * step <= total:
        yield count * step
        count += 1
