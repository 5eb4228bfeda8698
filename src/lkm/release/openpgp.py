# SPDX-License-Identifier: MIT
"""As much of OpenPGP (RFC 9580) as it takes to say which keys are in a file; nothing is verified here.

gpgv verifies; it wants keys in binary, and only those that may be believed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lkm.errors import BadInputError

# Packet types (RFC 9580, 5).
_SIGNATURE, _PUBLIC_KEY, _USER_ID, _PUBLIC_SUBKEY = 2, 6, 13, 14
_ARMOR = re.compile(
    rb"-----BEGIN PGP ([A-Z ]+)-----[ \t]*\r?\n(?:[!-~]+:[^\n]*\n)*[ \t]*\r?\n"
    rb"([A-Za-z0-9+/=\s]+?)-----END PGP \1-----"
)
# A key with its signatures; those of the most signed people come to 2 MiB.
KEYS_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key as handed over: `fingerprint` of the primary key (40 hex digits for version 4), who it says it
    is, the fingerprints of its subkeys, and its packets."""

    fingerprint: str
    users: tuple[str, ...]
    subkeys: tuple[str, ...]
    data: bytes


def remove_armor(data: bytes) -> bytes:
    """OpenPGP data in binary, whether it was armored or not; raises `BadInputError` where it is neither.

    The checksum behind the data is not looked at, as RFC 9580 (6.1) asks.
    """
    if data[:1] and data[0] & 0x80:
        return data
    found = b""
    for match in _ARMOR.finditer(data):
        body = re.split(rb"\n=[A-Za-z0-9+/]{4}\s*$", match[2].rstrip())[0]
        try:
            found += base64.b64decode(re.sub(rb"\s", b"", body), validate=True)
        except binascii.Error as error:
            raise BadInputError(f"damaged armor: {error}") from None
    if not found:
        raise BadInputError("no OpenPGP data in it")
    return found


def parse_packets(data: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Each packet's type, body, and where it begins and ends; raises `BadInputError` where one is cut off."""
    at = 0
    while at < len(data):
        start, head = at, data[at]
        if not head & 0x80:
            raise BadInputError("not OpenPGP data")
        try:
            if head & 0x40:
                kind, (length, at) = head & 0x3F, _new_length(data, at + 1)
            else:
                kind, width = (head >> 2) & 0xF, (1, 2, 4, 0)[head & 3]
                if not width:
                    raise BadInputError("a packet without a length")
                length = int.from_bytes(data[at + 1 : at + 1 + width], "big")
                at += 1 + width
        except IndexError:
            raise BadInputError("the OpenPGP data is cut off") from None
        if at + length > len(data):
            raise BadInputError("the OpenPGP data is cut off")
        yield kind, data[at : at + length], start, at + length
        at += length


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    if first < 192:
        return first, at + 1
    if first < 224:
        return ((first - 192) << 8) + data[at + 1] + 192, at + 2
    if first < 255:
        raise BadInputError("a packet in parts, which keys and signatures do not come in")
    return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5


def parse_keys(data: bytes) -> list[PublicKey]:
    """The public keys in a file, armored or not.

    Raises `BadInputError` where it is no such file, or one longer than `KEYS_LIMIT`.
    """
    if len(data) > KEYS_LIMIT:
        raise BadInputError("too long for a file of keys")
    data = remove_armor(data)
    starts: list[tuple[int, list[str], list[str], str]] = []
    for kind, body, start, _end in parse_packets(data):
        if kind == _PUBLIC_KEY:
            starts.append((start, [], [], find_fingerprint(body)))
        elif starts and kind == _USER_ID:
            starts[-1][1].append(body.decode("utf-8", "replace"))
        elif starts and kind == _PUBLIC_SUBKEY:
            starts[-1][2].append(find_fingerprint(body))
        elif not starts and kind != 12:  # 12: trust, which a keyring may hold anywhere
            raise BadInputError("no file of public keys")
    ends = [start for start, *_ in starts[1:]] + [len(data)]
    return [
        PublicKey(fingerprint, tuple(users), tuple(subkeys), data[start:end])
        for (start, users, subkeys, fingerprint), end in zip(starts, ends, strict=True)
    ]


def find_fingerprint(body: bytes) -> str:
    """The fingerprint of a key packet's body (RFC 9580, 5.5.4); "" for versions that are not in use."""
    if body[:1] == b"\x04":
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
    if body[:1] == b"\x06":
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    return ""


def is_signature(data: bytes) -> bool:
    """Whether this is a detached signature, or several, and nothing else."""
    try:
        kinds = [kind for kind, *_ in parse_packets(remove_armor(data))]
    except BadInputError:
        return False
    return bool(kinds) and set(kinds) == {_SIGNATURE}


def format_fingerprint(fingerprint: str) -> str:
    """A fingerprint in groups of four, as gpg shows it."""
    groups = [fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4)]
    half = len(groups) // 2
    return " ".join(groups[:half]) + "  " + " ".join(groups[half:])
