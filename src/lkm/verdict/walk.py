# SPDX-License-Identifier: MIT
"""The verdict: every rule in the kernel's order, up to the first that refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from lkm.errors import BadInputError
from lkm.module import Module, read_module, read_module_bytes
from lkm.verdict.case import Case, Neighbour, Situation
from lkm.verdict.ground import Ground, Offer
from lkm.verdict.rules import rules_of
from lkm.verdict.subject import Subject
from lkm.verdict.value import TAINT_MEANINGS, Finding, Rule, Step, Taint, Verdict


def check_module(path: Path, ground: Ground, situation: Situation | None = None) -> Verdict:
    """What the kernel of `ground` will say to a module file (compressed ones are unpacked first).

    Raises `BadInputError` where it cannot be read at all.
    """
    return check_bytes(read_module_bytes(path), path, ground, situation)


def check_bytes(data: bytes, path: Path, ground: Ground, situation: Situation | None = None) -> Verdict:
    """The same of a module's bytes; `path` is what it is called."""
    case = Case(path, Subject(data, bits=ground.bits), ground, situation or Situation())
    steps: list[Step] = []
    for rule in rules_of(ground):
        before = len(case.doubts)
        found = rule.check(case)
        plain = not found and len(case.doubts) == before
        steps.append(_passed(rule) if plain else Step(rule, tuple(found), tuple(case.doubts[before:])))
        if any(one.fatal for one in found):
            break
    findings = [finding for step in steps for finding in step.findings]
    if not any(one.fatal for one in findings):
        findings += _taint_findings(case)
    return Verdict(
        module=_name(case, path),
        path=path,
        kernel=ground.name,
        findings=tuple(findings),
        taints=tuple(case.taints),
        unproved=tuple(case.doubts),
        order=_order(case),
        steps=tuple(steps),
    )


@cache
def _passed(rule: Rule) -> Step:
    """A check with nothing to say, the same each time: most are."""
    return Step(rule, (), ())


def _name(case: Case, path: Path) -> str:
    """The module's name, or the file's where it was refused before its name was read."""
    try:
        found = case.subject.own_name if "names" in vars(case.subject) else ""
    except (IndexError, ValueError):
        found = ""
    return found or path.name.partition(".")[0].replace("-", "_")


def _taint_findings(case: Case) -> list[Finding]:
    return [
        Finding("taints", 0, "", f"taints the kernel ({taint}): {TAINT_MEANINGS[taint]}")
        for taint in _told(case)
    ]


def _told(case: Case) -> Iterable[Taint]:
    return [taint for taint in case.taints if taint is not Taint.FORCED]


def _order(case: Case) -> tuple[str, ...]:
    """Modules to load before, those that they need first."""
    found: dict[str, None] = {}
    for owner in case.wanted:
        neighbour = case.situation.neighbours.get(owner)
        before = neighbour.needs if neighbour else case.ground.needs.get(owner, ())
        found |= dict.fromkeys((*before, owner))
    loaded = case.situation.loaded or frozenset()
    return tuple(name for name in found if name not in loaded)


def read_neighbours(paths: Sequence[Path]) -> Mapping[str, Neighbour]:
    """The modules among `paths` that export something, or are not GPL-compatible; none that is damaged."""
    found: dict[str, Neighbour] = {}
    for path in paths:
        try:
            module = read_module(path)
            exports = module.exports
            if exports or not module.gpl_compatible:
                found[module.name] = neighbour_of(module)
        except BadInputError:
            continue
    return found


def neighbour_of(module: Module) -> Neighbour:
    """A module as those that are loaded after it see it."""
    offers = {one.name: Offer(module.name, one.crc, one.gpl_only, one.namespace) for one in module.exports}
    return Neighbour(module.name, offers, module.gpl_compatible, module.depends)
