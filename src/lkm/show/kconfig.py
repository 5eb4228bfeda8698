# SPDX-License-Identifier: MIT
"""Configurations for a person: what was made, why an option is off, what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lkm.show.width import cut

if TYPE_CHECKING:
    from lkm.kconfig.configuration import Configured
    from lkm.kconfig.difference import Difference
    from lkm.kconfig.dotconfig import Change
    from lkm.kconfig.expression import Part
    from lkm.kconfig.hardware import Device, Driver
    from lkm.kconfig.why import LeastChange, Link, Why

Prompt = Callable[[str], str]
_SHOWN = 20
_STUMP = 20  # columns, from which on a prompt says something


def format_change(change: Change, prompt: Prompt) -> str:
    """`KASAN_STACK n -> y  Stack instrumentation`."""
    before, after = change.before or "n", change.after or "n"
    text = prompt(change.name)
    return f"{change.name} {before} -> {after}" + (f"  {text}" if text else "")


def format_changes(
    changes: Sequence[Change], prompt: Prompt, *, every: bool, indent: str = "  "
) -> list[str]:
    """Those a person may know by their prompt first; without `every` the first twenty."""
    ordered = sorted(changes, key=lambda change: not prompt(change.name))
    shown = ordered if every or len(ordered) <= _SHOWN + 5 else ordered[:_SHOWN]
    lines = [f"{indent}{format_change(change, prompt)}" for change in shown]
    if len(shown) < len(ordered):
        lines.append(f"{indent}and {len(ordered) - len(shown)} more (--all)")
    return lines


def format_configured(made: Configured, prompt: Prompt, *, every: bool, brief: bool = False) -> Iterator[str]:
    """What was made, what it drags in, what is not as it was asked for; `brief`: the drag is only counted."""
    yield f"{made.path}: Linux {made.version}, {made.arch}, {made.options} options on"
    for conflict in made.conflicts:
        first, then = conflict.first, conflict.then
        yield f"  {first.name}: {first.value} ({first.where}), then {then.value} ({then.where}), which holds"
    changes = made.dragged if made.settings else made.changes
    if made.settings:
        came = len(made.settings) - len(made.refusals)
        brief = brief and not every and bool(made.dragged)
        others = "others that follow" if brief else "others that changed"
        more = " (--all)" if brief else ""
        yield f"asked for: {len(made.settings)}, came about: {came}, {others}: {len(made.dragged)}{more}"
    elif made.changes:
        yield f"changed: {len(made.changes)}"
    yield from format_changes(() if brief and made.settings else changes, prompt, every=every)
    before = {change.name: change.before for change in made.changes} if made.settings else {}
    for refusal in made.refusals:
        setting = refusal.setting
        where = f" ({setting.where})" if setting.where not in ("", "the command line") else ""
        now = f"it is {refusal.got or 'off'}"
        if setting.name in before:
            now = f"it was {before[setting.name] or 'off'} and is {refusal.got or 'off'} now"
        yield f"not {setting}{where}, {now}: {refusal.reason}"
        if refusal.near:
            yield f"  near: {', '.join(refusal.near)}"
    if made.forgotten:
        names = ", ".join(made.forgotten if every else made.forgotten[:8])
        more = "" if every or len(made.forgotten) <= 8 else f" and {len(made.forgotten) - 8} more (--all)"
        yield f"this kernel has no option: {names}{more}"
    for setting in made.unused:
        yield f"{setting} ({setting.where}) was not asked: it is in the configuration already, or not there"


def format_why(why: Why, prompt: Prompt, *, every: bool, width: int = 80) -> Iterator[str]:
    """An option: what it is, why, and the least change; long dependencies in lines of `width` columns."""
    now = why.value if why.value is not None else "off, and not offered"
    if why.kind == "string" and why.value is not None:
        now = f'"{why.value}"'
    yield f"{why.name} is {now}  ({why.kind})"
    if why.prompt:
        yield f"  {' > '.join([*why.menus, why.prompt])}"
    else:
        yield "  without a prompt: nobody sets it, it follows from others"
    yield f"  defined in {', '.join(why.places)}"
    if why.depends:
        yield "depends on:"
        yield from _parts(why.depends, width)
    if why.shown:
        yield "and to be set by a person:"
        yield from _parts(why.shown, width)
    yield from _links("selected by", why.selected_by, every=every)
    yield from _links("implied by", why.implied_by, every=every)
    if not why.prompt and why.defaults:
        yield "its value:"
        for link in why.defaults[: None if every else 5]:
            condition = "" if link.condition == "y" else f" if {link.condition}"
            yield f"  {'+' if link.active else '-'} {link.name}{condition}"
    if why.choice:
        yield f"one of a choice with {', '.join(why.choice)}"
    if why.change is not None:
        yield from format_least(why.change, prompt, every=every)
    if why.help:
        yield ""
        yield from why.help.splitlines()


def format_least(change: LeastChange, prompt: Prompt, *, every: bool) -> Iterator[str]:
    """The least change, and whether the kernel's own conf confirmed it."""
    words = " ".join(map(str, change.settings))
    if not change.settings:
        yield f"no way to {change.wanted} was found"
        if change.stops:
            names = f"{', '.join(change.stops[:8])}{', …' if len(change.stops) > 8 else ''}"
            yield f"  it needs what nobody can set: {names}"
    elif change.proved:
        yield f"least change for {change.wanted}: {words}  (conf agrees)"
    else:
        yield f"no change found for {change.wanted}; tried {words}: conf made it {change.got or 'n'}"
    if change.drags:
        yield f"  which changes {len(change.drags)} others:"
        yield from format_changes(change.drags, prompt, every=every, indent="    ")


