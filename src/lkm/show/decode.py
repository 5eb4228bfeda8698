# SPDX-License-Identifier: MIT
"""A decoded report, for a person and for a machine."""

from __future__ import annotations

import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lkm.decode.value import Decoded, Excerpt, Instruction, SourceLine, Step, Walk
from lkm.klog.report import Frame, Kind

# Version of the JSON that `lkm decode --json` prints; documented in docs/decode.md.
SCHEMA = 1

_INDENT = "  "
_TAB = 8
_BRIEF_KERNEL = 4  # frames of the kernel shown below the module's own
_TRAP = re.compile(r"(?:ud[12]|brk)\b")
_RED, _BOLD, _DIM = "31;1", "1", "2"


class _Paint:
    """Colours that can be read on light and on dark; none where `color` is False."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[m" if self.color and text else text


def format_decoded(one: Decoded, *, brief: bool = False, color: bool = False, width: int = 80) -> str:
    """A report for a person, ending in a newline.

    `brief`: as after a run, where the kernel's own words were shown already.  `width`: in columns.
    """
    paint = _Paint(color)
    blocks = [
        list(_head(one, paint, width)),
        list(_excerpt(one.excerpt, paint, width)) if one.excerpt is not None else [],
        list(_instructions(one, paint, width, brief=brief)),
        list(_walks(one, paint, width, brief=brief)),
        list(_foot(one, paint, width)),
    ]
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks if block)


def summary_line(one: Decoded) -> str:
    """A report in one line: `warning: … at hello.c:12`."""
    place = f", at {one.place.short}" if one.place is not None else _bare_place(one)
    return f"{one.report.kind}: {one.means}{place}"


def later_lines(later: Sequence[Decoded], *, most: int) -> list[str]:
    """Reports after the first in a line each, equal ones in one; of more than `most` lines only how many."""
    counts = Counter(summary_line(one) for one in later)
    lines = [
        f"then {f'{count} times ' if count > 1 else ''}{text}" for text, count in list(counts.items())[:most]
    ]
    hidden = sum(list(counts.values())[most:])
    return [*lines, f"and {hidden} more: lkm decode --all"] if hidden else lines


def _bare_place(one: Decoded) -> str:
    frame = next((step.frame for walk in one.walks for step in walk.steps if step.frame.module), None)
    frame = frame or one.report.at
    return f", in {frame_text(frame)}" if frame is not None else ""


def _head(one: Decoded, paint: _Paint, width: int) -> Iterator[str]:
    first, *rest = _wrap(f"{one.report.kind}: {one.means}", width, after=_INDENT)
    kind = f"{one.report.kind}:"
    yield paint(kind, _RED) + paint(first.removeprefix(kind), _BOLD)
    yield from (paint(line, _BOLD) for line in rest)
    if one.place is not None:
        chain = next((step.lines for walk in one.walks for step in walk.steps if one.place in step.lines), ())
        around = chain[chain.index(one.place) + 1 :] if one.place in chain else ()
        into = f", inlined into {around[-1].function}()" if around else ""
        within = f", in {one.place.function}()" if one.place.function else ""
        yield from _wrap(f"{_INDENT}at {_path(one)}:{one.place.line}{within}{into}", width, after=_INDENT * 2)
    elif not one.place and one.report.at is not None:
        yield f"{_INDENT}in {frame_text(one.report.at)}"
    if one.follows:
        yield f"{_INDENT}an earlier report came first; this may be its consequence"


def _path(one: Decoded) -> str:
    assert one.place is not None
    return near_path(one.excerpt.path) if one.excerpt is not None else one.place.path


def near_path(path: Path | str) -> str:
    """A path as it is shortest, from the current directory or whole."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("../..") else relative


