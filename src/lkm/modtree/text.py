# SPDX-License-Identifier: MIT
"""The contents of each `modules.*` file that depmod writes, from a tree and its graph.

Source: kmod, tools/depmod.c, the `output_*` functions; texts come out equal to its own, but for
`modules.symbols`, whose lines kmod has in the order of a hash table and this in that of the modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lkm.modtree.builtin import read_built_in_information
from lkm.modtree.find import fold_name
from lkm.modtree.graph import Graph
from lkm.modtree.scan import split_texts
from lkm.modtree.tree import Entry, Tree
from lkm.modtree.trie import build_trie
from lkm.module import module_name

_MAJOR = re.compile(rb"(char|block)-major-[ \t]*\+?(\d+)-[ \t]*\+?(\d+)")
_DEVNAME = b"devname:"


def fold_alias(alias: bytes) -> bytes | None:
    """An alias with dashes as underscores, outside brackets; None where a bracket does not end.

    Source: kmod, shared/util.c `alias_normalize`.
    """
    if b"[" not in alias and b"]" not in alias:
        return alias.replace(b"-", b"_")
    out = []
    at = 0
    while True:
        start = alias.find(b"[", at)
        stray = alias.find(b"]", at, start if start >= 0 else len(alias))
        if stray >= 0:
            return None
        if start < 0:
            out.append(alias[at:].replace(b"-", b"_"))
            return b"".join(out)
        end = alias.find(b"]", start)
        if end < 0:
            return None
        out.append(alias[at:start].replace(b"-", b"_"))
        out.append(alias[start : end + 1])
        at = end + 1


def _name(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def dep_lines(graph: Graph) -> list[str]:
    """A line a module: its path, a colon, and all it needs, to be loaded from right to left."""
    paths = [entry.path for entry in graph.tree.entries]
    return [
        f"{path}: {' '.join([paths[need] for need in graph.needs(number)])}" if needed else f"{path}:"
        for number, (path, needed) in enumerate(zip(paths, graph.needed, strict=True))
    ]


def build_dep(graph: Graph) -> bytes:
    """`modules.dep`."""
    return _name("".join([line + "\n" for line in dep_lines(graph)]))


def build_dep_index(graph: Graph) -> bytes:
    """`modules.dep.bin`: the line of each module, by its name."""
    return build_trie(
        (_name(entry.name), number, _name(line))
        for number, (entry, line) in enumerate(zip(graph.tree.entries, dep_lines(graph), strict=True))
    )


def _lines(tree: Tree, head: bytes, word: bytes, field: str) -> bytes:
    out = [head]
    for entry in tree.entries:
        joined = getattr(entry, field)
        if joined:
            before = word + _name(entry.name) + b" "
            out += [before + value + b"\n" for value in split_texts(joined)]
    return b"".join(out)


def alias_lines(entry: Entry) -> bytes:
    """A module's part of `modules.alias`."""
    if not entry.aliases:
        return b""
    # Each alias but the last is followed by the end of its own line and the beginning of the next.
    after = b" " + _name(entry.name) + b"\n"
    return b"alias " + entry.aliases[:-1].replace(b"\0", after + b"alias ") + after


def build_aliases(tree: Tree) -> bytes:
    """`modules.alias`."""
    head = b"# Aliases extracted from modules themselves.\n"
    return b"".join([head, *map(alias_lines, tree.entries)])


def build_alias_index(tree: Tree) -> bytes:
    """`modules.alias.bin`; an alias whose bracket does not end is left out, as kmod does."""
    return build_trie(alias_entries(tree))


def alias_entries(tree: Tree, numbers: Iterable[int] | None = None) -> Iterator[tuple[bytes, int, bytes]]:
    """(folded alias, number of the module, its name) of these modules (default: of all)."""
    entries = tree.entries
    for number in range(len(entries)) if numbers is None else numbers:
        folded = entries[number].aliases
        if not folded:
            continue
        name = _name(entries[number].name)
        if b"[" not in folded and b"]" not in folded:
            for alias in split_texts(folded.replace(b"-", b"_")):
                yield alias, number, name
        else:
            for value in split_texts(folded):
                one = fold_alias(value)
                if one is not None:
                    yield one, number, name


