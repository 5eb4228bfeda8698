# SPDX-License-Identifier: MIT
"""Which option builds a module: `obj-$(CONFIG_X) += y.o` of the tree's Makefiles, kept in the cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lkm.kconfig.index import Index

_SKIPPED = ("Documentation", "tools", "scripts", "samples", "usr", "LICENSES")
_RULE = re.compile(
    r"^[ \t]*(?:obj|libs?)-\$\(CONFIG_(\w+)\)[ \t]*[:+]?=[ \t]*(.*)$|"
    r"^[ \t]*obj-[my][ \t]*[:+]?=[ \t]*(.*)$",
    re.MULTILINE,
)
_KEY = "module options 2"


def parse_rules(text: str) -> Iterator[tuple[str, str]]:
    """(module name with `_` for `-`, option) of a Makefile; option "" for what is built in any case."""
    for option, objects, always in _RULE.findall(text.replace("\\\n", " ")):
        for word in (objects or always).split("#")[0].split():
            if word.endswith(".o"):
                yield word[:-2].rpartition("/")[2].replace("-", "_"), option


def find_options(index: Index) -> Mapping[str, list[str]]:
    """Module name (`_` for `-`) to the options that build it, for all of a tree; usually one."""
    known = index.recall(_KEY)
    if known is None:
        known = _read(index.tree.path)
        index.keep(_KEY, known)
    found: Mapping[str, list[str]] = known
    return found


def _read(tree: Path) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    for place, directories, files in os.walk(tree):
        if place == str(tree):
            directories[:] = [name for name in directories if name not in _SKIPPED and name[0] != "."]
        for name in files:
            if name in ("Makefile", "Kbuild") or name.startswith("Makefile."):
                text = Path(place, name).read_text(encoding="utf-8", errors="replace")
                for module, option in parse_rules(text):
                    if option and option not in options.setdefault(module, []):
                        options[module].append(option)
    return options
