# SPDX-License-Identifier: MIT
"""Where the members of the kernel's structures lie, from the type information that it carries (BTF).

Layout: include/uapi/linux/btf.h and Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MEMBER = struct.Struct("<III")
_MAGIC = 0xEB9F
_POINTER, _ARRAY, _STRUCT, _UNION, _TYPEDEF = 2, 3, 4, 5, 8
_QUALIFIERS = (_TYPEDEF, 9, 10, 11, 18)  # and volatile, const, restrict, a type tag
# Bytes that follow a type of each kind: (fixed, for each of vlen).
_TAIL = {
    1: (4, 0), 2: (0, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 7: (0, 0), 8: (0, 0), 9: (0, 0),
    10: (0, 0), 11: (0, 0), 12: (0, 0), 13: (0, 8), 14: (4, 0), 15: (0, 12), 16: (0, 0), 17: (4, 0),
    18: (0, 0), 19: (0, 12),
}  # fmt: skip

Members = Mapping[str, int]


def find_members(data: bytes, wanted: Iterable[str]) -> dict[str, dict[str, int]]:
    """Offsets in bytes of the members of structures, by name of the structure; `""` is its own size.

    Members of nameless structures within count as the outer one's.  A name with a dot (`kobj_map.probes`)
    is what that member, or the array or pointer that it is, is made of.  What is not there is left out;
    nothing is found where `data` is no BTF.
    """
    types = _Types(data)
    found: dict[str, dict[str, int]] = {}
    for name in wanted:
        at = types.find(name)
        if at is not None:
            found[name] = {"": types.size(at), **types.members(at)}
    return found


class _Types:
    """The types by number; `places` has where each begins."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.places = [0]
        self.names: dict[int, int] = {}  # place of a structure's name to where the structure is
        self.strings = b""
        if len(data) < _HEADER.size:
            return
        magic, version, _, size, types_at, types_size, names_at, names_size = _HEADER.unpack_from(data)
        if magic != _MAGIC or version != 1:
            return
        self.strings = data[size + names_at : size + names_at + names_size]
        self._index(size + types_at, min(size + types_at + types_size, len(data)))

    def _index(self, at: int, end: int) -> None:
        while at + 12 <= end:
            name, info, _ = _TYPE.unpack_from(self.data, at)
            kind = info >> 24 & 31
            if kind not in _TAIL:  # of a newer kernel's: what follows cannot be found
                return
            self.places.append(at)
            if kind == _STRUCT and name:
                self.names.setdefault(name, at)
            fixed, each = _TAIL[kind]
            at += 12 + fixed + each * (info & 0xFFFF)

    def find(self, name: str) -> int | None:
        """Where a structure is."""
        outer, _, member = name.partition(".")
        at = self.names.get(self.strings.find(b"\0" + outer.encode() + b"\0") + 1)
        if at is None or not member:
            return at
        number = next((one for text, _, one in self._each(at) if text == member), 0)
        return self._target(number)

    def size(self, at: int) -> int:
        """Bytes of a structure."""
        return int(_TYPE.unpack_from(self.data, at)[2])

    def members(self, at: int) -> dict[str, int]:
        """Offsets by name."""
        found: dict[str, int] = {}
        for name, offset, number in self._each(at):
            if name:
                found.setdefault(name, offset)
            elif (inner := self._target(number)) is not None:
                for text, more in self.members(inner).items():
                    found.setdefault(text, offset + more)
        return found

    def _each(self, at: int) -> Iterable[tuple[str, int, int]]:
        """Name, offset in bytes and number of the type of each member."""
        _, info, _ = _TYPE.unpack_from(self.data, at)
        for index in range(info & 0xFFFF):
            name_at, number, bits = _MEMBER.unpack_from(self.data, at + 12 + 12 * index)
            bits &= 0xFFFFFF if info >> 31 else 0xFFFFFFFF  # with bit fields the size stands above
            end = self.strings.find(b"\0", name_at)
            yield self.strings[name_at:end].decode("ascii", "replace"), bits // 8, number

    def _target(self, number: int) -> int | None:
        """The structure that a type is made of, through arrays, pointers and other names."""
        for _ in range(16):
            if not 0 < number < len(self.places):
                return None
            at = self.places[number]
            _, info, other = _TYPE.unpack_from(self.data, at)
            kind = info >> 24 & 31
            if kind in (_STRUCT, _UNION):
                return at
            if kind == _ARRAY:
                number = int.from_bytes(self.data[at + 12 : at + 16], "little")
            elif kind == _POINTER or kind in _QUALIFIERS:
                number = other
            else:
                return None
        return None
