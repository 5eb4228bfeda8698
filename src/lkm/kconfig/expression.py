# SPDX-License-Identifier: MIT
"""Kconfig expressions: what one is worth in a configuration, which part of it is not met, and its text.

An expression is a symbol's name, `["c", text]` for a constant, or `[sign, operands]` with Kconfig's own
signs (`&&`, `||`, `!`, `=`, `!=`, `<`, `<=`, `>`, `>=`); worth 0 (n), 1 (m) or 2 (y).
Source: Documentation/kbuild/kconfig-language.rst, "Menu dependencies".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Expression = Any
TRISTATE = {"n": 0, "m": 1, "y": 2}
LETTER = "nmy"
YES: Expression = ["c", "y"]
_COMPARE = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a dependency: its text, its worth (`n`, `m`, `y`), whether that does, its symbols' values."""

    text: str
    value: str
    met: bool
    symbols: tuple[tuple[str, str], ...]


def text_value(expression: Expression, values: Mapping[str, str]) -> str:
    """The text a symbol or a constant stands for; `n` for a symbol that is not in the configuration."""
    if isinstance(expression, str):
        return values.get(expression, "n")
    return str(expression[1])


def evaluate(expression: Expression, values: Mapping[str, str]) -> int:
    """What an expression is worth: 0, 1 or 2."""
    if isinstance(expression, str):
        return TRISTATE.get(values.get(expression, "n"), 0)
    sign, *parts = expression
    if sign == "c":
        return TRISTATE.get(parts[0], 0)
    if sign == "&&":
        return min(evaluate(part, values) for part in parts)
    if sign == "||":
        return max(evaluate(part, values) for part in parts)
    if sign == "!":
        return 2 - evaluate(parts[0], values)
    if sign == "choice":
        return 2  # a choice is as visible as its other dependencies, which stand beside it
    return 2 if _holds(sign, text_value(parts[0], values), text_value(parts[1], values)) else 0


def _holds(sign: str, left: str, right: str) -> bool:
    """expr_calc_value (scripts/kconfig/expr.c): by tristate, else by number, else by text."""
    one: Any = left
    other: Any = right
    if left in TRISTATE and right in TRISTATE:
        one, other = TRISTATE[left], TRISTATE[right]
    else:
        try:
            one, other = _number(left), _number(right)
        except ValueError:
            one, other = left, right
    if sign in ("=", "!="):
        return bool(one == other) is (sign == "=")
    less, same = bool(one < other), bool(one == other)
    return {"<": less, "<=": less or same, ">": not less and not same, ">=": not less}[sign]


def _number(text: str) -> int:
    if text in ("n", ""):
        return 0
    return int(text, 16 if text.lower().startswith("0x") else 10)


def write(expression: Expression, *, inside: str = "") -> str:
    """An expression as Kconfig files have it."""
    if isinstance(expression, str):
        return expression
    sign, *parts = expression
    if sign == "c":
        return str(parts[0]) if parts[0] in TRISTATE or parts[0].isalnum() else f'"{parts[0]}"'
    if sign == "choice":
        return f"choice {parts[0]}".strip()
    if sign == "!":
        return f"!{write(parts[0], inside='!')}"
    if sign in _COMPARE:
        text = f"{write(parts[0])}{sign}{write(parts[1])}"
        return f"({text})" if inside == "!" else text
    text = f" {sign} ".join(write(part, inside=sign) for part in _flat(expression, sign))
    return f"({text})" if inside and inside != sign else text


def _flat(expression: Expression, sign: str) -> Iterator[Expression]:
    if isinstance(expression, list) and expression[0] == sign:
        for part in expression[1:]:
            yield from _flat(part, sign)
    else:
        yield expression


def symbols_of(expression: Expression) -> Iterator[str]:
    """The symbols of an expression, in order, some more than once."""
    if isinstance(expression, str):
        yield expression
    elif expression[0] not in ("c", "choice"):
        for part in expression[1:]:
            yield from symbols_of(part)


def split_parts(expression: Expression, values: Mapping[str, str], *, need: int = 1) -> list[Part]:
    """The parts of a conjunction, each once, without what always holds; `need`: what each must be worth."""
    parts = []
    seen = set()
    for part in _flat(expression, "&&"):
        text = write(part)
        symbols = dict.fromkeys(symbols_of(part))
        if text in seen or (not symbols and evaluate(part, {})):
            continue
        seen.add(text)
        worth = evaluate(part, values)
        parts.append(
            Part(text, LETTER[worth], worth >= need, tuple((name, values.get(name, "n")) for name in symbols))
        )
    return parts
