# SPDX-License-Identifier: MIT
"""How a kernel came up: a timeline for a terminal, and the same as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lkm.boot.calls import TICK, clock_step
from lkm.boot.stages import LEVELS, freed_means
from lkm.guest.value import Detail, End
from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.boot import Boot, Comparison, Difference, Initcall, Phase

SCHEMA = 1
_SLOWEST = 10
_MOST_DIFFERENT = 15
_WRONG_RATE = 0.05  # of a clock's speed: more than that is told
_TITLE = 25  # columns
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# Colours that can be read on light and on dark, by what a phase belongs to; the rest are initcalls.
_GROUPS = {
    "loader": ("36", ("firmware", "setup", "decompress", "head")),
    "kernel": ("34", ("arch", "memory", "core", "threads", "smp")),
    "user": ("35", ("console", "free", "exec", "agent")),
    "aside": ("33", ("initramfs",)),
}


def phase_group(name: str) -> str:
    """`loader`, `kernel`, `calls`, `user` or `aside`: which part of a boot a phase belongs to."""
    return next((group for group, (_, names) in _GROUPS.items() if name in names), "calls")


def format_duration(seconds: float) -> str:
    """`2.31 s`, `153 ms`, `2.4 ms`, `80 µs`."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 0.01:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.0001 else f"{seconds * 1e6:.0f} µs"


def format_measured(seconds: float, step: float) -> str:
    """A time by a clock that goes in steps of `step` seconds: `< 10 ms` for what no step fell into."""
    return f"< {format_duration(step)}" if not seconds and step >= TICK else format_duration(seconds)


