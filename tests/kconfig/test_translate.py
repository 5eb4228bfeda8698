# SPDX-License-Identifier: MIT
"""Kconfig files as kconfiglib gets them, and the flat copy as conf gets it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.errors import BadInputError
from lkm.kconfig.conf import find_conf, settle
from lkm.kconfig.dotconfig import parse_config
from lkm.kconfig.index import Index
from lkm.kconfig.translate import translate_line
from lkm.kconfig.tree import Tree

pytestmark = pytest.mark.fetch


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("\tmodules\n", "\toption modules\n"),
        ("\ttransitional\n", "\n"),
        ("\tdepends on A || B if C\n", "\tdepends on (A || B) || !(C)\n"),
        ("\tdepends on MMC || !MMC # if built in\n", "\tdepends on MMC || !MMC # if built in\n"),
        ('\tbool "modules"\n', '\tbool "modules"\n'),
        ("\tdefault y if X\n", "\tdefault y if X\n"),
    ],
)
def test_words_that_kconfiglib_does_not_know(line: str, known: str) -> None:
    assert translate_line(line) == known


SMALL = """\
mainmenu "small"
yes = $(shell,echo y)
name := $(shell,echo some thing)
config MODULES
\tbool "modules"
\tmodules
\tdefault y
\thelp
\t  Its words: $(shell,exit 1), modules
\t  modules
source "More"
config NAMED
\tstring
\tdefault "$(name)"
config LAST
\tdef_bool $(yes)
"""
MORE = """\
config JOINED
\tbool "joined" if \\
\t\tMODULES
\tdefault $(yes)
\thelp

\t  A text
\t    with config OTHER in it
\t  source "of all"
\t  and = $(shell,exit 1) too

config AFTER
\tdef_bool JOINED || \\
\t\t"$(yes)" = "n"
config LATE
\tdef_bool AFTER
"""


def test_a_small_tree_flat_is_worth_the_same(
    small: Callable[..., tuple[Index, Path]], tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small/More").write_text(MORE)
    index, output = small(SMALL)
    flat = index.flat.read_text()
    assert "$(" not in flat.replace("words: $(shell", "").replace("and = $(shell", "")
    assert "source" not in flat.replace('source "of all"', "") and "config JOINED" in flat
    joined = index.find("JOINED")
    assert joined is not None and joined.help.startswith("A text\n  with config OTHER in it\nsource")
    late = index.find("LATE")
    assert late is not None and late.nodes[0].line == MORE.splitlines().index("config LATE") + 1
    assert joined.nodes[0].file == "More" and joined.nodes[0].line == 1
    values = settle(find_conf(index.tree, output), index.flat, index.tree, "")
    on = ("MODULES", "LAST", "JOINED", "AFTER", "LATE")
    assert values == {"NAMED": "some thing", **dict.fromkeys(on, "y")}


def test_what_cannot_be_read_is_told_with_its_place(small: Callable[..., tuple[Index, Path]]) -> None:
    with pytest.raises(BadInputError, match="Kconfig:3"):
        small('config A\n\tbool "a"\n\tgibberish here\n')


def test_the_real_tree_flat_settles_as_make_does(tree: Tree, index: Index, built: Path) -> None:
    made = parse_config((built / ".config").read_text())
    assert settle(built / "scripts/kconfig/conf", index.flat, tree, (built / ".config").read_text()) == made
    assert len(made) > 2000


def test_every_symbol_of_a_real_configuration_is_known(index: Index, built: Path) -> None:
    names = set(index.names())
    assert set(parse_config((built / ".config").read_text())) <= names
    assert len(names) > 10000


def test_each_symbol_of_a_real_tree_is_where_it_is_said_to_be(index: Index) -> None:
    lines: dict[str, list[str]] = {}
    for name in index.names():
        symbol = index.find(name)
        assert symbol is not None
        for node in symbol.nodes:
            if node.file not in lines:
                text = (index.tree.path / node.file).read_text(encoding="utf-8", errors="replace")
                lines[node.file] = text.split("\n")
            assert name in lines[node.file][node.line - 1], node
