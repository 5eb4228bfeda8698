# SPDX-License-Identifier: MIT
"""What words on a command line mean: a build directory, a tree, a release, a target of make, a variable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lkm.errors import UsageError
from lkm.kconfig.dotconfig import read_config
from lkm.kconfig.presets import read_preset
from lkm.kconfig.tree import MAKE_WORDS, find_source, is_tree
from lkm.kernel.own import check_name, find_own, find_own_at, own_dir

# A target of make: bzImage, bindeb-pkg, drivers/net/, kernel/fork.o, fs/ext2/ext2.ko.
_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9_.+/-]*")
_VARIABLE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)
_RELEASE = re.compile(r"(v|linux-)?\d+\.\d+(\.\d+)?(-rc\d+)?|stable|longterm|mainline|git:.+|debian:\d+\.\d+")
# What lkm decides, and the words that say it.
_RESERVED = {
    "M": "lkm build DIR builds a module's own source",
    "KBUILD_EXTMOD": "lkm build DIR builds a module's own source",
    "KBUILD_OUTPUT": "-O DIR",
}


@dataclass(frozen=True, slots=True)
class Words:
    """A command line's words: `what` is a directory, an own kernel or a release, None where none is given.

    `tree_words`: make's words that say for which machine and with which compiler; `words`: the others.
    """

    what: str | None = None
    targets: tuple[str, ...] = ()
    output: Path | None = None
    tree_words: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


def parse_words(words: Sequence[str]) -> Words:
    """Tells them apart; raises `UsageError` for what is none of them."""
    what: str | None = None
    targets: list[str] = []
    tree_words: dict[str, str] = {}
    others: dict[str, str] = {}
    output: Path | None = None
    for word in words:
        match = _VARIABLE.fullmatch(word)
        if match is not None:
            name, value = match[1], match[2]
            if name in _RESERVED:
                raise UsageError(f"{word}: {name} is not for this", hint=_RESERVED[name])
            if name == "O":
                output = Path(value)
            else:
                (tree_words if name in MAKE_WORDS else others)[name] = value
        elif what is None and is_what(word):
            what = word
        elif _TARGET.fullmatch(word):
            targets.append(word)
        else:
            raise UsageError(
                f"'{word}' is no build directory, no sources, no release, no target of make, no VAR=VALUE",
                hint="lkm kernel build --help",
            )
    return Words(what, tuple(targets), output, tree_words, others)


def is_what(word: str) -> bool:
    """Whether a word names what is to be built, and not a part of it."""
    place = Path(word).expanduser()
    if place.is_dir() and ((place / ".config").is_file() or is_tree(place) or find_source(place)):
        return True
    return is_release_name(word) or find_own(word) is not None


def is_release_name(word: str) -> bool:
    """Whether a word is a release as `lkm kernel get` takes it."""
    return _RELEASE.fullmatch(word) is not None


def choose_name(build: Path, version: str, presets: Sequence[str]) -> str:
    """The name of an own kernel that was given none: what it has already, or release and preset.

    Without a preset the configuration's own word (`CONFIG_LOCALVERSION`), or the directory's name.
    """
    known = find_own_at(build)
    if known is not None:
        return known.name
    if build.parent == own_dir():
        return build.name
    config = read_config(build / ".config") if (build / ".config").is_file() else {}
    local = config.get("LOCALVERSION", "").strip('"').strip("-")
    word = presets[-1] if presets else local or build.name
    base = re.sub(r"[^0-9A-Za-z.+~_-]", "-", f"{version}-{word}")
    for number in range(1, 100):
        name = base if number == 1 else f"{base}-{number}"
        own = find_own(name)
        if own is None or own.build == build.resolve() or not own.is_there:
            check_name(name)
            return name
    raise UsageError(f"there are many kernels named {base} already", hint="--name NAME")


def find_unmet(build: Path, presets: Sequence[str]) -> list[str]:
    """The options of presets that a build directory's configuration does not have, as `OPTION=VALUE`."""
    values = read_config(build / ".config")
    wanted = {setting.name: setting for name in presets for setting in read_preset(name).settings}
    unmet = []
    for setting in wanted.values():
        have = values.get(setting.name, "n")
        if have.strip('"') != setting.value.strip('"') and not (setting.value == "n" and have == "n"):
            unmet.append(f"{setting.name}={setting.value}")
    return unmet
