# SPDX-License-Identifier: MIT
"""Why an option has the value it has, and the least change that gives it another, proved by `conf`."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lkm.errors import UsageError
from lkm.kconfig.conf import Settler
from lkm.kconfig.dotconfig import Change, Setting, compare, format_setting, parse_config
from lkm.kconfig.expression import LETTER, TRISTATE, Part, evaluate, split_parts, write
from lkm.kconfig.index import Index, Symbol, open_index
from lkm.kconfig.refusal import Cause, Refusal, find_meant, find_near, find_wrong_value
from lkm.kconfig.search import Search, Settings
from lkm.kconfig.tree import Tree

_TRIED = 4
_SCHEMA = 2


@dataclass(frozen=True, slots=True)
class Link:
    """A symbol that selects, implies or gives a default; `condition` as text; `active`: it does so now."""

    name: str
    condition: str
    active: bool


@dataclass(frozen=True, slots=True)
class LeastChange:
    """What must be set for an option to be `wanted`; `got`: what it is then, as `conf` says.

    `proved`: conf gave it the value; `drags`: what else becomes different.  Without `settings` no way was
    found at all; `stops`: the options it needs that nobody can set (CC_IS_CLANG, one this kernel has not).
    """

    wanted: str
    settings: tuple[Setting, ...]
    got: str | None
    proved: bool
    drags: tuple[Change, ...]
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """All about one option in one configuration; `value` is None where the configuration has it not.

    `places`: `file:line` of each definition.  `depends`: the parts of what it depends on.  `shown`: those of
    when its prompt is shown, where that is more.  `choice`: the others of a choice it is one of.
    """

    name: str
    kind: str
    value: str | None
    prompt: str
    help: str
    menus: tuple[str, ...]
    places: tuple[str, ...]
    depends: tuple[Part, ...]
    shown: tuple[Part, ...]
    selected_by: tuple[Link, ...]
    implied_by: tuple[Link, ...]
    defaults: tuple[Link, ...]
    choice: tuple[str, ...]
    change: LeastChange | None


def explain(tree: Tree, output: Path, name: str, *, wanted: str | None = None) -> tuple[Why, Index]:
    """Why `name` is what it is in OUTPUT/.config, as `explain_option`; and the index of the tree.

    Where the tree's files have to be read first, conf reads along.
    """
    with Settler(tree, output) as settler:

        def begin() -> int | None:
            value = parse_config(_read(output)).get(name, "n")
            # One that is on is not asked how to be.
            return settler.begin_piped() if wanted is not None or value == "n" else None

        index = open_index(tree, flat_to=begin)
        return explain_option(index, output, name, wanted=wanted, settler=settler), index


def explain_option(
    index: Index,
    output: Path,
    name: str,
    *,
    wanted: str | None = None,
    config: str | None = None,
    settler: Settler | None = None,
) -> Why:
    """Why `name` is what it is in `config` (a configuration's text; default: OUTPUT/.config).

    `wanted` is the value to find a way to; default: on where it is off, and none where it is on.  `settler`:
    the conf that is to be asked.  The answer is remembered for as long as tree and configuration stay the
    same.  Raises `UsageError` for an option the tree has not, with those of a name like it, and for a value
    it cannot have.
    """
    text = _read(output) if config is None else config
    symbol = index.find(name)
    where = "" if output == Path.cwd() else f" -O {output}"
    if symbol is None:
        near = find_near(index, name)
        raise UsageError(
            f"Linux {index.tree.version} has no option {name}",
            hint=" or ".join(f"lkm kernel why {one}{where}" for one in near)
            or f"grep -rin --include='Kconfig*' -e {shlex.quote(name)} {index.tree.path}",
        )
    if wanted is not None and (wrong := find_wrong_value(symbol, wanted)):
        meant = find_meant(Refusal(Setting(name, wanted), None, Cause.TYPE, wrong))
        raise UsageError(f"{name}: {wrong}", hint=f"lkm kernel why {meant or name}{where}")
    key = hashlib.sha256(f"{_SCHEMA}\n{name}\n{wanted}\n{text}".encode()).hexdigest()
    known = index.recall(key)
    if known is not None:
        return _from_plain(known)
    values = parse_config(text)
    with settler or Settler(index.tree, output) as asked:
        change = _find_change(index, asked, symbol, values=values, wanted=wanted, text=text)
    why = _describe(symbol, values, change)
    index.keep(key, asdict(why))
    return why


def _read(output: Path) -> str:
    return (output / ".config").read_text(encoding="utf-8", errors="replace")


def _describe(symbol: Symbol, values: Mapping[str, str], change: LeastChange | None) -> Why:
    depends = split_parts(symbol.depends, values)
    met = {part.text for part in depends}
    prompts = [node for node in symbol.nodes if node.prompt]
    shown = split_parts(prompts[0].visible, values) if prompts else []
    return Why(
        name=symbol.name,
        kind=symbol.kind,
        value=values.get(symbol.name),
        prompt=symbol.prompt,
        help=symbol.help,
        menus=(prompts or symbol.nodes)[0].menus,
        places=tuple(f"{node.file}:{node.line}" for node in symbol.nodes),
        depends=tuple(depends),
        shown=tuple(part for part in shown if part.text not in met),
        selected_by=_links(symbol.selected_by, values),
        implied_by=_links(symbol.implied_by, values),
        defaults=tuple(
            Link(write(value), write(condition), evaluate(condition, values) > 0)
            for value, condition in symbol.defaults
        ),
        choice=tuple(one for one in symbol.choice if one != symbol.name),
        change=change,
    )


def _links(pairs: tuple[tuple[str, Any], ...], values: Mapping[str, str]) -> tuple[Link, ...]:
    return tuple(
        Link(
            name,
            write(condition),
            min(evaluate(name, values), evaluate(condition, values)) > 0,
        )
        for name, condition in pairs
    )


def _find_change(
    index: Index,
    settler: Settler,
    symbol: Symbol,
    *,
    values: Mapping[str, str],
    wanted: str | None,
    text: str,
) -> LeastChange | None:
    """The shortest proposal that conf confirms; the shortest at all, not proved, where it confirms none.

    One without settings where there is no proposal, None where it has that value already.
    """
    value = values.get(symbol.name, "n")
    if symbol.kind not in ("bool", "tristate"):
        if wanted is None or wanted == values.get(symbol.name):
            return None
        proposals: list[Settings] = [{symbol.name: wanted}]
    else:
        if wanted is None and value != "n":
            return None
        settler.begin(index.flat)
        goal = TRISTATE.get(wanted or ("m" if symbol.kind == "tristate" else "y"), 2)
        proposals = _propose(index, symbol, values, goal)
        if not any(proposals) and goal != TRISTATE.get(value, 0):
            return LeastChange(LETTER[goal], (), value, False, (), tuple(_find_stops(index, symbol, values)))
    first: LeastChange | None = None
    for proposal in proposals[:_TRIED]:
        if not proposal:
            continue
        tried = _try(index, settler, proposal, text)
        got = tried.get(symbol.name)
        target = wanted or ("y" if TRISTATE.get(got or "n") == 2 else "m")
        proved = (got is not None and got == target) or (target == "n" and got is None)
        change = LeastChange(
            target,
            tuple(Setting(name, given) for name, given in sorted(proposal.items())),
            got,
            proved,
            tuple(one for one in compare(values, tried) if one.name not in proposal),
        )
        if proved and wanted is None and got == "n":
            proved = False
        if proved:
            return change
        first = first or change
    return first


def _find_stops(index: Index, symbol: Symbol, values: Mapping[str, str]) -> list[str]:
    """The options at the end of what `symbol` depends on that are off, and that have no prompt, in order."""
    found: dict[str, None] = {}
    seen, open_ = {symbol.name}, [symbol]
    while open_:
        parts = split_parts(open_.pop(0).depends, values)
        names = [name for part in parts if not part.met for name, value in part.symbols if value == "n"]
        for name in names:
            needed = index.find(name)
            if needed is None:
                found[name] = None
            elif name not in seen:
                seen.add(name)
                open_.append(needed)
                if not needed.prompt and all(part.met for part in split_parts(needed.depends, values)):
                    found[name] = None
    return list(found)


def _propose(index: Index, symbol: Symbol, values: Mapping[str, str], goal: int) -> list[Settings]:
    search = Search(index, values)
    current = TRISTATE.get(values.get(symbol.name, "n"), 0)
    if goal > current:
        return search.raise_to(symbol.name, goal)
    return search.lower_to(symbol.name, goal) if goal < current else []


def try_settings(index: Index, output: Path, settings: Settings, text: str) -> dict[str, str]:
    """What conf makes of a configuration with `settings` added at its end, where they hold."""
    with Settler(index.tree, output) as settler:
        return _try(index, settler, settings, text)


def _try(index: Index, settler: Settler, settings: Settings, text: str) -> dict[str, str]:
    lines = "".join(
        format_setting(name, value, kind=symbol.kind if (symbol := index.find(name)) else "")
        for name, value in settings.items()
    )
    return settler.settle(index.flat, f"{text}\n{lines}")


def _from_plain(data: dict[str, Any]) -> Why:
    """A `Why` from what JSON keeps of it."""

    def parts(items: list[dict[str, Any]]) -> tuple[Part, ...]:
        return tuple(
            Part(**{**item, "symbols": tuple((name, value) for name, value in item["symbols"])})
            for item in items
        )

    change = data["change"]
    if change is not None:
        change = LeastChange(
            **{
                **change,
                "settings": tuple(Setting(**item) for item in change["settings"]),
                "drags": tuple(Change(**item) for item in change["drags"]),
                "stops": tuple(change["stops"]),
            }
        )
    links = {
        key: tuple(Link(**item) for item in data[key]) for key in ("selected_by", "implied_by", "defaults")
    }
    plain = {key: tuple(data[key]) for key in ("menus", "places", "choice")}
    return Why(
        **{
            **data,
            **links,
            **plain,
            "depends": parts(data["depends"]),
            "shown": parts(data["shown"]),
            "change": change,
        }
    )
