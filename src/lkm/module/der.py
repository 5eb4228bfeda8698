# SPDX-License-Identifier: MIT
"""As much of ASN.1's distinguished encoding as a module's signature and a certificate use (X.690)."""

from __future__ import annotations

from dataclasses import dataclass

INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT_ID = 0x02, 0x03, 0x04, 0x05, 0x06
SEQUENCE, SET = 0x30, 0x31
_DEEPEST = 32

COMMON_NAME = "2.5.4.3"
SUBJECT_KEY_ID = "2.5.29.14"
# Names as OpenSSL's long names are, which modinfo shows.
OBJECT_NAMES = {
    "1.2.840.113549.2.4": "md4",
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "1.3.36.3.2.1": "ripemd160",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
    "1.2.156.10197.1.401": "sm3",
    "1.2.840.113549.1.1.1": "rsa",
    "1.2.840.113549.1.1.5": "rsa",
    "1.2.840.113549.1.1.11": "rsa",
    "1.2.840.113549.1.1.12": "rsa",
    "1.2.840.113549.1.1.13": "rsa",
    "1.2.840.10045.2.1": "ecdsa",
    "1.2.840.10045.4.1": "ecdsa",
    "1.2.840.10045.4.3.2": "ecdsa",
    "1.2.840.10045.4.3.3": "ecdsa",
    "1.2.840.10045.4.3.4": "ecdsa",
    "1.2.840.10045.3.1.7": "p256",
    "1.3.132.0.34": "p384",
    "1.3.132.0.35": "p521",
    "2.16.840.1.101.3.4.3.17": "ml-dsa-44",
    "2.16.840.1.101.3.4.3.18": "ml-dsa-65",
    "2.16.840.1.101.3.4.3.19": "ml-dsa-87",
}


class DerError(ValueError):
    """The bytes are no such encoding; the text says where."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value: its tag, its contents, and all of its bytes with the header."""

    tag: int
    body: bytes
    whole: bytes

    def items(self) -> list[Item]:
        """The values a constructed one holds."""
        found = []
        at = 0
        while at < len(self.body):
            item = read_item(self.body, at)
            found.append(item)
            at += len(item.whole)
        return found

    @property
    def number(self) -> int:
        """The value of an INTEGER."""
        return int.from_bytes(self.body, "big", signed=True)

    @property
    def oid(self) -> str:
        """The value of an OBJECT IDENTIFIER, dotted."""
        if self.tag != OBJECT_ID or not self.body:
            raise DerError("an object identifier was expected")
        numbers: list[int] = []
        value = 0
        for byte in self.body:
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(value)
                value = 0
        first = min(numbers[0] // 40, 2) if numbers else 0
        return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]])) if numbers else ""


def read_item(data: bytes, at: int = 0) -> Item:
    """The value at offset `at`; raises `DerError` where it is cut off or of an unknown form."""
    if at + 2 > len(data):
        raise DerError(f"cut off at {at:#x}")
    tag, length, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise DerError(f"a long tag at {at:#x}")
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or start + count > len(data):
            raise DerError(f"a bad length at {at:#x}")
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise DerError(f"cut off: {length} bytes at {start:#x}, there are {len(data) - start}")
    return Item(tag, data[start : start + length], data[at : start + length])


def expect(item: Item, tag: int, what: str) -> Item:
    """The item itself where it has that tag; else raises `DerError` naming `what`."""
    if item.tag != tag:
        raise DerError(f"{what}: tag {item.tag:#04x}, not {tag:#04x}")
    return item


def children(item: Item, least: int, what: str) -> list[Item]:
    """The values in a constructed item; raises `DerError` where there are fewer than `least`."""
    found = item.items()
    if len(found) < least:
        raise DerError(f"{what} has {len(found)} parts, not {least}")
    return found


def read_name(name: Item) -> str:
    """The common name in an X.501 name, else its last part (as modinfo takes it), "" for none."""
    last = ""
    for relative in name.items():
        for pair in relative.items():
            kind, value, *_ = children(pair, 2, "a part of a name")
            last = value.body.decode("utf-8", "surrogateescape")
            if kind.oid == COMMON_NAME:
                return last
    return last
