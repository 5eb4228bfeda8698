# SPDX-License-Identifier: MIT
"""The symbol map that a kernel carries in itself (CONFIG_KALLSYMS), read out of its image without booting it.

The tables have no names in a stripped image; they are found by what they must hold and each is checked
against the others.  Layout: scripts/kallsyms.c `write_src`; up to 6.3 the addresses come first, then last.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from lkm.elf import Elf, parse_elf

# 256 strings, each standing for a byte: digits are used in names, so each digit stands for itself.
_DIGITS = b"\0".join(b"%d" % digit for digit in range(10)) + b"\0"
_FEWEST = 1000  # symbols of the smallest kernel worth the name
_MOST = 1 << 22
_LONGEST_NAME = 1024
_BLOCK = 256  # symbols to a marker
_NAME = re.compile(rb"[A-Za-z?][A-Za-z0-9_.$@]+")


class MapSymbol(NamedTuple):
    """A row of a symbol map: `address` as linked (without KASLR), `type` a letter as nm(1) has it."""

    address: int
    type: str
    name: str


def read_kallsyms(vmlinux: bytes) -> list[MapSymbol] | None:
    """The symbols in a vmlinux by address, None where it carries none or in an unknown layout.

    `vmlinux` is the unpacked image (`kernel.unpack_image`).  Raises `BadInputError` where it is cut off.
    """
    elf = parse_elf(vmlinux, name="vmlinux")
    section = elf.find_section(".rodata")
    data = elf.read_section(section) if section else vmlinux
    at = data.find(_DIGITS)
    while at >= 0:
        tokens = _read_tokens(data, at, elf.order)
        if tokens is not None:
            found = _read_from(data, elf, *tokens)
            if found is not None:
                return found
        at = data.find(_DIGITS, at + 1)
    return None


def _read_tokens(data: bytes, digits: int, order: str) -> tuple[int, int, list[bytes]] | None:
    """(start of the token table, end of the index behind it, the tokens), by where its digits are."""
    start = digits
    for _ in range(ord("0") + 1):
        start = data.rfind(b"\0", 0, start - 1) + 1 if start > 1 else 0
    # The table begins behind padding, which cannot be told from empty tokens: try the aligned places.
    for first in range(start & ~7, digits, 8):
        tokens = data[first : first + 65536].split(b"\0", 256)
        if len(tokens) < 257 or tokens[ord("0") : ord("9") + 1] != [b"%d" % digit for digit in range(10)]:
            continue
        tokens.pop()
        size = sum(len(token) + 1 for token in tokens)
        offsets, total = [], 0
        for token in tokens:
            offsets.append(total)
            total += len(token) + 1
        index = first + (size + 7 & ~7)
        if total < 65536 and data[index : index + 512] == struct.pack(f"{order}256H", *offsets):
            return first, index + 512, tokens
    return None


def _read_from(data: bytes, elf: Elf, table: int, end: int, tokens: list[bytes]) -> list[MapSymbol] | None:
    for names_at, count in _find_names(data, elf.order, table, tokens):
        addresses = _find_addresses(data, elf, names_at, end, count)
        if addresses is not None:
            letters = [token.decode("latin-1") for token in tokens]
            return _expand(data, names_at, count, letters, addresses)
    return None


def _find_names(data: bytes, order: str, table: int, tokens: list[bytes]) -> Iterator[tuple[int, int]]:
    """(start of the names, how many), the latest before the token table first.

    Before the names lies their number, behind them the markers: where every 256th begins.  Every
    possible number is tried, and given up at the first of its names that is none.
    """
    words = array("I", data[: table & ~7])
    if (order == "<") != (sys.byteorder == "little"):
        words.byteswap()
    # Padded to 8 bytes in most kernels, in the newest ones the names follow at once.
    for place in range(len(words) - 1, 0, -1):
        count = words[place]
        if _FEWEST <= count <= _MOST:
            for start in (4 * place + 8, 4 * place + 4):
                if _looks_like_names(data, start, tokens) and _names_fit(data, order, table, start, count):
                    yield start, count


def _looks_like_names(data: bytes, start: int, tokens: list[bytes]) -> bool:
    """Whether a few names from `start` have a type's letter first and then letters that names have."""
    at = start
    for _ in range(200):
        if at >= len(data) or not data[at]:
            return False
        end = _skip(data, at)
        first = at + 2 if data[at] & 0x80 else at + 1
        if end - first > _LONGEST_NAME // 2:
            return False
        text = b"".join([tokens[byte] for byte in data[first:end]])
        if not _NAME.fullmatch(text):
            return False
        at = end
    return True


