# SPDX-License-Identifier: MIT
"""How a kernel came up, as one page: no script, nothing fetched; for light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from lkm.boot.calls import clock_step
from lkm.boot.stages import freed_means
from lkm.klog import format_record
from lkm.show.boot import (
    clock_notes,
    format_duration,
    format_measured,
    headline,
    in_order,
    level_sums,
    origin,
    slowest,
)
from lkm.show.boot_svg import color_rules, phases_svg
from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.boot import Boot

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--track:#f3f5f7}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9aa4af;--line:#30363d;--track:#161b22}}
body{margin:0 auto;max-width:1200px;padding:1.5rem;background:var(--bg);color:var(--fg);
font:15px/1.45 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}
h1{font-size:1.45rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.3rem 0}.dim,small{color:var(--dim)}small{font-size:.86rem;display:block;max-width:46rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .7rem .3rem 0;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600}thead th{color:var(--dim);font-weight:400;white-space:nowrap}
.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.bar{width:38%;padding-right:0}
.track{position:relative;height:1rem;margin-top:.2rem;background:var(--track);border-radius:3px}
.track i{position:absolute;top:0;height:100%;min-width:2px;border-radius:2px}
code,pre{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:.86em}
code{overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere}
figure{margin:1rem -1.2rem;overflow-x:auto}figure svg{width:100%;min-width:640px}
summary{cursor:pointer;font-weight:600;margin-top:2rem}
@media(max-width:640px){.bar{display:none}}
"""


def boot_html(boot: Boot) -> str:
    """A complete page on a boot: phases with what happens there, initcalls, memory, log."""
    parts = [
        f'<p class="dim">{escape(boot.release)}, {escape(boot.machine)}</p>',
        f"<figure>{phases_svg(boot)}</figure>",
        *_phases(boot),
        *(_initcalls(boot) if boot.initcalls else ()),
        *(_freed(boot) if boot.freed else ()),
        "<h2>How this was measured</h2>",
        *(f"<p>{escape(text)}</p>" for text in clock_notes(boot)),
        *(f"<p>Not known: {escape(text)}</p>" for text in boot.unknown),
        f"<p>Kernel command line: <code>{escape(boot.command_line)}</code></p>",
        *_details(boot),
    ]
    return html_page(headline(boot), parts)


def html_page(title: str, parts: Iterable[str]) -> str:
    """A complete page: the title, which is shown, too, and below it the parts, which are HTML."""
    head = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}{color_rules('background')}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
    ]
    return "\n".join([*head, *parts, "</body></html>\n"])


def _bar(start: float, size: float, whole: float, group: str, about: str) -> str:
    left, width = (100 * start / whole, 100 * size / whole) if whole > 0 else (0.0, 0.0)
    left = min(left, 99.7)
    return (
        f'<td class="bar"><div class="track" title="{escape(about)}">'
        f'<i class="{group}" style="left:{left:.2f}%;width:{min(width, 100 - left):.2f}%"></i></div></td>'
    )


def _phases(boot: Boot) -> Iterator[str]:
    yield "<h2>What happens there</h2>"
    yield '<table><thead><tr><th class="num">start</th><th class="num">takes</th><th>phase</th>'
    yield "<th>begins at</th></tr></thead><tbody>"
    for phase in in_order(boot.phases):
        begins = f"<code>{escape(phase.begins)}</code>" if phase.begins else "power-on"
        aside = " (beside the others)" if phase.aside else ""
        yield (
            f'<tr><td class="num">{phase.start:.3f} s</td>'
            f'<td class="num">{format_duration(phase.seconds)}</td>'
            f"<td><strong>{escape(phase.title)}</strong>{aside}<small>{escape(phase.what)}</small></td>"
            f"<td>{begins}</td></tr>"
        )
    end = "READY" if boot.ok else "the end"
    yield f'<tr><td class="num">{boot.total:.3f} s</td><td></td><th>{end}</th><td></td></tr>'
    yield "</tbody></table>"


def _initcalls(boot: Boot) -> Iterator[str]:
    sums = level_sums(boot.initcalls)
    step = clock_step(boot.initcalls)
    longest = max(seconds for _, seconds in sums.values())
    together = format_duration(sum(one.seconds for one in boot.initcalls))
    yield f"<h2>{len(boot.initcalls)} initcalls, {together} together</h2>"
    yield '<table><thead><tr><th>level</th><th class="num">functions</th><th class="num">take</th>'
    yield '<th class="bar">together</th></tr></thead><tbody>'
    for level, (count, seconds) in sums.items():
        took = escape(format_measured(seconds, step))
        yield (
            f"<tr><td>{escape(level or 'unknown')}</td>"
            f'<td class="num">{count}</td><td class="num">{took}</td>'
            f"{_bar(0, seconds, longest, 'calls', took)}</tr>"
        )
    yield "</tbody></table>"
    found = slowest(boot.initcalls, 20)
    yield "<h2>The slowest of them</h2>"
    yield '<table><thead><tr><th class="num">takes</th><th>function</th><th>level</th><th>from</th>'
    yield '<th class="bar">by the slowest</th></tr></thead><tbody>'
    for one in found:
        took = escape(format_measured(one.seconds, step))
        result = f" returned {one.result}" if one.result else ""
        yield (
            f'<tr><td class="num">{took}</td><td><code>{escape(one.name)}</code>{result}</td>'
            f"<td>{escape(one.level)}</td><td><code>{escape(origin(one))}</code></td>"
            f"{_bar(0, one.seconds, found[0].seconds, 'calls', took)}</tr>"
        )
    yield "</tbody></table>"


def _freed(boot: Boot) -> Iterator[str]:
    whole = format_size(sum(one.bytes for one in boot.freed))
    largest = max(one.bytes for one in boot.freed)
    yield f"<h2>Memory given back: {whole}</h2>"
    yield "<table><tbody>"
    for one in boot.freed:
        means = freed_means(one.what)
        if "initmem" in one.what and boot.image.init_code:
            means += f" ({boot.image.init_code >> 10} KiB of it functions)"
        yield (
            f'<tr><td class="num">{one.bytes >> 10} KiB</td>'
            f"<td><code>Freeing {escape(one.what)} memory</code>"
            f"<small>{escape(means)}</small></td>"
            f"{_bar(0, one.bytes, largest, 'user', f'{one.bytes >> 10} KiB')}</tr>"
        )
    yield "</tbody></table>"


def _details(boot: Boot) -> Iterator[str]:
    """What is long: closed until it is asked for."""
    if boot.initcalls:
        yield f"<details><summary>All {len(boot.initcalls)} initcalls, in their order</summary><table><tbody>"
        for one in boot.initcalls:
            yield (
                f'<tr><td class="num">{format_duration(one.seconds)}</td>'
                f"<td><code>{escape(one.name)}</code></td>"
                f"<td>{escape(one.level)}</td><td><code>{escape(origin(one))}</code></td></tr>"
            )
        yield "</tbody></table></details>"
    yield f"<details><summary>The kernel log, {len(boot.log)} records</summary><pre>"
    yield "\n".join(escape(format_record(record)) for record in boot.log)
    yield "</pre></details>"