def format_boot(boot: Boot, *, width: int = 80, color: bool = False, brief: bool = False) -> Iterator[str]:
    """The lines on a boot: timeline, the slowest functions, memory; without `brief` what it all means."""

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[m" if color and text else text

    yield from (paint(line, "1") for line in textwrap.wrap(headline(boot), width))
    yield from textwrap.wrap(f"{boot.release}, {boot.machine}", width)
    yield ""
    yield paint(f"{'start':>8} {'takes':>8}  phase", "2")
    for phase in in_order(boot.phases):
        code = next((code for code, names in _GROUPS.values() if phase.name in names), "32")
        bar = format_bar(phase.start, phase.seconds, boot.total, width - _TITLE - 21)
        title = f"{'+ ' if phase.aside else ''}{phase.title}"
        line = f"{phase.start:8.3f} {format_duration(phase.seconds):>8}  {title:{_TITLE}}  "
        yield f"{line}{paint(bar, code)}".rstrip()
    end = "READY" if boot.ok else "the end"
    yield f"{boot.total:8.3f} {'':8}  {end}"
    if any(phase.aside for phase in boot.phases):
        yield paint(f"{'':19}+ beside the others, in a thread of its own", "2")
    if not brief:
        yield from _explained(boot, width, paint)
    if boot.initcalls:
        yield ""
        yield from _initcalls(boot, width, paint)
    if boot.freed:
        yield ""
        yield from _freed(boot, width, paint)
    yield ""
    for text in [*clock_notes(boot), *(f"not known: {one}" for one in boot.unknown)]:
        yield from (paint(line, "2") for line in textwrap.wrap(text, width))


def headline(boot: Boot) -> str:
    """One sentence: whether it came up and when."""
    if not boot.ok:
        where = next((phase.title for phase in boot.phases if phase.name == boot.reached), "")
        return f"{boot.kernel} does not come up: it gets as far as '{where}'"
    first = next((phase.start for phase in boot.phases if phase.name == "agent"), None)
    text = f"{boot.kernel} comes up in {format_duration(boot.total)}"
    return text + (f", its first process runs after {format_duration(first)}" if first is not None else "")


def ending_line(boot: Boot) -> str:
    """How a kernel ended that did not come up, in one line."""
    assert boot.ending is not None
    words = {
        End.PANIC: "it panicked",
        End.HANG: f"no answer after {format_duration(boot.total)}",
        End.POWERED_OFF: "its machine was switched off, or its processor gave up",
        End.GUEST_LOST: "QEMU ended",
    }[boot.ending.end]
    detail = {
        Detail.HALTED: "it halted while it was unpacked",
        Detail.TRIPLE_FAULT: "its processor gave up (triple fault)",
        Detail.OUT_OF_MEMORY: "it ran out of memory",
    }.get(boot.ending.detail, words)
    where = next((phase.title for phase in boot.phases if phase.name == boot.reached), boot.reached)
    text = f"{boot.kernel} does not come up: {detail}"
    text += f": {boot.ending.words}" if boot.ending.words else ""
    last = f", in {boot.last_call}()" if boot.last_call else ""
    return f"{text} (last phase: {where}{last})"


def in_order(phases: Iterable[Phase]) -> list[Phase]:
    """By their beginning; one that goes on beside others after the one it begins in."""
    return sorted(phases, key=lambda phase: (phase.start, phase.aside))


def format_bar(start: float, seconds: float, total: float, width: int) -> str:
    """A bar at its place on a line of `width` columns for `total` seconds; never less than a sliver."""
    if total <= 0 or width < 4:
        return ""
    first = min(int(start / total * width), width - 1)
    eighths = max(round(seconds / total * width * 8), 1)
    eighths = min(eighths, (width - first) * 8)
    return " " * first + "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def level_sums(initcalls: Iterable[Initcall]) -> dict[str, tuple[int, float]]:
    """How many functions each level has and how long they take together, in the order of the levels."""
    found: dict[str, tuple[int, float]] = {}
    for one in initcalls:
        count, seconds = found.get(one.level, (0, 0.0))
        found[one.level] = count + 1, seconds + one.seconds
    order = ["console", *LEVELS.values(), ""]
    return {level: found[level] for level in sorted(found, key=order.index)}


def slowest(initcalls: Iterable[Initcall], most: int = _SLOWEST) -> list[Initcall]:
    """Those that take longest."""
    return sorted(initcalls, key=lambda one: -one.seconds)[:most]


def origin(one: Initcall) -> str:
    """Where a function is from, as exactly as is known: file and line, the object it is in, or the module."""
    if one.source.endswith(".c"):
        return f"{one.source}:{one.line}" if one.line else one.source
    if one.source:
        path, suffix, _ = one.source.removeprefix("kernel/").rpartition(".ko")
        return f"{path}.o" if suffix else one.source
    return f"{one.module}, line {one.line}" if one.module and one.line else one.module


def clock_notes(boot: Boot) -> list[str]:
    """How the times were taken, and what taking them cost."""
    notes = ["Times count from power-on, by this machine's clock; the guest stands still while one is taken."]
    if boot.clock is not None:
        rate = boot.clock_rate or 1.0
        if abs(rate - 1) > _WRONG_RATE:
            notes.append(
                f"The kernel's own clock (dmesg) runs {1 / rate:.2f} times as fast as this machine's: it was "
                "measured while this machine was busy. Its times are corrected here."
            )
        else:
            notes.append(
                f"The kernel's own clock (dmesg) begins {boot.clock:.2f} s after power-on: add that to a "
                "time in its log."
            )
    if boot.plain_total:
        plain = f"Unwatched, in another boot, it takes {format_duration(boot.plain_total)}"
        if boot.plain_total < boot.total:
            notes.append(f"{plain}: where it is stopped QEMU translates its code anew.")
        else:
            notes.append(f"{plain}: what this machine does meanwhile tells more than being watched.")
    if boot.debug_total and boot.total:
        more = boot.debug_total / boot.total - 1
        notes.append(
            "The functions are those of a boot with initcall_debug, stopped in few places: "
            f"{format_duration(boot.debug_total)} ({more:+.0%}; of one boot each, some is chance)."
        )
    return notes


def _explained(boot: Boot, width: int, paint: Any) -> Iterator[str]:
    yield ""
    yield paint("What happens there", "1")
    for phase in in_order(boot.phases):
        begins = f" [{phase.begins}]" if phase.begins else ""
        text = f"{phase.title}: {phase.what}{begins}"
        lines = textwrap.wrap(
            text, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
        )
        head = f"  {phase.title}:"
        if lines and lines[0].startswith(head):
            lines[0] = paint(head, "1") + lines[0][len(head) :]
        yield from lines


def _initcalls(boot: Boot, width: int, paint: Any) -> Iterator[str]:
    total = sum(one.seconds for one in boot.initcalls)
    yield paint(f"{len(boot.initcalls)} initcalls, {format_duration(total)} together", "1")
    sums = level_sums(boot.initcalls)
    step = clock_step(boot.initcalls)
    longest = max((seconds for _, seconds in sums.values()), default=0.0)
    for level, (count, seconds) in sums.items():
        bar = format_bar(0, seconds, longest, max(width - 34, 4))
        takes = format_measured(seconds, step)
        yield f"  {level or 'level unknown':14} {count:5} {takes:>9}  {paint(bar, '32')}".rstrip()
    yield ""
    yield paint("The slowest", "1")
    found = slowest(boot.initcalls)
    size = min(max((len(one.name) for one in found), default=0), 32)
    for one in found:
        result = f"  returned {one.result}" if one.result else ""
        takes = format_measured(one.seconds, step)
        line = f"  {takes:>8}  {_cut(one.name, size):{size}}  {one.level or '?':8}  {origin(one)}"
        yield _cut(f"{line}{result}".rstrip(), width)
    if boot.last_call:
        yield paint(f"  {boot.last_call}() was called last and did not return", "31")


def _cut(text: str, width: int) -> str:
    """At most `width` columns; `…` says that there is more."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _freed(boot: Boot, width: int, paint: Any) -> Iterator[str]:
    whole = format_size(sum(one.bytes for one in boot.freed))
    yield paint(f"Memory given back: {whole}", "1")
    for one in boot.freed:
        yield f"  {one.bytes >> 10:7} KiB  Freeing {one.what} memory"
        if means := freed_means(one.what):
            yield from (paint(line, "2") for line in _indented(means, width))
        if "initmem" in one.what and boot.image.init_code:
            text = f"{boot.image.init_code >> 10} KiB of it functions (_sinittext to _einittext)"
            yield paint(f"{'':15}{text}", "2")


def _indented(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=" " * 15, subsequent_indent=" " * 15)


def format_comparison(comparison: Comparison, *, width: int = 80, color: bool = False) -> Iterator[str]:
    """Two kernels side by side: totals, phases, the functions that differ most."""

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[m" if color and text else text

    before, after, total = comparison.before, comparison.after, comparison.total
    yield paint(f"A {before.kernel}: {format_duration(total.before or 0)}", "1")
    yield paint(f"B {after.kernel}: {format_duration(total.after or 0)}", "1")
    if total.ratio is not None:
        yield comparison_headline(comparison)
    for text in comparison_notes(comparison):
        yield from textwrap.wrap(text, width)
    yield ""
    titles = {phase.name: phase.title for boot in (before, after) for phase in boot.phases}
    yield paint(f"  {'phase':{_TITLE}} {'A':>9} {'B':>9} {'B-A':>9} {'B/A':>6}", "2")
    longest = max((abs(one.seconds) for one in comparison.phases), default=0.0)
    for one in comparison.phases:
        line = _difference(one, titles.get(one.name, one.name), _TITLE)
        bar = format_bar(0, abs(one.seconds), longest, width - len(line) - 2) if longest else ""
        yield f"{line}  {paint(bar, '31' if one.seconds > 0 else '32')}".rstrip()
    shown = most_different(comparison)
    if shown:
        yield ""
        yield paint(f"  {'the initcalls that differ most':34} {'A':>9} {'B':>9} {'B-A':>9} {'B/A':>6}", "2")
        for one in shown:
            yield _difference(one, one.name, 34)


def comparison_headline(comparison: Comparison) -> str:
    """How long the second kernel takes, by the first."""
    ratio = comparison.total.ratio
    if ratio is None:
        return f"{comparison.before.kernel} and {comparison.after.kernel} side by side"
    return f"B takes {ratio:.2f} times as long as A{_doubt(comparison)}"


def comparison_notes(comparison: Comparison) -> list[str]:
    """What was measured, how far it can be trusted, and what is not known of either kernel."""
    sides = ("A", comparison.before), ("B", comparison.after)
    return [
        _basis(comparison),
        *(f"{letter}: not known: {text}" for letter, boot in sides for text in boot.unknown),
    ]


def most_different(comparison: Comparison) -> list[Difference]:
    """The initcalls that differ most."""
    return [one for one in comparison.initcalls[:_MOST_DIFFERENT] if one.seconds]


def _basis(comparison: Comparison) -> str:
    """What was measured, and how far it can be trusted."""
    if comparison.noise is None:
        return (
            "one boot each, with initcall_debug: how much they vary is not known, and so what is chance; "
            "--repeat 3 tells it"
        )
    return (
        f"medians of {comparison.boots} boots each, in turn, all with initcall_debug; totals vary by up to "
        f"{comparison.noise:.0%}"
    )


def _doubt(comparison: Comparison) -> str:
    ratio = comparison.total.ratio
    if ratio is not None and comparison.noise is not None and abs(ratio - 1) <= 2 * comparison.noise:
        return ", which is within what they vary anyway"
    return ""


def difference_cells(one: Difference) -> tuple[str, str, str, str]:
    """A, B, B-A and B/A; `-` for a kernel that has none of it."""
    before, after = ("-" if value is None else format_duration(value) for value in (one.before, one.after))
    sign = "+" if one.seconds >= 0 else "-"
    ratio = f"{one.ratio:.2f}" if one.ratio is not None else ""
    return before, after, f"{sign}{format_duration(abs(one.seconds))}", ratio


def _difference(one: Difference, title: str, size: int) -> str:
    before, after, change, ratio = difference_cells(one)
    return f"  {title[:size]:{size}} {before:>9} {after:>9} {change:>9} {ratio:>6}"


def boot_json(boot: Boot) -> dict[str, Any]:
    """The object that `lkm kernel boot --json` prints."""
    return {
        "schema": SCHEMA,
        **{
            name: getattr(boot, name)
            for name in (
                "kernel",
                "release",
                "ok",
                "total",
                "debug_total",
                "plain_total",
                "clock",
                "clock_rate",
                "firmware",
                "machine",
                "command_line",
                "reached",
                "last_call",
            )
        },
        "image": asdict(boot.image),
        "phases": [{**asdict(one), "seconds": one.seconds} for one in boot.phases],
        "initcalls": [asdict(one) for one in boot.initcalls],
        "freed": [{**asdict(one), "means": freed_means(one.what)} for one in boot.freed],
        "ending": None
        if boot.ending is None
        else {"end": boot.ending.end, "detail": boot.ending.detail, "words": boot.ending.words},
        "log": [{"seconds": one.seconds, "level": one.level, "text": one.text} for one in boot.log],
        "unknown": list(boot.unknown),
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The object that `lkm kernel boot --compare --json` prints."""

    def rows(found: Sequence[Difference]) -> list[dict[str, Any]]:
        return [{**asdict(one), "seconds": one.seconds, "ratio": one.ratio} for one in found]

    return {
        "schema": SCHEMA,
        "kernels": [comparison.before.kernel, comparison.after.kernel],
        "boots": comparison.boots,
        "total": rows([comparison.total])[0],
        "noise": comparison.noise,
        "phases": rows(comparison.phases),
        "initcalls": rows(comparison.initcalls),
    }