def _excerpt(excerpt: Excerpt, paint: _Paint, width: int) -> Iterator[str]:
    digits = len(str(excerpt.first + len(excerpt.lines)))
    shared = min((_leading(line) for line in excerpt.lines if line.strip()), key=len, default="")
    for number, line in enumerate(excerpt.lines, excerpt.first):
        text, room = line.removeprefix(shared).expandtabs(_TAB), max(width - digits - 6, 20)
        text = _cut(text, room)
        marked = number == excerpt.marked
        sign = paint("→", _RED) if marked else " "
        label = paint(f"{number:{digits}}", _DIM)
        yield f" {sign} {label}  {paint(text, _BOLD) if marked else text}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _leading(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _instructions(one: Decoded, paint: _Paint, width: int, *, brief: bool) -> Iterator[str]:
    values = "  ".join(
        f"{register.name} = {_number(register.value)}{f' ({register.meaning})' if register.meaning else ''}"
        for register in one.registers
        if not brief or register.meaning or register.value == 0
    )
    for instruction in one.instructions:
        if instruction.marked and brief and _is_trap(one, instruction):
            continue
        if instruction.marked:
            text = f" {paint('→', _RED)} {paint(instruction.text, _BOLD)}"
            room = width - len(instruction.text) - 6
            if values and len(values) <= room:
                yield f"{text}   {values}"
            else:
                yield text
                if values:
                    yield from _wrap(f"{_INDENT * 3}{values}", width, after=_INDENT * 3)
        elif not brief:
            yield paint(f"   {instruction.text}", _DIM)


def _is_trap(one: Decoded, instruction: Instruction) -> bool:
    """Whether it is what WARN() and BUG() themselves are made of: it tells nothing."""
    return one.report.kind is not Kind.INVALID_OPCODE and bool(_TRAP.match(instruction.text))


def _number(value: int) -> str:
    return f"{value:#x}" if value else "0"


