# SPDX-License-Identifier: MIT
"""The `.bin` indexes of a modules directory: a trie that modprobe searches without reading it all.

Format (kmod, libkmod/libkmod-index.c): big-endian u32 magic, version and root; a node reference is an
offset with flags in its high nibble: 8 a prefix, 4 values, 2 children.  A node: prefix and NUL; first,
last (u8 each) and a u32 reference for each letter between them; u32 count, then a u32 priority and a
string with its NUL for each value.  Nodes may lie in any order: kmod 30 writes children first, 34 parents.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from lkm.errors import BadInputError
from lkm.modtree.pattern import match_pattern

MAGIC = 0xB007F457
VERSION = 0x00020001
PREFIX, VALUES, CHILDREN, OFFSET = 0x80000000, 0x40000000, 0x20000000, 0x0FFFFFFF
_LETTERS = 128  # 7-bit ASCII only
_LONGEST = 4096  # bytes of a key or a value that is believed
_FILE_LIMIT = 1 << 28  # what an offset can reach
_LITERAL = re.compile(rb"[^*?\[\\]*")

Value = tuple[int, bytes]  # priority (the module's number, lower is first), text


def build_trie(entries: Iterable[tuple[bytes, int, bytes]]) -> bytes:
    """The index of (key, priority, value); several values may have one key, and keys any order.

    Keys and values must be 7-bit ASCII without NUL: others are left out (kmod refuses them as well).
    """
    values: dict[bytes, list[Value]] = {}
    for key, priority, value in entries:
        if key in values:
            values[key].append((priority, value))
        else:
            values[key] = [(priority, value)]
    keys = sorted([key for key in values if key.isascii()])
    packed: dict[Value, bytes] = {}
    tails = []
    for key in keys:
        many = values[key]
        if len(many) == 1:
            # Many keys have the same module: what it looks like is made once.
            tail = packed.get(many[0])
            if tail is None:
                tail = packed[many[0]] = pack_values(many)
            tails.append(tail)
        else:
            tails.append(pack_values(sorted(many)))
    writer = _Writer(keys, tails)
    root = writer.write(0, len(keys), 0) if keys else writer.offset
    return b"".join([struct.pack(">III", MAGIC, VERSION, root), *writer.out])


def pack_values(values: list[Value]) -> bytes:
    """The values of a node as they are written."""
    return len(values).to_bytes(4, "big") + b"".join(
        [priority.to_bytes(4, "big") + value + b"\0" for priority, value in values]
    )


class _Writer:
    """Writes nodes children first, so each knows where its children are."""

    def __init__(self, keys: list[bytes], tails: list[bytes]) -> None:
        self.keys = keys
        self.tails = tails
        self.out: list[bytes] = []
        self.offset = 12

    def write(self, start: int, end: int, depth: int) -> int:
        """The node for `keys[start:end]`, which share their first `depth` letters; its reference."""
        keys = self.keys
        first, last = keys[start], keys[end - 1]
        # Sorted, so what the first and the last share, all share.
        common = depth
        stop = min(len(first), len(last))
        while common < stop and first[common] == last[common]:
            common += 1
        node = first[depth:common] + b"\0" if common > depth else b""
        flags = PREFIX if common > depth else 0
        tail = b""
        if len(first) == common:
            tail = self.tails[start]
            flags |= VALUES
            start += 1
        if start < end:
            low, high = keys[start][common], last[common]
            children = [0] * (high - low + 1)
            while start < end:
                letter = keys[start][common]
                stop = start + 1
                while stop < end and keys[stop][common] == letter:
                    stop += 1
                children[letter - low] = (
                    self._leaf(start, common + 1)
                    if stop == start + 1
                    else self.write(start, stop, common + 1)
                )
                start = stop
            node += struct.pack(f">BB{len(children)}I", low, high, *children)
            flags |= CHILDREN
        at = self.offset
        node += tail
        self.out.append(node)
        self.offset = at + len(node)
        return at | flags

    def _leaf(self, number: int, depth: int) -> int:
        """The node of one key: most are."""
        key, node = self.keys[number], self.tails[number]
        at, flags = self.offset, VALUES
        if len(key) > depth:
            node = key[depth:] + b"\0" + node
            flags = PREFIX | VALUES
        self.out.append(node)
        self.offset = at + len(node)
        return at | flags


class Trie:
    """An index file in memory, searched as modprobe does it.

    Every step is checked: a file that is cut off, or whose nodes lead in circles, raises `BadInputError`
    naming the file and the offset.
    """

    def __init__(self, data: bytes, *, name: str = "<index>") -> None:
        self.data = data
        self.name = name
        self._steps = 0
        if len(data) < 12:
            raise BadInputError(f"{name}: truncated: an index starts with 12 bytes, the file has {len(data)}")
        magic, version, self.root = struct.unpack_from(">III", data)
        if magic != MAGIC:
            raise BadInputError(f"{name} is not a module index: magic {magic:#010x}, not {MAGIC:#010x}")
        if version >> 16 != VERSION >> 16:
            raise BadInputError(f"{name}: index version {version >> 16} at offset 0x4, not {VERSION >> 16}")

    def search(self, key: bytes) -> list[Value]:
        """The values of exactly this key, best priority first."""
        self._steps = 0
        reference, rest = self.root, key
        while True:
            prefix, children, values = self.node(reference)
            if not rest.startswith(prefix):
                return []
            rest = rest[len(prefix) :]
            if not rest:
                return sorted(self.values(values))
            reference = children.get(rest[0], 0)
            rest = rest[1:]
            if not reference & OFFSET:
                return []

    def search_patterns(self, key: bytes) -> list[Value]:
        """The values of all keys that, as shell patterns, match `key`; best priority first."""
        self._steps = 0
        found: list[Value] = []
        waiting = [(self.root, b"")]
        while waiting:
            reference, before = waiting.pop()
            prefix, children, values = self.node(reference)
            pattern = before + prefix
            literal = _LITERAL.match(pattern)
            head = literal[0] if literal else b""
            # Up to its first special letter a pattern must be what the key starts with.
            if key[: len(head)] != head:
                continue
            if values and match_pattern(pattern, key):
                found += self.values(values)
            for letter, child in children.items():
                waiting.append((child, pattern + bytes([letter])))
        return sorted(found)

    def __iter__(self) -> Iterator[tuple[bytes, int, bytes]]:
        """All (key, priority, value), in the order of the keys."""
        self._steps = 0
        waiting = [(self.root, b"")]
        while waiting:
            reference, before = waiting.pop()
            prefix, children, values = self.node(reference)
            for priority, value in self.values(values):
                yield before + prefix, priority, value
            for letter in sorted(children, reverse=True):
                waiting.append((children[letter], before + prefix + bytes([letter])))

    def node(self, reference: int) -> tuple[bytes, dict[int, int], int]:
        """(prefix, child by letter, offset of the values or 0) of a node."""
        at = reference & OFFSET
        self._steps += 1
        # A tree has no more nodes than bytes: more steps mean a circle.
        if self._steps > len(self.data):
            raise BadInputError(f"{self.name}: the nodes lead in a circle, at offset {at:#x}")
        prefix = b""
        if reference & PREFIX:
            prefix = self._text(at)
            at += len(prefix) + 1
        children: dict[int, int] = {}
        if reference & CHILDREN:
            low, high = self._read(">BB", at)
            if low > high or high >= _LETTERS:
                raise BadInputError(f"{self.name}: bad letters {low} to {high} at offset {at:#x}")
            references = self._read(f">{high - low + 1}I", at + 2)
            children = {low + i: child for i, child in enumerate(references) if child & OFFSET}
            at += 2 + 4 * (high - low + 1)
        return prefix, children, at if reference & VALUES else 0

    def values(self, at: int) -> list[Value]:
        if not at:
            return []
        (count,) = self._read(">I", at)
        at += 4
        if count * 5 > len(self.data) - at:
            raise BadInputError(f"{self.name}: {count} values at offset {at:#x} do not fit in the file")
        found = []
        for _ in range(count):
            (priority,) = self._read(">I", at)
            text = self._text(at + 4)
            found.append((priority, text))
            at += 5 + len(text)
        return found

    def _read(self, form: str, at: int) -> tuple[int, ...]:
        if at + struct.calcsize(form) > len(self.data):
            raise BadInputError(f"{self.name}: truncated at offset {at:#x}")
        return struct.unpack_from(form, self.data, at)

    def _text(self, at: int) -> bytes:
        end = self.data.find(b"\0", at, at + _LONGEST)
        if end < 0:
            raise BadInputError(f"{self.name}: no end of the text at offset {at:#x}")
        return self.data[at:end]


def read_trie(path: Path) -> Trie | None:
    """The index in a file, None where there is none; raises `BadInputError` where it is damaged."""
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _FILE_LIMIT:
        raise BadInputError(f"{path} has more than {_FILE_LIMIT} bytes")
    # depmod writes an empty file where a modules directory has no list of built-in modules.
    return Trie(data, name=str(path)) if data else None
