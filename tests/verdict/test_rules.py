# SPDX-License-Identifier: MIT
"""The rules: each documented, in the order of the kernel that is asked."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from lkm.verdict import RULES, Ground
from lkm.verdict.message import Messages
from lkm.verdict.rules import rules_of

ROOT = Path(__file__).parents[2]


def test_every_rule_that_refuses_is_documented_and_the_other_way_round() -> None:
    text = (ROOT / "docs" / "check.md").read_text()
    rows = re.findall(r"^\| (`[^|]*`) \| E", text, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    source = "".join(path.read_text() for path in (ROOT / "src/lkm/verdict").glob("*.py"))
    refused = set(re.findall(r"case\.refuse\(\s*\"([a-z-]+)\"", source))
    refused |= set(re.findall(r"\brule(?:, \w+)* = \(?(?:[\w.]+, )*\"([a-z-]+)\"", source))
    assert documented - set(re.findall(r"\"([a-z-]+)\"", source)) == set()
    assert refused - documented - {"version"} == set()


def test_each_rule_says_where_it_is_from() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert re.fullmatch(r"[\w/.-]+\.c: \w+", rule.source), rule.name
        assert rule.title
        assert rule.versions


def test_the_order_is_that_of_the_kernel(ground: Ground) -> None:
    """Up to 6.3 a name that is taken is seen only once the module is laid out."""
    old = replace(ground, messages=Messages({}))
    names = [rule.name for rule in rules_of(old)]
    assert names.index("same-name") > names.index("write-exec")
    new = replace(ground, messages=Messages({"one-module": ("3", "")}))
    names = [rule.name for rule in rules_of(new)]
    assert names.index("same-name") < names.index("write-exec")
    unread = replace(ground, messages=Messages(None), version=(6, 12))
    assert rules_of(unread) == rules_of(new)
