# SPDX-License-Identifier: MIT
"""What was asked for and did not come about: each cause, as the real conf brings it about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.kconfig.conf import find_conf, settle
from lkm.kconfig.dotconfig import format_setting, parse_option
from lkm.kconfig.index import Index
from lkm.kconfig.refusal import Cause, find_refusals

pytestmark = pytest.mark.fetch

KCONFIG = """\
config MODULES
\tbool "modules"
\tmodules
config A
\tbool "a"
config B
\ttristate "b"
\tdepends on A || GONE
config SELECTOR
\tdef_bool y
\tselect HELD
config HELD
\tbool "held"
config HIDDEN
\tbool
config AUTOMATIC
\tdef_bool A
config NUMBER
\tint "number"
\trange 1 10
\tdefault 5
config EXPERT
\tbool "expert"
config SHOWN
\tbool "shown" if EXPERT
config PLAIN
\ttristate "plain"
config TEXT
\tstring "text"
choice
\tprompt "one of"
config ONE
\tbool "one"
config TWO
\tbool "two"
endchoice
"""


@pytest.mark.parametrize(
    ("option", "cause", "words"),
    [
        ("WIBBLE=y", Cause.NO_SYMBOL, "no option WIBBLE"),
        ("B=y", Cause.DEPENDENCY, "depends on A || GONE (A=n, GONE=n)"),
        ("HELD=n", Cause.SELECTED, "selected by SELECTOR=y"),
        ("HIDDEN=y", Cause.NO_PROMPT, "nothing here selects it"),
        ("AUTOMATIC=y", Cause.NO_PROMPT, "works it out by itself"),
        ("NUMBER=11", Cause.RANGE, "from 1 to 10"),
        ("NUMBER=many", Cause.TYPE, "no number"),
        ("A=m", Cause.TYPE, "y or n"),
        ("A=yes", Cause.TYPE, "'yes' is not y or n"),
        ("SHOWN=y", Cause.DEPENDENCY, "can be set only if EXPERT (n)"),
        ("PLAIN=m", Cause.NO_MODULES, "MODULES=n"),
        ("ONE=n", Cause.CHOICE, "no other of it"),
    ],
)
def test_each_cause(small: Callable[..., tuple[Index, Path]], option: str, cause: Cause, words: str) -> None:
    index, output = small(KCONFIG)
    setting = parse_option(option)
    symbol = index.find(setting.name)
    line = format_setting(setting.name, setting.value, kind=symbol.kind if symbol else "")
    values = settle(find_conf(index.tree, output), index.flat, index.tree, line)
    (refusal,) = find_refusals(index, {setting.name: setting}, values)
    assert refusal.cause is cause
    assert words in refusal.reason


@pytest.mark.parametrize(
    "option", ["A=y", "A=n", "B=n", "NUMBER=7", "TEXT=5", "TEXT=a b", "TWO=y", "WIBBLE=n"]
)
def test_what_came_about_is_not_refused(small: Callable[..., tuple[Index, Path]], option: str) -> None:
    index, output = small(KCONFIG)
    setting = parse_option(option)
    symbol = index.find(setting.name)
    line = format_setting(setting.name, setting.value, kind=symbol.kind if symbol else "")
    values = settle(find_conf(index.tree, output), index.flat, index.tree, line)
    assert find_refusals(index, {setting.name: setting}, values) == []


def test_near_names(small: Callable[..., tuple[Index, Path]]) -> None:
    index, _output = small(KCONFIG)
    (refusal,) = find_refusals(index, {"NUMBERS": parse_option("NUMBERS=1")}, {})
    assert refusal.near[0] == "NUMBER"