def _parts(parts: Sequence[Part], width: int) -> Iterator[str]:
    """`+ A || B  (A=y, B=n)`; where that is too long, the text and the values on lines of their own."""
    from textwrap import wrap

    for part in parts:
        alone = len(part.symbols) == 1 and part.symbols[0][0] == part.text
        values = part.symbols[0][1] if alone else ", ".join(f"{name}={value}" for name, value in part.symbols)
        line = f"  {'+' if part.met else '-'} {part.text}  ({values})"
        if len(line) <= width:
            yield line
            continue
        pieces = [*wrap(part.text, max(20, width - 4)), *wrap(f"({values})", max(20, width - 6))]
        for number, piece in enumerate(pieces):
            start = f"  {'+' if part.met else '-'} " if number == 0 else "    "
            yield f"{start}{piece}"


def _links(title: str, links: Sequence[Link], *, every: bool) -> Iterator[str]:
    if not links:
        return
    active = [link for link in links if link.active]
    shown = list(links) if every else [*active[:8], *(link for link in links if not link.active)][:8]
    yield f"{title}: {len(active)} now, of {len(links)}"
    for link in shown:
        condition = "" if link.condition in ("y", "") else f" if {link.condition}"
        yield f"  {'+' if link.active else '-'} {link.name}{condition}"
    if len(shown) < len(links):
        yield f"  and {len(links) - len(shown)} more (--all)"


def format_difference(difference: Difference, prompt: Prompt) -> Iterator[str]:
    """Three groups, each by name."""
    groups = (
        (f"only in {difference.before.name}", difference.only_before),
        (f"only in {difference.after.name}", difference.only_after),
        ("changed", difference.changed),
    )
    for title, changes in groups:
        if not changes:
            continue
        yield f"{title}: {len(changes)}"
        for change in changes:
            value = change.before if change.after in (None, "n") else change.after
            if title == "changed":
                value = f"{change.before} -> {change.after}"
            text = prompt(change.name)
            yield f"  {change.name}={value}" + (f"  {text}" if text else "")


def format_hardware(
    drivers: Sequence[Driver],
    without: Sequence[Device],
    needs: Mapping[str, str],
    *,
    base: str = "",
    width: int = 80,
) -> Iterator[str]:
    """A table: device, module, option, prompt as far as there is room; what has no module is counted.

    Devices of one kind that one module serves share a row.  `needs`: the options of what comes to `/`.
    `base`: the configuration that values are of, where it is not the build directory's.
    """
    rows = [("device", "module", f"option, in {base}" if base else "option", "")]
    served: dict[tuple[str, str, str, str], list[str]] = {}
    for one in drivers:
        option = f"{one.option}={one.value}" if one.option else "no option found"
        kind = f"{one.module} (built in)" if one.built_in else one.module
        key = (one.device.alias.partition(":")[0], kind, option, one.prompt)
        served.setdefault(key, []).append(_short(one.device))
    for (_, *rest), names in sorted(served.items(), key=lambda item: (min(item[1]), item[0])):
        count = f" ×{len(names)}" if len(names) > 1 else ""
        kind, option, prompt = rest
        rows.append((f"{min(names)}{count}", kind, option, prompt))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    # An option is to be typed, and never cut; a prompt that would be no more than a stump is left out.
    widths[0] = min(widths[0], max(16, width - widths[1] - widths[2] - 4))
    widths[1] = min(widths[1], max(12, width - widths[0] - widths[2] - 4))
    room = width - sum(widths) - 6
    for row in rows:
        cells = [*(cut(cell, most) for cell, most in zip(row, widths[:2], strict=False)), row[2]]
        text = "  ".join(cell.ljust(most) for cell, most in zip(cells, widths, strict=True))
        yield f"{text}  {cut(row[3], room) if room >= _STUMP else ''}".rstrip()
    if without:
        kinds: dict[str, int] = {}
        for device in without:
            kind = device.alias.partition(":")[0]
            kinds[kind] = kinds.get(kind, 0) + 1
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        yield f"without a module: {len(without)} ({counts})"
    if needs:
        options = ", ".join(f"{name}={value}" for name, value in needs.items())
        yield f"to come to /, built in or in the initramfs: {options}"


def _short(device: Device) -> str:
    """A device by its place in /sys, else the start of its alias."""
    bus, _, rest = device.alias.partition(":")
    name = device.path.rpartition("/")[2]
    return f"{bus}:{name}" if name else f"{bus}:{rest[:24]}"