def _walks(one: Decoded, paint: _Paint, width: int, *, brief: bool) -> Iterator[str]:
    rows: list[tuple[str, str, bool]] = []
    column = min(max((len(name) for walk in one.walks for name in _names(walk)), default=0), width // 2)
    untitled = bool(one.walks) and not one.walks[0].title  # it begins the trace after it
    for index, walk in enumerate(one.walks):
        titles = one.walks[1:2] if untitled and index == 0 else [walk] if index != 1 or not untitled else []
        for titled in titles:
            if titled.title and (index > 0 or not titled.title.startswith("Call")):
                rows.append((f"{titled.title.rstrip(':')}:", "", False))
        rows += _rows(walk, brief=brief)
    for name, place, own in rows:
        line = _cut(f"{_INDENT}{name:{column}}  {place}".rstrip(), width)
        yield line if own else paint(line, _DIM)


def _names(walk: Walk) -> Iterator[str]:
    for step in walk.steps:
        if step.frame.reliable:
            yield from (line.function or step.frame.symbol for line in step.lines)
            if not step.lines:
                yield step.frame.symbol


def _rows(walk: Walk, *, brief: bool) -> Iterator[tuple[str, str, bool]]:
    """(function, place, whether it is a module's) of each frame that is shown."""
    hidden = unsure = shown = 0
    hide_unsure = brief
    last = max((index for index, step in enumerate(walk.steps) if step.frame.module), default=-1)
    below = sum(step.frame.reliable for step in walk.steps[last + 1 :])
    # "1 more" would take the line that the frame itself takes.
    brief = brief and below > _BRIEF_KERNEL + 1
    before: Step | None = None
    same = 0
    for index, step in enumerate(walk.steps):
        if not step.frame.reliable:
            unsure += 1
            continue
        if before is not None and step.frame.symbol and step.frame == before.frame:
            same += 1
            continue
        if same:
            yield f"… {same} times more", "", False
        before, same = step, 0
        if step.frame.module:
            yield from _step_rows(step)
        elif brief and index > last and shown >= _BRIEF_KERNEL:
            hidden += 1
        else:
            shown += 1
            yield from _step_rows(step)
    more = [f"{hidden} more of the kernel's"] if hidden else []
    more += [f"{unsure} that only lay on the stack"] if unsure and not hide_unsure else []
    if more:
        yield f"… {', '.join(more)}", "", False


def _step_rows(step: Step) -> Iterator[tuple[str, str, bool]]:
    frame, own = step.frame, bool(step.frame.module)
    if not step.lines:
        yield (frame.symbol or frame_text(frame)), _offset(frame), own
        return
    for line in step.lines:
        if line.own or not own or len(step.lines) == 1:
            name = line.function or frame.symbol.partition(".")[0]
            yield name, f"{_short(line)}{' (inlined)' if line.inlined else ''}", own


def _short(line: SourceLine) -> str:
    """`hello.c:12`; a file of the kernel's with the directory it is in."""
    if not line.line:
        return line.path.rpartition("/")[2]
    return line.short if line.own or line.path.startswith("/") else f"{line.path}:{line.line}"


def _offset(frame: Frame) -> str:
    if not frame.symbol or frame.offset is None:
        return f"[{frame.module}]" if frame.module else ""
    size = f"/{frame.size:#x}" if frame.size is not None else ""
    return f"+{frame.offset:#x}{size}{f' [{frame.module}]' if frame.module else ''}"


def frame_text(frame: Frame) -> str:
    """`hello_init+0x15/0x40 [hello]`, or the bare address."""
    if not frame.symbol:
        return f"{frame.address:#x}" if frame.address is not None else "?"
    return frame.symbol + _offset(frame)


def _foot(one: Decoded, paint: _Paint, width: int) -> Iterator[str]:
    if one.usually:
        first, *rest = _wrap(f"{_INDENT}usually: {one.usually}", width, after=_INDENT * 2)
        yield first.replace("usually:", paint("usually:", _BOLD), 1)
        yield from rest
    for note in one.notes:
        yield from _wrap(f"{_INDENT}note: {note}", width, after=_INDENT * 2)
    if not one.report.complete:
        yield f"{_INDENT}note: the log ends before the report does"


def _wrap(text: str, width: int, *, after: str) -> list[str]:
    return textwrap.wrap(
        text, max(width, 40), subsequent_indent=after, break_long_words=False, break_on_hyphens=False
    )


def decode_json(decoded: Sequence[Decoded]) -> dict[str, Any]:
    """The object that `lkm decode --json` prints."""
    return {"schema": SCHEMA, "reports": [decoded_json(one) for one in decoded]}


def decoded_json(one: Decoded) -> dict[str, Any]:
    """One report; numbers of 64 bits are written in hexadecimal, as text."""
    report = one.report
    return {
        "kind": report.kind.value,
        "title": report.title,
        "means": one.means,
        "usually": one.usually,
        "follows": one.follows,
        "place": None if one.place is None else _line_json(one.place),
        "expression": one.expression,
        "excerpt": _excerpt_json(one.excerpt),
        "instructions": [
            {"offset": row.offset, "bytes": row.data.hex(), "text": row.text, "marked": row.marked}
            for row in one.instructions
        ],
        "registers": [
            {"name": row.name, "value": hex(row.value), "meaning": row.meaning} for row in one.registers
        ],
        "traces": [
            {"title": walk.title, "frames": [_step_json(step) for step in walk.steps]} for walk in one.walks
        ],
        "notes": list(one.notes),
        "address": None if report.address is None else hex(report.address),
        "access": report.access,
        "size": report.size,
        "cpu": report.cpu,
        "pid": report.pid,
        "comm": report.comm,
        "release": report.release,
        "arch": report.arch,
        "taint": report.taint,
        "modules": list(report.modules),
        "details": dict(report.details),
        "records": [report.first, report.last],
        "complete": report.complete,
    }


def _line_json(line: SourceLine) -> dict[str, Any]:
    return {
        "function": line.function,
        "path": line.path,
        "line": line.line,
        "column": line.column,
        "inlined": line.inlined,
        "own": line.own,
    }


def _excerpt_json(excerpt: Excerpt | None) -> dict[str, Any] | None:
    if excerpt is None:
        return None
    return {
        "path": str(excerpt.path),
        "first": excerpt.first,
        "lines": list(excerpt.lines),
        "marked": excerpt.marked,
        "newer": excerpt.newer,
    }


def _step_json(step: Step) -> dict[str, Any]:
    frame = step.frame
    return {
        "symbol": frame.symbol,
        "offset": frame.offset,
        "size": frame.size,
        "module": frame.module,
        "reliable": frame.reliable,
        "address": None if frame.address is None else hex(frame.address),
        "lines": [_line_json(line) for line in step.lines],
    }
