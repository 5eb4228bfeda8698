# SPDX-License-Identifier: MIT
"""The least that must be set for an option to be on (or off): a search over what it depends on.

Only a proposal comes from here: it takes all but the options it sets to stay as they are, which defaults
and `select` need not.  `conf` proves it (lkm.kconfig.why).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lkm.kconfig.expression import LETTER, TRISTATE, Expression, evaluate, text_value
from lkm.kconfig.index import Index, Symbol

Settings = dict[str, str]
# How many ways are followed at each step, how deep, and how many symbols that could select one are tried.
_KEPT, _DEPTH, _SELECTORS = 6, 24, 30


class Search:
    """Ways to give symbols a value, in one configuration of one tree."""

    def __init__(self, index: Index, values: Mapping[str, str]) -> None:
        self._index = index
        self._values = values
        self._path: list[tuple[str, int]] = []
        self._known: dict[tuple[str, int, str], list[Settings]] = {}

    def raise_to(self, name: str, need: int) -> list[Settings]:
        """Ways to make `name` worth at least `need` (1: m, 2: y), the shortest first; none found: empty."""
        if TRISTATE.get(self._values.get(name, "n"), 0) >= need:
            return [{}]
        symbol = self._index.find(name)
        if symbol is None or symbol.kind not in ("bool", "tristate"):
            return []
        if symbol.kind == "bool" or TRISTATE.get(self._values.get("MODULES", "n"), 0) == 0:
            need = 2
        return self._guarded(name, need, "raise", self._raise(symbol, need))

    def lower_to(self, name: str, most: int) -> list[Settings]:
        """Ways to make `name` worth at most `most` (0: n, 1: m)."""
        if TRISTATE.get(self._values.get(name, "n"), 0) <= most:
            return [{}]
        symbol = self._index.find(name)
        if symbol is None:
            return []
        return self._guarded(name, most, "lower", self._lower(symbol, most))

    def _guarded(self, name: str, need: int, what: str, ways: Iterator[list[Settings]]) -> list[Settings]:
        """The best of `ways`, each symbol looked at once on a path and once for all."""
        key = (name, need, what)
        if key in self._known:
            return self._known[key]
        if (name, need) in self._path or len(self._path) >= _DEPTH:
            return []
        self._path.append((name, need))
        try:
            found = _best(way for some in ways for way in some)
        finally:
            self._path.pop()
        if not self._path or found:
            self._known[key] = found
        return found

    def _raise(self, symbol: Symbol, need: int) -> Iterator[list[Settings]]:
        # A bool may be y where its dependencies are worth m (sym_calc_visibility, scripts/kconfig/symbol.c).
        enough = 1 if symbol.kind == "bool" else need
        prompts = [node.visible for node in symbol.nodes if node.prompt]
        by_prompt: list[Settings] = []
        for visible in prompts:
            by_prompt += self.satisfy(["&&", visible, symbol.depends], enough)
        if by_prompt:
            yield [{**way, symbol.name: LETTER[need]} for way in by_prompt]
            return
        for value, condition in symbol.defaults:
            yield self.satisfy(["&&", ["&&", value, condition], symbol.depends], enough)
        easy = sorted(symbol.selected_by, key=lambda pair: -evaluate(pair[1], self._values))
        for selector, condition in easy[:_SELECTORS]:
            # select makes a bool y for a selector that is m.
            yield self.satisfy(["&&", selector, condition], enough)

    def _lower(self, symbol: Symbol, most: int) -> Iterator[list[Settings]]:
        active = [
            (selector, condition)
            for selector, condition in symbol.selected_by
            if min(evaluate(selector, self._values), evaluate(condition, self._values)) > most
        ]
        most = 0 if symbol.kind == "bool" else most
        ways: list[Settings] = [{symbol.name: LETTER[most]}] if symbol.prompt else [{}]
        if not active and not symbol.prompt:
            on = [["&&", *pair] for pair in symbol.defaults if evaluate(["&&", *pair], self._values) > most]
            for part in on:
                ways = _joined(ways, self.lower(part, most))
        for selector, condition in active:
            ways = _joined(ways, self.lower(["&&", selector, condition], most))
        yield ways
        # One of a choice is off when another is on.
        if symbol.choice and symbol.prompt and not active:
            yield [{other: "y"} for other in symbol.choice if other != symbol.name]

    def satisfy(self, expression: Expression, need: int) -> list[Settings]:
        """Ways to make an expression worth at least `need`."""
        if evaluate(expression, self._values) >= need:
            return [{}]
        if isinstance(expression, str):
            return self.raise_to(expression, need)
        sign, *parts = expression
        if sign == "&&":
            ways: list[Settings] = [{}]
            for part in parts:
                ways = _joined(ways, self.satisfy(part, need)) if ways else ways
            return ways
        if sign == "||":
            return _best(way for part in parts for way in self.satisfy(part, need))
        if sign == "!":
            return self.lower(parts[0], 2 - need)
        if sign in ("=", "!="):
            return self._equal(parts[0], parts[1], same=sign == "=")
        return []

    def lower(self, expression: Expression, most: int) -> list[Settings]:
        """Ways to make an expression worth at most `most`."""
        if evaluate(expression, self._values) <= most:
            return [{}]
        if isinstance(expression, str):
            return self.lower_to(expression, most)
        sign, *parts = expression
        if sign == "&&":
            return _best(way for part in parts for way in self.lower(part, most))
        if sign == "||":
            ways: list[Settings] = [{}]
            for part in parts:
                ways = _joined(ways, self.lower(part, most)) if ways else ways
            return ways
        if sign == "!":
            return self.satisfy(parts[0], 2 - most)
        if sign in ("=", "!="):
            return self._equal(parts[0], parts[1], same=sign == "!=")
        return []

    def _equal(self, left: Expression, right: Expression, *, same: bool) -> list[Settings]:
        """Ways to make a symbol equal to a constant, or different from it."""
        if not isinstance(left, str):
            left, right = right, left
        if not isinstance(left, str):
            return []
        wanted = text_value(right, self._values)
        symbol = self._index.find(left)
        if wanted in TRISTATE:
            worth = TRISTATE[wanted]
            if same:
                current = TRISTATE.get(self._values.get(left, "n"), 0)
                return self.raise_to(left, worth) if current < worth else self.lower_to(left, worth)
            return self.lower_to(left, worth - 1) if worth else self.raise_to(left, 1)
        if same and symbol is not None and symbol.prompt and evaluate(symbol.depends, self._values):
            return [{left: wanted}]
        return []


def _joined(ways: Iterable[Settings], others: list[Settings]) -> list[Settings]:
    """Each of `ways` with each of `others`, where they do not want different things."""
    return _best(
        {**way, **{name: "y" if way.get(name) == "y" else value for name, value in other.items()}}
        for way in ways
        for other in others
        if all(_agree(way.get(name, value), value) for name, value in other.items())
    )


def _agree(one: str, other: str) -> bool:
    return one == other or {one, other} == {"m", "y"}


def _best(ways: Iterable[Settings]) -> list[Settings]:
    """The shortest few, each once; of equals those that set fewer to n."""
    once = {tuple(sorted(way.items())): way for way in ways}
    found = sorted(once.values(), key=lambda way: (len(way), sum(value == "n" for value in way.values())))
    return found[:_KEPT]
