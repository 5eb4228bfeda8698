# SPDX-License-Identifier: MIT
"""What was asked for and did not come about, each with the reason."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lkm.kconfig.dotconfig import Setting
from lkm.kconfig.expression import TRISTATE, evaluate, split_parts, text_value
from lkm.kconfig.index import Index, Symbol

# Words for a value that Kconfig does not know, and what is meant.
_MEANT = {
    **dict.fromkeys(("yes", "on", "true", "1"), "y"),
    **dict.fromkeys(("no", "off", "false", "0"), "n"),
    **dict.fromkeys(("mod", "module"), "m"),
}
_NUMBERS = {"int": re.compile(r"-?\d+"), "hex": re.compile(r"(?:0[xX])?[0-9a-fA-F]+")}
_RANGE = re.compile(r"it goes from (\S+) to (\S+)")  # as `_out_of_range` says it


class Cause(StrEnum):
    """Why an option has another value than it was given."""

    NO_SYMBOL = "no such option"
    TYPE = "not a value of its type"
    RANGE = "out of range"
    DEPENDENCY = "dependency not met"
    SELECTED = "selected"
    NO_PROMPT = "cannot be set"
    NO_MODULES = "no modules"
    CHOICE = "another of its choice is on"
    OTHER = "not known"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One option that was asked for and has another value: `got` (None: not in the configuration) and why."""

    setting: Setting
    got: str | None
    cause: Cause
    reason: str
    near: tuple[str, ...] = ()


def find_refusals(index: Index, settings: Mapping[str, Setting], values: Mapping[str, str]) -> list[Refusal]:
    """Those of `settings` that `values`, the configuration `conf` wrote, does not have."""
    found = []
    for name, setting in settings.items():
        got = values.get(name)
        symbol = index.find(name)
        kind = symbol.kind if symbol is not None else ""
        if got is not None and same_value(kind, got, setting.value):
            continue
        if got is None and setting.value in ("n", "") and symbol is not None and kind not in _NUMBERS:
            continue  # off, and not to be seen: as asked
        if symbol is None and setting.value == "n":
            continue  # what is not there is off
        found.append(explain_refusal(index, setting, values))
    return found


def same_value(kind: str, one: str, other: str) -> bool:
    """Whether two values of an option mean the same: a hex number may be written in several ways."""
    if one == other:
        return True
    try:
        return kind in _NUMBERS and int(one, 16 if kind == "hex" else 10) == int(
            other, 16 if kind == "hex" else 10
        )
    except ValueError:
        return False


def explain_refusal(index: Index, setting: Setting, values: Mapping[str, str]) -> Refusal:
    """Why `setting` is not what `values` has."""
    name, value = setting.name, setting.value
    got = values.get(name)
    symbol = index.find(name)
    if symbol is None:
        near = find_near(index, name)
        return Refusal(setting, got, Cause.NO_SYMBOL, f"this kernel has no option {name}", near)
    if text := find_wrong_value(symbol, value):
        return Refusal(setting, got, Cause.TYPE, text)
    if selectors := active_selectors(symbol, values):
        by = ", ".join(f"{selector}={values.get(selector)}" for selector in selectors[:4])
        more = f" and {len(selectors) - 4} more" if len(selectors) > 4 else ""
        if TRISTATE.get(value, 2) < TRISTATE.get(got or "n", 0):
            return Refusal(setting, got, Cause.SELECTED, f"selected by {by}{more}")
    if unmet := unmet_text(symbol, values, value):
        return Refusal(setting, got, Cause.DEPENDENCY, f"depends on {unmet}")
    if not symbol.prompt:
        return Refusal(setting, got, Cause.NO_PROMPT, _no_prompt(symbol, values))
    if unseen := _unseen(symbol, values):
        return Refusal(setting, got, Cause.DEPENDENCY, f"can be set only if {unseen}")
    if value == "m" and values.get("MODULES", "n") == "n":
        return Refusal(setting, got, Cause.NO_MODULES, "there are no modules: MODULES=n")
    if text := _out_of_range(symbol, values, value):
        return Refusal(setting, got, Cause.RANGE, text)
    chosen = [one for one in symbol.choice if one != name and values.get(one) == "y"]
    if chosen and value == "y":
        return Refusal(setting, got, Cause.CHOICE, f"one of a choice, and {chosen[0]} is on")
    if symbol.choice and value == "n":
        return Refusal(setting, got, Cause.CHOICE, "one of a choice, and no other of it was turned on")
    return Refusal(setting, got, Cause.OTHER, f"conf made it {got or 'n'}")


