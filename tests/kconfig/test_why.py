# SPDX-License-Identifier: MIT
"""Why an option is off, and the least change: each proposal is proved by the kernel's own conf."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.errors import UsageError
from lkm.kconfig.index import Index
from lkm.kconfig.why import explain_option
from lkm.show.kconfig import format_least

pytestmark = pytest.mark.fetch
Small = Callable[..., tuple[Index, Path]]

KCONFIG = """\
config MODULES
\tbool "modules"
\tmodules
config A
\ttristate "a"
config B
\tbool "b"
\tdepends on A
config C
\ttristate "c"
\tdepends on B && !D
\tselect HIDDEN
config D
\tbool "d"
\tdefault y
config HIDDEN
\ttristate
config FOLLOWS
\tdef_bool C && !GONE
choice
\tprompt "one of"
config ONE
\tbool "one"
config TWO
\tbool "two"
\tdepends on A
endchoice
config EXPERT
\tbool "expert"
config SHOWN
\tbool "shown" if EXPERT
config HELD
\tbool "held"
config HOLDER
\tbool "holder"
\tselect HELD
config EITHER
\tbool "either"
\tdepends on (A && B && EXPERT) || HOLDER
config NUMBER
\tint "number"
\trange 1 10
\tdefault 5
config NEVER
\tbool "never"
\tdepends on MISSING
config IS_CLANG
\tdef_bool n
config IS_LLD
\tdef_bool n
config HAS_LINKED
\tdef_bool y
\tdepends on IS_CLANG && IS_LLD && !EXPERT
config LINKED
\tbool "linked"
\tdepends on HAS_LINKED
config ROUND
\tbool "round"
\tdepends on ROUNDER
config ROUNDER
\tbool "rounder"
\tdepends on EXPERT
config EXACT
\tbool "exact"
\tdepends on A=m
config NOTM
\tbool "notm"
\tdepends on A!=n && NUMBER=5
"""
CONFIG = "CONFIG_MODULES=y\nCONFIG_D=y\nCONFIG_ONE=y\nCONFIG_NUMBER=5\n"


@pytest.mark.parametrize(
    ("option", "settings", "got"),
    [
        ("B", "A=m B=y", "y"),
        ("C", "A=m B=y C=m D=n", "m"),
        ("C=y", "A=m B=y C=y D=n", "y"),
        ("HIDDEN", "A=m B=y C=m D=n", "m"),
        ("FOLLOWS", "A=m B=y C=m D=n", "y"),
        ("TWO", "A=m TWO=y", "y"),
        ("SHOWN", "EXPERT=y SHOWN=y", "y"),
        ("EITHER", "EITHER=y HOLDER=y", "y"),
        ("ROUND", "EXPERT=y ROUND=y ROUNDER=y", "y"),
        ("EXACT", "A=m EXACT=y", "y"),
        ("NOTM", "A=m NOTM=y", "y"),
        ("D=n", "D=n", "n"),
        ("NUMBER=7", "NUMBER=7", "7"),
    ],
)
def test_the_least_change_is_the_least_and_proved(small: Small, option: str, settings: str, got: str) -> None:
    index, output = small(KCONFIG, CONFIG)
    name, _, wanted = option.partition("=")
    change = explain_option(index, output, name, wanted=wanted or None).change
    assert change is not None
    assert " ".join(map(str, change.settings)) == settings
    assert (change.proved, change.got) == (True, got)


def test_what_is_selected_goes_off_with_its_selectors(small: Small) -> None:
    index, output = small(KCONFIG, CONFIG + "CONFIG_HOLDER=y\nCONFIG_HELD=y\n")
    why = explain_option(index, output, "HELD", wanted="n")
    assert [(link.name, link.active) for link in why.selected_by] == [("HOLDER", True)]
    assert why.change is not None and why.change.proved
    assert " ".join(map(str, why.change.settings)) == "HELD=n HOLDER=n"


@pytest.mark.parametrize("option", ["NEVER", "NUMBER=11"])
def test_where_there_is_no_way_none_is_claimed(small: Small, option: str) -> None:
    index, output = small(KCONFIG, CONFIG)
    name, _, wanted = option.partition("=")
    change = explain_option(index, output, name, wanted=wanted or None).change
    assert change is None or not change.proved


@pytest.mark.parametrize(("option", "stops"), [("NEVER", ("MISSING",)), ("LINKED", ("IS_CLANG", "IS_LLD"))])
def test_what_stops_it_is_named(small: Small, option: str, stops: tuple[str, ...]) -> None:
    index, output = small(KCONFIG, CONFIG)
    why = explain_option(index, output, option)
    assert why.change is not None and not why.change.proved
    assert (why.change.settings, why.change.stops) == ((), stops)
    lines = list(format_least(why.change, str, every=False))
    assert lines == ["no way to y was found", f"  it needs what nobody can set: {', '.join(stops)}"]
    assert explain_option(index, output, option) == why  # as it is remembered
    assert explain_option(index, output, option, wanted="n").change is None


def test_the_part_that_is_not_met_is_marked(small: Small) -> None:
    index, output = small(KCONFIG, CONFIG + "CONFIG_A=y\nCONFIG_B=y\n")
    why = explain_option(index, output, "C")
    assert [(part.text, part.met) for part in why.depends] == [("B", True), ("!D", False)]
    assert why.prompt == "c" and why.places == ("Kconfig:9",) and why.kind == "tristate"
    shown = explain_option(index, output, "SHOWN")
    assert [(part.text, part.met) for part in shown.shown] == [("EXPERT", False)]
    assert explain_option(index, output, "ONE").choice == ("TWO",)


def test_an_unknown_option_is_told_with_near_names(small: Small) -> None:
    index, output = small(KCONFIG, CONFIG)
    with pytest.raises(UsageError, match="has no option HIDEN") as caught:
        explain_option(index, output, "HIDEN")
    assert "lkm kernel why HIDDEN" in caught.value.hint
    with pytest.raises(UsageError, match="has no option QXQXQX") as caught:
        explain_option(index, output, "QXQXQX")
    assert caught.value.hint == f"grep -rin --include='Kconfig*' -e QXQXQX {index.tree.path}"


def test_the_answer_is_remembered_until_config_or_tree_change(
    small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    index, output = small(KCONFIG, CONFIG)
    first = explain_option(index, output, "C")
    with monkeypatch.context() as patch:
        patch.setattr("lkm.kconfig.why.Settler", None)
        again, output = small(KCONFIG, CONFIG)
        assert explain_option(again, output, "C") == first
        assert again.flat == index.flat
    (output / ".config").write_text(CONFIG + "CONFIG_A=y\n")
    changed = explain_option(again, output, "C").change
    assert changed is not None and " ".join(map(str, changed.settings)) == "B=y C=m D=n"
    newer, output = small(KCONFIG + 'config MISSING\n\tbool "now there"\n', CONFIG)
    never = explain_option(newer, output, "NEVER").change
    assert never is not None and never.proved


@pytest.mark.parametrize(
    ("option", "needs"),
    [("USB_ACM", {"USB_ACM"}), ("DEBUG_INFO_BTF", {"BPF_SYSCALL", "DEBUG_INFO_BTF"}), ("LOCKDEP", set())],
)
def test_a_real_kernel(index: Index, built: Path, option: str, needs: set[str]) -> None:
    why = explain_option(index, built, option)
    assert why.change is not None and why.change.proved, why.change
    assert needs <= {setting.name for setting in why.change.settings}
