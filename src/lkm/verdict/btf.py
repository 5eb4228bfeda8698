# SPDX-License-Identifier: MIT
"""The kernel's type information (BTF), as far as a verdict needs it.

Layout: include/uapi/linux/btf.h.  `struct btf_header`: u16 magic, u8 version, u8 flags, u32 hdr_len,
type_off, type_len, str_off, str_len.  `struct btf_type`: u32 name_off, u32 info (vlen 0-15, kind 24-28, flag
31), u32 size or type; what follows depends on the kind.
"""

from __future__ import annotations

import struct
from errno import E2BIG, EINVAL

_ENOTSUPP = 524  # include/linux/errno.h; no errno of user space
_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_MAGIC = 0xEB9F
_STRUCT = 4
# Bytes that follow a type of each kind: (fixed, for each of vlen).
_TAIL = {
    1: (4, 0), 2: (0, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 7: (0, 0), 8: (0, 0), 9: (0, 0),
    10: (0, 0), 11: (0, 0), 12: (0, 0), 13: (0, 8), 14: (4, 0), 15: (0, 12), 16: (0, 0), 17: (4, 0),
    18: (0, 0), 19: (0, 12),
}  # fmt: skip

# Structs, unions, enumerations and prototypes: each part begins with its name.
_NAMED_PARTS = (4, 5, 6, 13, 19)


def find_struct_size(data: bytes, name: str) -> int | None:
    """Bytes of a struct by its name, None where it is not there or a newer kernel's types are in the way."""
    parts = _split(data)
    if parts is None:
        return None
    types, strings = parts
    wanted = strings.find(b"\0" + name.encode() + b"\0") + 1
    if not wanted:
        return None
    at = 0
    while at + 12 <= len(types):
        name_at, info, size = _TYPE.unpack_from(types, at)
        kind, count = info >> 24 & 31, info & 0xFFFF
        if kind == _STRUCT and name_at == wanted:
            return int(size)
        if kind not in _TAIL:
            return None
        fixed, each = _TAIL[kind]
        at += 12 + fixed + each * count
    return None


def measure_types(data: bytes, *, long_header: bool) -> tuple[int, int] | None:
    """(bytes of the header that the kernel knows, bytes of names), None where it cannot be read.

    `long_header`: whether it knows of the third part, with two more numbers in the header.
    """
    parts = _split(data)
    if parts is None:
        return None
    return _HEADER.size + (8 if long_header else 0), len(parts[1])


def _split(data: bytes) -> tuple[bytes, bytes] | None:
    if len(data) < _HEADER.size:
        return None
    magic, version, _, size, types_at, types_size, names_at, names_size = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != 1:
        return None
    types = data[size + types_at : size + types_at + types_size]
    names = data[size + names_at : size + names_at + names_size]
    return types, names


def find_fault(data: bytes, base: tuple[int, int] | None, *, alone: bool) -> tuple[int, str] | None:
    """(errno, what is wrong) with a module's types, None where nothing is seen to be.

    `base`: (bytes of the header, bytes of names) of the kernel's own, which a module's go on from; `alone`
    where the module brings its base along.  Source: kernel/bpf/btf.c, btf_parse_hdr and btf_check_all_metas.
    """
    if len(data) < 8:
        return EINVAL, f"it has {len(data)} bytes"
    magic, version, flags, size = struct.unpack_from("<HBBI", data)
    if len(data) < size:
        return EINVAL, f"its header claims {size} bytes"
    if magic != _MAGIC:
        return EINVAL, f"it begins with 0x{magic:04x}"
    if version != 1:
        return _ENOTSUPP, f"it is of version {version}"
    if flags:
        return _ENOTSUPP, f"it has the flags 0x{flags:x}"
    if size < _HEADER.size:
        return EINVAL, f"its header has {size} bytes"
    known = base[0] if base else max(size, _HEADER.size)
    if any(data[known:size]):
        return E2BIG, "its header is longer than this kernel knows"
    _, _, _, _, types_at, types_size, names_at, names_size = _HEADER.unpack_from(data)
    # Since 7.1 a third part may follow, told by two more numbers.
    more = struct.unpack_from("<II", data, _HEADER.size) if min(known, size) >= _HEADER.size + 8 else (0, 0)
    end = names_at + names_size
    if types_at != 0 or types_size != names_at or end + more[1] != len(data) - size:
        return EINVAL, "its parts do not fill it"
    types, names = data[size : size + types_size], data[size + names_at : size + end]
    # Without types or names of its own it goes on from its base with none.
    if names and names[-1:] != b"\0":
        return EINVAL, "its names do not end"
    return _find_bad_type(types, base[1] + len(names) if base and not alone else 1 << 31)


def _find_bad_type(types: bytes, names_size: int) -> tuple[int, str] | None:
    at = 0
    while at < len(types):
        if at + 12 > len(types):
            return EINVAL, "its last type is cut off"
        name_at, info, _ = _TYPE.unpack_from(types, at)
        kind = info >> 24 & 31
        if info & ~0x9F00FFFF or kind not in _TAIL:
            return EINVAL, f"it holds a type of kind {kind}"
        if name_at >= names_size:
            return EINVAL, "a type's name lies outside its names"
        fixed, each = _TAIL[kind]
        at += 12 + fixed + each * (info & 0xFFFF)
    return None if at == len(types) else (EINVAL, "its last type is cut off")


def has_other_base(data: bytes, base: tuple[int, int]) -> bool:
    """Whether a module's sound types seem to go on from others than the kernel's: no own name is used.

    The names of a module follow those of its base, so that places in them tell how long the base's are.
    """
    parts = _split(data)
    if parts is None or len(parts[1]) < 2:
        return False
    types = parts[0]
    at = 0
    while at + 12 <= len(types):
        name_at, info, _ = _TYPE.unpack_from(types, at)
        kind, count = info >> 24 & 31, info & 0xFFFF
        if kind not in _TAIL or name_at >= base[1]:
            return False
        fixed, each = _TAIL[kind]
        at += 12 + fixed
        if kind in _NAMED_PARTS:
            places = range(at, min(at + each * count, len(types) - 3), each)
            if any(int.from_bytes(types[one : one + 4], "little") >= base[1] for one in places):
                return False
        at += each * count
    return True
