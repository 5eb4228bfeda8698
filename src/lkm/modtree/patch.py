# SPDX-License-Identifier: MIT
"""Changing a few keys of an index file without writing all of it anew.

Nodes are never changed in place: the changed ones, and those on the way to them, are added at the end and
the root is set to the new one.  What no longer leads anywhere stays until the index is built whole.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from lkm.modtree.trie import CHILDREN, OFFSET, PREFIX, VALUES, Trie, Value, pack_values

Change = Callable[[list[Value]], list[Value]]


def patch_trie(
    trie: Trie, removed: Iterable[tuple[bytes, int, bytes]], added: Iterable[tuple[bytes, int, bytes]]
) -> bytes:
    """The index with entries (key, priority, value) taken away and added.

    An entry to be removed that is not there, and a key that is not 7-bit ASCII, are passed over.
    Raises `BadInputError` where the index is damaged.
    """
    patch = _Patch(trie)
    for key, priority, value in removed:
        patch.change(key, _without((priority, value)))
    for key, priority, value in added:
        if key.isascii() and value.isascii():
            patch.change(key, _with((priority, value)))
    return patch.finish()


def _without(one: Value) -> Change:
    def change(values: list[Value]) -> list[Value]:
        left = list(values)
        if one in left:
            left.remove(one)
        return left

    return change


def _with(one: Value) -> Change:
    return lambda values: sorted([*values, one])


class _Patch:
    def __init__(self, trie: Trie) -> None:
        self.trie = trie
        self.start = len(trie.data)
        self.end = self.start
        self.new: list[bytes] = []
        self.nodes: dict[int, tuple[bytes, dict[int, int], list[Value]]] = {}
        self.root = trie.root

    def change(self, key: bytes, change: Change) -> None:
        self.root = self._change(self.root, key, change) or self._add(b"", {}, [])

    def finish(self) -> bytes:
        head = self.trie.data[:8] + struct.pack(">I", self.root)
        return b"".join([head, self.trie.data[12:], *self.new])

    def _read(self, reference: int) -> tuple[bytes, dict[int, int], list[Value]]:
        at = reference & OFFSET
        if at in self.nodes:
            return self.nodes[at]
        prefix, children, values_at = self.trie.node(reference)
        return prefix, children, self.trie.values(values_at)

    def _change(self, reference: int, key: bytes, change: Change) -> int:
        """The node that takes the place of `reference` (0 for none) once `key` below it is changed."""
        if not reference & OFFSET:
            return self._add(key, {}, change([]))
        prefix, children, values = self._read(reference)
        common = 0
        while common < min(len(prefix), len(key)) and prefix[common] == key[common]:
            common += 1
        if common < len(prefix):
            rest = self._add(prefix[common + 1 :], children, values)
            prefix, children, values = prefix[:common], {prefix[common]: rest}, []
        key = key[common:]
        if key:
            children = {**children, key[0]: self._change(children.get(key[0], 0), key[1:], change)}
            children = {letter: child for letter, child in children.items() if child}
        else:
            values = change(values)
        return self._add(prefix, children, values)

    def _add(self, prefix: bytes, children: dict[int, int], values: list[Value]) -> int:
        """A new node at the end; 0 where it would hold nothing, its only child where it needs no own."""
        if not values and not children:
            return 0
        if not values and len(children) == 1:
            ((letter, child),) = children.items()
            below, children, values = self._read(child)
            prefix = prefix + bytes([letter]) + below
        node, flags = b"", 0
        if prefix:
            node, flags = prefix + b"\0", PREFIX
        if children:
            low, high = min(children), max(children)
            references = [children.get(letter, 0) for letter in range(low, high + 1)]
            node += struct.pack(f">BB{len(references)}I", low, high, *references)
            flags |= CHILDREN
        if values:
            node += pack_values(values)
            flags |= VALUES
        at = self.end
        self.nodes[at] = prefix, children, values
        self.new.append(node)
        self.end += len(node)
        return at | flags
