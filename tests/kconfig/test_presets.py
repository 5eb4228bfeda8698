# SPDX-License-Identifier: MIT
"""Presets: every option they ask for comes about, and has its reason beside it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from lkm.errors import UsageError
from lkm.kconfig import presets
from lkm.kconfig.configuration import Request, configure
from lkm.kconfig.tree import Tree


@pytest.mark.fetch
@pytest.mark.parametrize("name", presets.list_presets())
def test_all_of_it_comes_about(tree: Tree, tmp_path: Path, name: str) -> None:
    preset = presets.read_preset(name)
    made = configure(tree, tmp_path, Request(target=preset.base, settings=preset.settings))
    assert made.refusals == () and made.conflicts == ()
    assert made.options < 800


def test_the_four_and_no_other() -> None:
    assert presets.list_presets() == ["class", "debug", "guest", "tiny"]
    with pytest.raises(UsageError, match="no preset 'guess'"):
        presets.read_preset("guess")


@pytest.mark.parametrize("name", presets.list_presets())
def test_each_option_is_below_a_reason(name: str) -> None:
    text = (resources.files(presets) / f"{name}.config").read_text()
    for block in text.split("\n\n"):
        assert block.startswith("# "), block
    assert len(presets.read_preset(name).settings) == len(
        {one.name for one in presets.read_preset(name).settings}
    )
