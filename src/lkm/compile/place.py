# SPDX-License-Identifier: MIT
"""What words on a command line mean: a build directory, a tree, a release, a target of make, a variable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lkm.errors import UsageError
from lkm.kconfig.dotconfig import Setting, parse_option, read_config
from lkm.kconfig.presets import read_preset
from lkm.kconfig.tree import MAKE_WORDS, Tree, find_source, is_tree
from lkm.kernel.find import is_path
from lkm.kernel.own import check_name, find_own, find_own_at, own_dir

# A target of make: bzImage, bindeb-pkg, drivers/net/, kernel/fork.o, fs/ext2/ext2.ko.
_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9_.+/-]*")
_VARIABLE = re.compile(r"([A-Z][A-Z0-9_]*|CONFIG_[A-Za-z0-9_]+)=(.*)", re.DOTALL)
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
    `settings`: options of the configuration, given as CONFIG_X=VALUE.
    """

    what: str | None = None
    targets: tuple[str, ...] = ()
    output: Path | None = None
    tree_words: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()

    @property
    def suffix(self) -> str:
        """What the words put in the place of the preset in the release's name; "" where they do not."""
        return next((one.value.strip("-") for one in self.settings if one.name == "LOCALVERSION"), "")


def parse_words(words: Sequence[str]) -> Words:
    """Tells them apart; raises `UsageError` for what is none of them."""
    what: str | None = None
    targets: list[str] = []
    tree_words: dict[str, str] = {}
    others: dict[str, str] = {}
    settings: dict[str, Setting] = {}
    output: Path | None = None
    for word in words:
        match = _VARIABLE.fullmatch(word)
        if match is not None:
            name, value = match[1], match[2]
            if name in _RESERVED:
                raise UsageError(f"{word}: {name} is not for this", hint=_RESERVED[name])
            if name.startswith("CONFIG_"):
                settings[name] = parse_option(word)
            elif name == "O":
                output = Path(value)
            else:
                (tree_words if name in MAKE_WORDS else others)[name] = value
        elif what is None and is_what(word):
            what = word
        elif _TARGET.fullmatch(word):
            targets.append(word)
        else:
            raise _unknown_word(word)
    return Words(what, tuple(targets), output, tree_words, others, tuple(settings.values()))


def _unknown_word(word: str) -> UsageError:
    if not is_path(word):
        return UsageError(
            f"'{word}' is no build directory, no sources, no release, no target of make, no VAR=VALUE",
            hint="lkm kernel build --help",
        )
    near = find_near_directory(word)
    if not Path(word).expanduser().is_dir():
        return UsageError(
            f"{word}: no such directory", hint=f"lkm kernel build {near}" if near else "lkm kernel get 6.12"
        )
    return UsageError(
        f"{word} is neither a build directory of a kernel (no .config in it) nor its sources",
        hint="lkm kernel build --help",
    )


def find_near_directory(word: str) -> str:
    """The build directory or sources whose name is nearest to `word`, beside it; "" where there is none."""
    from difflib import get_close_matches

    place = Path(word).expanduser()
    try:
        names = [one.name for one in place.absolute().parent.iterdir() if is_what(str(one))]
    except OSError:
        return ""
    near = get_close_matches(place.name, names, n=1)
    return str(Path(word).with_name(near[0])) if near else ""


def is_what(word: str) -> bool:
    """Whether a word names what is to be built, and not a part of it."""
    place = Path(word).expanduser()
    if place.is_dir() and ((place / ".config").is_file() or is_tree(place) or find_source(place)):
        return True
    return is_release_name(word) or find_own(word) is not None


def is_release_name(word: str) -> bool:
    """Whether a word is a release as `lkm kernel get` takes it."""
    return _RELEASE.fullmatch(word) is not None


def base_name(version: str, word: str) -> str:
    """A name of an own kernel from release and preset or suffix."""
    return re.sub(r"[^0-9A-Za-z.+~_-]", "-", f"{version}-{word}")


def choose_suffix(parsed: Words, presets: Sequence[str]) -> str:
    """What distinguishes a kernel from others of its release: the suffix asked for, else the preset; or "".

    make's own LOCALVERSION comes behind that of the configuration (scripts/setlocalversion).
    """
    base = parsed.suffix or (presets[-1] if presets else "")
    more = parsed.words.get("LOCALVERSION", "").strip("-")
    return "-".join(filter(None, (base, more))) if base else ""


def choose_name(build: Path, version: str, suffix: str) -> str:
    """The name of an own kernel that was given none: what it has already, or release and `suffix`.

    Without one the configuration's own word (`CONFIG_LOCALVERSION`), or the directory's name.
    """
    known = find_own_at(build)
    if known is not None:
        return known.name
    if build.parent == own_dir():
        return build.name
    config = read_config(build / ".config") if (build / ".config").is_file() else {}
    local = config.get("LOCALVERSION", "").strip('"').strip("-")
    base = base_name(version, suffix or local or build.name)
    for number in range(1, 100):
        name = base if number == 1 else f"{base}-{number}"
        own = find_own(name)
        if own is None or own.build == build.resolve() or not own.is_there:
            check_name(name)
            return name
    raise UsageError(f"there are many kernels named {base} already", hint="--name NAME")


def find_unmet(build: Path, presets: Sequence[str], settings: Sequence[Setting] = ()) -> list[str]:
    """The options of presets, and `settings` on top of them, that a build directory's configuration does not
    have, as `OPTION=VALUE`."""
    values = read_config(build / ".config")
    wanted = {setting.name: setting for name in presets for setting in read_preset(name).settings}
    wanted |= {setting.name: setting for setting in settings}
    unmet = []
    for setting in wanted.values():
        have = values.get(setting.name, "n")
        if have.strip('"') != setting.value.strip('"') and not (setting.value == "n" and have == "n"):
            unmet.append(f"{setting.name}={setting.value}")
    return unmet


def check_known(tree: Tree, settings: Sequence[Setting]) -> None:
    """Raises `UsageError` where one of them is of an option that the kernel has not."""
    from lkm.kconfig.index import open_index
    from lkm.kconfig.refusal import find_near

    index = open_index(tree) if settings else None
    for setting in settings:
        if index is not None and index.find(setting.name) is None:
            near = find_near(index, setting.name)
            look = f"grep -r --include='Kconfig*' '^config ' {tree.path} lists those it has"
            raise UsageError(
                f"CONFIG_{setting}: this kernel has no option {setting.name}",
                hint=f"CONFIG_{near[0]}={setting.value}" if near else look,
            )