def find_near(index: Index, name: str) -> tuple[str, ...]:
    """Options with a name like this one."""
    from difflib import get_close_matches

    names = index.names()
    upper = name.upper()
    if upper in names:
        return (upper,)
    inside = [
        one for one in names if len(upper) > 3 and (one.endswith(f"_{upper}") or one.startswith(f"{upper}_"))
    ]
    near = get_close_matches(upper, names, n=3, cutoff=0.8)
    return tuple(dict.fromkeys([*near, *sorted(inside, key=len)]))[:4]


def find_wrong_value(symbol: Symbol, value: str) -> str:
    """Why a value is none that an option of that type can have, or ""."""
    if symbol.kind == "bool" and value == "m":
        return "it is built in or not (bool): y or n"
    if symbol.kind in ("bool", "tristate") and value not in TRISTATE:
        allowed = "y, m or n" if symbol.kind == "tristate" else "y or n"
        return f"{value!r} is not {allowed} ({symbol.kind})"
    pattern = _NUMBERS.get(symbol.kind)
    if pattern is not None and pattern.fullmatch(value) is None:
        return f"{value!r} is no number ({symbol.kind})"
    return ""


def find_meant(refusal: Refusal) -> Setting | None:
    """The setting that was meant by a value or a name that is none, the nearest in range, or None."""
    setting = refusal.setting
    if refusal.cause is Cause.NO_SYMBOL and refusal.near:
        return Setting(refusal.near[0], find_meant_value(setting.value), setting.where)
    if refusal.cause is Cause.TYPE:
        value = find_meant_value(setting.value)
        if "(bool)" in refusal.reason:
            value = {"m": "y"}.get(value, value)
        if value != setting.value and value in TRISTATE:
            return Setting(setting.name, value, setting.where)
    ends = _RANGE.fullmatch(refusal.reason)
    if refusal.cause is Cause.RANGE and ends is not None:
        with contextlib.suppress(ValueError):  # a hex number without 0x could be either
            return Setting(setting.name, ends[1 + (int(setting.value, 0) > int(ends[2], 0))], setting.where)
    return None


def find_meant_value(value: str) -> str:
    """`y` for `yes`, `Y`, `on` and the like; any other value as it is."""
    lower = value.lower()
    return lower if lower in TRISTATE else _MEANT.get(lower, value)


def active_selectors(symbol: Symbol, values: Mapping[str, str]) -> list[str]:
    """The symbols that select this one now."""
    return [
        selector
        for selector, condition in symbol.selected_by
        if min(evaluate(selector, values), evaluate(condition, values))
    ]


def unmet_text(symbol: Symbol, values: Mapping[str, str], value: str = "y") -> str:
    """The parts of its dependencies that do not hold for `value`, with what they are now; "" for none."""
    need = 2 if symbol.kind == "tristate" and value == "y" else 1
    if value == "n":
        return ""
    unmet = [part for part in split_parts(symbol.depends, values, need=need) if not part.met]
    return ", and ".join(part_text(part.text, part.symbols) for part in unmet)


def part_text(text: str, symbols: tuple[tuple[str, str], ...]) -> str:
    """`A || B (A=n, B=n)`; a name alone with its value."""
    if len(symbols) == 1 and symbols[0][0] == text:
        return f"{text} ({symbols[0][1]})"
    return f"{text} ({', '.join(f'{name}={value}' for name, value in symbols[:6])})"


def _unseen(symbol: Symbol, values: Mapping[str, str]) -> str:
    conditions = [node.visible for node in symbol.nodes if node.prompt]
    if any(evaluate(condition, values) for condition in conditions):
        return ""
    unmet = [part for part in split_parts(conditions[0], values) if not part.met]
    return ", and ".join(part_text(part.text, part.symbols) for part in unmet)


def _no_prompt(symbol: Symbol, values: Mapping[str, str]) -> str:
    if symbol.selected_by:
        names = ", ".join(name for name, _ in symbol.selected_by[:4])
        more = f" and {len(symbol.selected_by) - 4} more" if len(symbol.selected_by) > 4 else ""
        return f"it has no prompt; it is on where one of these is: {names}{more}"
    if symbol.defaults:
        return "it has no prompt; the kernel works it out by itself"
    return "it has no prompt, and nothing here selects it"


def _out_of_range(symbol: Symbol, values: Mapping[str, str], value: str) -> str:
    for low, high, condition in symbol.ranges:
        if not evaluate(condition, values):
            continue
        least, most = text_value(low, values), text_value(high, values)
        base = 16 if symbol.kind == "hex" else 10
        try:
            inside = int(least, base) <= int(value, base) <= int(most, base)
        except ValueError:
            return ""
        return "" if inside else f"it goes from {least} to {most}"
    return ""
