# SPDX-License-Identifier: MIT
"""Several options at once: what they need is there, and nothing that one of them brings anyway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.kconfig.index import Index
from lkm.kconfig.together import find_together

pytestmark = pytest.mark.fetch

KCONFIG = """\
config MODULES
\tbool "modules"
\tmodules
config CORE
\ttristate
config MENU
\tbool "menu"
config CONSOLE
\ttristate "console"
\tselect CORE
if MENU
config BUS
\ttristate "bus"
\tselect CORE
endif
config DISK
\ttristate "disk"
\tdepends on CORE
config PLAIN
\ttristate "plain"
config NEVER
\tbool "never"
\tdepends on GONE
"""


@pytest.mark.parametrize(
    ("wanted", "settings", "missed"),
    [
        ({"DISK": "y", "BUS": "y"}, "MENU=y DISK=y BUS=y", ()),  # BUS brings CORE: no CONSOLE for it
        ({"DISK": "m"}, "CONSOLE=m DISK=m", ()),
        ({"PLAIN": "y", "NEVER": "y"}, "PLAIN=y", ("NEVER",)),
        ({"PLAIN": "m", "MODULES": "y"}, "PLAIN=m", ()),
        ({}, "", ()),
    ],
)
def test_what_is_needed_comes_first(
    small: Callable[..., tuple[Index, Path]], wanted: dict[str, str], settings: str, missed: tuple[str, ...]
) -> None:
    config = "CONFIG_MODULES=y\n"
    index, output = small(KCONFIG, config)
    found = find_together(index, output, wanted, config=config)
    assert (" ".join(map(str, found.settings)), found.missed) == (settings, missed)
