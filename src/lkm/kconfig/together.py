# SPDX-License-Identifier: MIT
"""Several options to be on at once, with all that they need: one line that comes about as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lkm.kconfig.dotconfig import Setting, parse_config
from lkm.kconfig.expression import LETTER, TRISTATE, evaluate
from lkm.kconfig.index import Index
from lkm.kconfig.search import Search, Settings
from lkm.kconfig.why import try_settings

_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Together:
    """`settings`: what to set, what is needed first included; `missed`: options no way was found to."""

    settings: tuple[Setting, ...]
    missed: tuple[str, ...]


def find_together(index: Index, output: Path, wanted: Mapping[str, str], *, config: str) -> Together:
    """The settings for each option of `wanted` to be at least its value (m or y), confirmed by conf.

    `config`: the configuration's text; OUTPUT is where conf is, or is built.  Raises as `find_conf` and
    `settle` do.
    """
    needs = {name: TRISTATE[value] for name, value in wanted.items()}
    values = parse_config(config)
    settings: Settings = {}
    missed = _missing(needs, values)
    start = _promised(index, values, needs)
    for _ in range(_ROUNDS):
        # What defaults and select bring about, only conf knows; a second look starts from what it said.
        more = _propose(index, start, {name: needs[name] for name in missed})
        if not more:
            break
        settings = {**settings, **more}
        start = try_settings(index, output, settings, config)
        missed = _missing(needs, start)
        if not missed:
            break
    first = [name for name in settings if name not in wanted]
    order = [*first, *(name for name in wanted if name in settings and name not in missed)]
    return Together(tuple(Setting(name, settings[name]) for name in order), tuple(missed))


def _missing(needs: Mapping[str, int], values: Mapping[str, str]) -> list[str]:
    return [name for name, need in needs.items() if TRISTATE.get(values.get(name, "n"), 0) < need]


def _propose(index: Index, values: Mapping[str, str], needs: Mapping[str, int]) -> Settings:
    """Ways that go together: that with the least to set first, for what it brings serves the others."""
    now, left, found = dict(values), dict(needs), Settings()
    while left:
        search = Search(index, now)
        ways = {name: some[0] for name, need in left.items() if (some := search.raise_to(name, need))}
        if not ways:
            break
        name = min(ways, key=lambda one: len(ways[one]))
        del left[name]
        for option, value in ways[name].items():
            found[option] = now[option] = value
            _raise_selected(index, now, option)
    return found


def _promised(index: Index, values: Mapping[str, str], needs: Mapping[str, int]) -> dict[str, str]:
    """`values` with what those of `needs` select, once they are on: VIRTIO_PCI brings VIRTIO for the others.

    Whether a select's own condition will hold is not looked at: conf tells.
    """
    on = {**values, **{name: LETTER[need] for name, need in needs.items()}}
    for name in needs:
        _raise_selected(index, on, name, surely=True)
    return {name: value for name, value in on.items() if name not in needs} | {
        name: values[name] for name in needs if name in values
    }


def _raise_selected(index: Index, values: dict[str, str], name: str, *, surely: bool = False) -> None:
    """Turns on in `values` what `name` selects, and what that selects."""
    symbol = index.find(name)
    worth = TRISTATE.get(values.get(name, "n"), 0)
    for other, condition in symbol.selects if symbol is not None else ():
        level = worth if surely else min(worth, evaluate(condition, values))
        target = index.find(other)
        if level and target is not None and target.kind == "bool":
            level = 2
        if level > TRISTATE.get(values.get(other, "n"), 0):
            values[other] = LETTER[level]
            _raise_selected(index, values, other, surely=surely)
