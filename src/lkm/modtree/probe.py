# SPDX-License-Identifier: MIT
"""modprobe.d: options, aliases, blacklists, commands and soft dependencies that a machine adds.

Source: kmod, libkmod-config.c; man 5 modprobe.d.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError
from lkm.modtree.search import config_files
from lkm.modtree.text import fold_alias

CONFIG_DIRS = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)
_WORD = re.compile(r"[\t ]*([^\t ]+)(?:[\t ](.*))?", re.DOTALL)
_CONTINUED = re.compile(r"\\(.?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Soft:
    """A soft dependency: modules whose names match `pattern` get `before` loaded before and `after` after."""

    pattern: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProbeConfig:
    """All of modprobe.d in the order in which modprobe looks at it.

    Pairs are (what it is for, what): names with dashes as underscores; those of `aliases`, `installs`,
    `removes` and soft dependencies may be shell patterns.
    """

    aliases: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    installs: tuple[tuple[str, str], ...] = ()
    removes: tuple[tuple[str, str], ...] = ()
    softdeps: tuple[Soft, ...] = ()
    weakdeps: tuple[tuple[str, tuple[str, ...]], ...] = ()
    blacklist: frozenset[str] = frozenset()


def read_probe_config(
    modules_dir: Path | None,
    paths: Sequence[str | Path] | None = None,
    *,
    softdeps: str | None = None,
    weakdeps: str | None = None,
    cmdline: str = "",
) -> ProbeConfig:
    """modprobe.d from `paths` (files or directories; default: the system's), and what a kernel's modules ask.

    Their soft dependencies are in `modules.softdep` and `modules.weakdep` of `modules_dir`, or given as
    texts.  `cmdline` is a kernel command line, which may have `module.parameter=value` and
    `modprobe.blacklist=`.  A line that is not understood is passed over, as modprobe does.  Raises
    `BadInputError` where a file is there but cannot be read.
    """
    texts = {path.name: _read(path) for path in config_files(CONFIG_DIRS if paths is None else paths)}
    for name, given in (("modules.softdep", softdeps), ("modules.weakdep", weakdeps)):
        if given is not None:
            texts[name] = given
        elif modules_dir is not None and (modules_dir / name).is_file():
            texts[name] = _read(modules_dir / name)
    collector = _Collector()
    for _, text in sorted(texts.items()):
        for line in _lines(text):
            collector.add(line)
    collector.add_cmdline(cmdline)
    return collector.finish()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error


def _lines(text: str) -> Iterable[str]:
    """Lines, a backslash joining one with the next; before any other letter it is left out."""
    plain = _CONTINUED.sub(lambda match: "" if match[1] == "\n" else match[1], text)
    return (line for line in plain.split("\n") if line and not line.startswith("#"))


def _fold(name: str) -> str | None:
    folded = fold_alias(name.encode("utf-8", "surrogateescape"))
    return None if folded is None else folded.decode("utf-8", "surrogateescape")


def parse_softdep(pattern: str, text: str) -> Soft:
    """A `softdep` line's words after the module."""
    before: list[str] = []
    after: list[str] = []
    into: list[str] | None = None
    for word in text.split():
        if word in {"pre:", "post:"}:
            into = before if word == "pre:" else after
        elif into is not None:
            into.append(word)
    return Soft(pattern, tuple(before), tuple(after))


class _Collector:
    def __init__(self) -> None:
        self.pairs: dict[str, list[tuple[str, str]]] = {
            kind: [] for kind in ("alias", "options", "install", "remove")
        }
        self.softdeps: list[Soft] = []
        self.weakdeps: list[tuple[str, tuple[str, ...]]] = []
        self.blacklist: set[str] = set()

    def add(self, line: str) -> None:
        words = _WORD.match(line)
        if words is None:
            return
        kind = words[1]
        rest = _WORD.match(words[2] or "")
        if rest is None:
            return
        name, text = _fold(rest[1]), rest[2]
        if name is None:
            return
        if kind == "blacklist":
            self.blacklist.add(name)
        elif text is None:
            return
        elif kind == "alias":
            target = _WORD.match(text)
            folded = _fold(target[1]) if target else None
            if folded is not None:
                self.pairs["alias"].append((name, folded))
        elif kind == "options":
            self.pairs["options"].append((name, text.replace("\t", " ")))
        elif kind in self.pairs:
            self.pairs[kind].append((name, text))
        elif kind == "softdep":
            self.softdeps.append(parse_softdep(name, text))
        elif kind == "weakdep":
            self.weakdeps.append((name, tuple(text.split())))

    def add_cmdline(self, cmdline: str) -> None:
        """`module.parameter=value`; white space counts only outside quotes."""
        for word in re.findall(r'(?:[^\s"]|"[^"]*")+', cmdline):
            # Boot loaders move a quote from before the value to before the word.
            plain = re.sub(r'^"([^"=]*=)(.*)$', r'\1"\2', word, flags=re.DOTALL)
            match = re.fullmatch(r'([^\s".=]+)\.([^".=]+(?:=(.*))?)', plain, re.DOTALL)
            if match is None:
                continue
            if match[1] == "modprobe" and match[2].startswith("blacklist="):
                self.blacklist |= set(match[3].split(","))
            else:
                folded = _fold(match[1])
                if folded is not None:
                    self.pairs["options"].append((folded, match[2]))

    def finish(self) -> ProbeConfig:
        return ProbeConfig(
            tuple(self.pairs["alias"]),
            tuple(self.pairs["options"]),
            tuple(self.pairs["install"]),
            tuple(self.pairs["remove"]),
            tuple(self.softdeps),
            tuple(self.weakdeps),
            frozenset(self.blacklist),
        )