def _names_fit(data: bytes, order: str, table: int, start: int, count: int) -> bool:
    """Whether somewhere before the token table is said where every 256th of `count` names begins.

    In 6.2 and 6.3, and 6.1 of distributions, 3 bytes for each symbol lie between the two.
    """
    blocks = -(-count // _BLOCK)
    first = _places(data, start, min(blocks, 4), table)
    markers_at = data.find(struct.pack(f"{order}{len(first)}I", *first), start, table)
    if len(first) < min(blocks, 4) or markers_at < 0 or markers_at + 4 * blocks > table:
        return False
    places = _places(data, start, blocks, markers_at)
    return list(struct.unpack_from(f"{order}{blocks}I", data, markers_at)) == places


def _places(data: bytes, start: int, blocks: int, end: int) -> list[int]:
    """Where, from `start`, each of so many blocks of names begins; fewer where they go beyond `end`."""
    found = [0]
    at = start
    while len(found) < blocks:
        for _ in range(_BLOCK):
            length = data[at]
            at += 2 + (length & 0x7F | data[at + 1] << 7) if length & 0x80 else 1 + length
            if at >= end:
                return found
        found.append(at - start)
    return found


def _skip(data: bytes, at: int) -> int:
    length = data[at]
    if length & 0x80:  # since 6.1 names of more than 127 tokens have a second byte
        return at + 2 + (length & 0x7F | data[at + 1] << 7)
    return at + 1 + length


def _find_addresses(data: bytes, elf: Elf, names_at: int, end: int, count: int) -> list[int] | None:
    """The addresses: before the number of names, or behind the token index (`end`).

    Up to 6.15 u32 offsets and a base, in the newest kernels the distance of each entry to its symbol;
    or plain addresses, without CONFIG_KALLSYMS_BASE_RELATIVE.
    """
    order = elf.order
    padded = count * 4 + 7 & ~7
    before = names_at - 8  # the number of names, padded
    for offsets_at, base_at in ((before - 8 - padded, before - 8), (end, end + padded)):
        if offsets_at < 0 or base_at + 8 > len(data):
            continue
        (base,) = struct.unpack_from(order + "Q", data, base_at)
        offsets = struct.unpack_from(f"{order}{count}i", data, offsets_at)
        if _is_kernel_address(base):
            if sum(offset < 0 for offset in offsets) > count // 2:
                # CONFIG_KALLSYMS_ABSOLUTE_PERCPU (to 6.14): what is negative counts down from the base.
                addresses = [base - 1 - offset if offset < 0 else offset for offset in offsets]
            else:
                addresses = [base + (offset & 0xFFFFFFFF) for offset in offsets]
            if _mostly_rising(addresses):
                return addresses
        section = elf.find_section(".rodata")
        own = section.address + offsets_at if section else 0
        addresses = [own + 4 * number + offset for number, offset in enumerate(offsets)]
        if _is_kernel_address(addresses[0]) and _mostly_rising(addresses):
            return addresses
    at = before - 8 * count
    if at >= 0:
        plain = list(struct.unpack_from(f"{order}{count}Q", data, at))
        if _mostly_rising(plain) and _is_kernel_address(plain[-1]):
            return plain
    return None


def _is_kernel_address(value: int) -> bool:
    return value >> 47 == (1 << 17) - 1 or value >> 52 == (1 << 12) - 1


def _mostly_rising(values: list[int]) -> bool:
    return sum(two < one for one, two in pairwise(values)) <= len(values) // 1000 + 4


def _expand(data: bytes, at: int, count: int, tokens: list[str], addresses: list[int]) -> list[MapSymbol]:
    symbols = []
    for number in range(count):
        length = data[at]
        at += 1
        if length & 0x80:
            length = length & 0x7F | data[at] << 7
            at += 1
        text = "".join([tokens[byte] for byte in data[at : at + length]])
        at += length
        symbols.append(MapSymbol(addresses[number], text[:1], text[1 : 1 + _LONGEST_NAME]))
    return symbols