def build_softdeps(tree: Tree) -> bytes:
    """`modules.softdep`."""
    head = b"# Soft dependencies extracted from modules themselves.\n"
    return _lines(tree, head, b"softdep ", "softdeps")


def build_weakdeps(tree: Tree) -> bytes:
    """`modules.weakdep` (kmod 33 and later)."""
    head = b"# Weak dependencies extracted from modules themselves.\n"
    return _lines(tree, head, b"weakdep ", "weakdeps")


def build_symbols(graph: Graph) -> bytes:
    """`modules.symbols`."""
    names = [_name(entry.name) for entry in graph.tree.entries]
    lines = [b"alias symbol:" + symbol + b" " + names[owner] for symbol, owner in graph.owners.items()]
    return b"# Aliases for symbols, used by symbol_request().\n" + b"".join([line + b"\n" for line in lines])


def build_symbol_index(graph: Graph) -> bytes:
    """`modules.symbols.bin`."""
    names = [_name(entry.name) for entry in graph.tree.entries]
    return build_trie((b"symbol:" + symbol, owner, names[owner]) for symbol, owner in graph.owners.items())


def has_device(entry: Entry) -> bool:
    """Whether a module may have a line in `modules.devname`."""
    return _DEVNAME in entry.aliases


def build_devnames(tree: Tree) -> bytes:
    """`modules.devname`: modules that are to be loaded when their device node is opened."""
    lines = []
    for entry in tree.entries:
        if not has_device(entry):
            continue
        device = place = b""
        for alias in split_texts(entry.aliases):
            major = _MAJOR.match(alias)
            if alias.startswith(_DEVNAME):
                device = alias.removeprefix(_DEVNAME)
            elif major:
                place = b"%s%d:%d" % (major[1][:1], int(major[2]), int(major[3]))
            if device and place:
                lines.append(b"%s %s %s\n" % (_name(entry.name), device, place))
                break
    head = b"# Device nodes to trigger on-demand module loading.\n"
    return head + b"".join(lines) if lines else b""


def build_built_in_index(modules_dir: Path) -> bytes:
    """`modules.builtin.bin`: the names in `modules.builtin`."""
    try:
        lines = (modules_dir / "modules.builtin").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        lines = ""
    return build_trie(
        (_name(fold_name(module_name(line))), 0, b"") for line in lines.splitlines() if line[:1].isalpha()
    )


def build_built_in_alias_index(modules_dir: Path) -> bytes:
    """`modules.builtin.alias.bin`: the aliases in `modules.builtin.modinfo`."""

    def entries() -> Iterator[tuple[bytes, int, bytes]]:
        for name, pairs in read_built_in_information(modules_dir).items():
            for key, value in pairs:
                folded = fold_alias(_name(value)) if key == "alias" else None
                if folded:
                    yield folded, 0, _name(name)

    return build_trie(entries())


def builders(graph: Graph) -> dict[str, Callable[[], bytes]]:
    """How each file is made, by its name, in the order kmod writes them."""
    tree = graph.tree
    return {
        "modules.dep": lambda: build_dep(graph),
        "modules.dep.bin": lambda: build_dep_index(graph),
        "modules.alias": lambda: build_aliases(tree),
        "modules.alias.bin": lambda: build_alias_index(tree),
        "modules.softdep": lambda: build_softdeps(tree),
        "modules.weakdep": lambda: build_weakdeps(tree),
        "modules.symbols": lambda: build_symbols(graph),
        "modules.symbols.bin": lambda: build_symbol_index(graph),
        "modules.builtin.bin": lambda: build_built_in_index(tree.directory),
        "modules.builtin.alias.bin": lambda: build_built_in_alias_index(tree.directory),
        "modules.devname": lambda: build_devnames(tree),
    }
