# SPDX-License-Identifier: MIT
"""The signature at the end of a module: who signed it and how, and whether it holds.

Layout (include/linux/module_signature.h; scripts/sign-file.c): the module; signer's name and key
identifier (empty with PKCS#7); the signature; u8 algo, hash, id_type, signer_len, key_id_len, pad[3],
big-endian u32 sig_len; then the 28 bytes of the marker.  PKCS#7: RFC 2315 and RFC 5652.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import StrEnum

from lkm.elf import Source
from lkm.module.der import (
    OBJECT_NAMES,
    OCTET_STRING,
    SEQUENCE,
    SET,
    DerError,
    Item,
    children,
    expect,
    read_item,
    read_name,
)

MARKER = b"~Module signature appended~\n"
_INFO = struct.Struct(">5B3xI")
_ALGORITHMS = ("DSA", "RSA")
_HASHES = ("md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3")
_ID_TYPES = ("PGP", "X509", "PKCS#7")
_PKCS7 = 2


class Verification(StrEnum):
    """Whether a signature holds."""

    GOOD = "good"
    BAD = "bad"  # made with the certificate's key, for other bytes
    OTHER_KEY = "other key"  # the certificate is not the signer's
    UNSIGNED = "unsigned"
    UNSUPPORTED = "unsupported"  # an algorithm that is not known here


@dataclass(frozen=True, slots=True)
class Signature:
    """A module's signature.

    `id_type`: `PKCS#7` (all since Linux 4.4), `PGP` or `X509`.  `signer`: the common name of the issuer of
    the signing certificate.  `key_id`: that certificate's serial number, big-endian, or its subject key
    identifier.  `hash` and `algorithm`: `sha512`, `rsa` and so on.  `signature`: the bare bytes.
    `signed_size`: bytes of the file that it is for.  `signed_attributes`: what is signed instead, DER
    (None, as kernels sign: the module itself).  `by_serial`: how the signer is named.
    """

    id_type: str
    signer: str
    key_id: bytes
    hash: str
    algorithm: str
    signature: bytes
    signed_size: int
    issuer: bytes = b""
    signed_attributes: bytes | None = None
    by_serial: bool = True

    @property
    def sizes(self) -> int:
        """Bytes of the bare signature."""
        return len(self.signature)


def read_signature(source: Source) -> Signature | None:
    """The signature appended to a module; None where there is none, or it cannot be read as one.

    `lkm info` and modinfo show nothing for a malformed one; the kernel refuses to load such a module.
    """
    end = source.size - len(MARKER)
    if end < _INFO.size or source.read(end, len(MARKER)) != MARKER:
        return None
    algorithm, hash_number, id_type, signer_size, key_size, size = _INFO.unpack(
        source.read(end - _INFO.size, _INFO.size)
    )
    end -= _INFO.size
    start = end - size - key_size - signer_size
    known = algorithm < len(_ALGORITHMS) and hash_number < len(_HASHES) and id_type < len(_ID_TYPES)
    if not known or size == 0 or start < 0:
        return None
    raw = source.read(end - size, size)
    if id_type == _PKCS7:
        try:
            return _parse_pkcs7(raw, end - size)
        except (DerError, IndexError):
            return None
    return Signature(
        _ID_TYPES[id_type],
        source.read(start, signer_size).decode("utf-8", "surrogateescape"),
        source.read(start + signer_size, key_size),
        _HASHES[hash_number],
        _ALGORITHMS[algorithm].lower(),
        raw,
        start,
    )


def _parse_pkcs7(raw: bytes, signed_size: int) -> Signature:
    """The first signer of a SignedData.

    What one key signs differs in the signature's own bytes only, at the end: the rest is taken apart once.
    """
    for size, before in _known.items():
        if raw.startswith(before) and len(before) + size == len(raw):
            return replace(_parsed[before], signature=raw[-size:], signed_size=signed_size)
    found = _take_apart(raw, signed_size)
    size = len(found.signature)
    if raw.endswith(found.signature) and size and len(_known) < _MOST_KNOWN:
        _known[size] = raw[:-size]
        _parsed[raw[:-size]] = found
    return found


# By the size of the signature what comes before it, and by that what it says.
_known: dict[int, bytes] = {}
_parsed: dict[bytes, Signature] = {}
_MOST_KNOWN = 8


def _take_apart(raw: bytes, signed_size: int) -> Signature:
    outer = children(expect(read_item(raw), SEQUENCE, "the message"), 2, "the message")
    content = read_item(outer[1].body)
    signers = expect(content.items()[-1], SET, "the signers").items()
    fields = children(signers[0], 5, "the signer")
    who = fields[1]
    rest = fields[3:]
    attributes = None
    if rest[0].tag == 0xA0:
        # What is signed is the SET itself, not the implicit tag it has here (RFC 5652, 5.4).
        attributes = b"\x31" + rest[0].whole[1:]
        rest = rest[1:]
    hash_name = _algorithm(fields[2])
    by_serial = who.tag == SEQUENCE
    signer, issuer, key_id = "", b"", who.body
    if by_serial:
        name, serial, *_ = children(who, 2, "issuer and serial number")
        signer, issuer = read_name(name), name.whole
        number = abs(serial.number)
        key_id = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return Signature(
        "PKCS#7",
        signer,
        key_id,
        hash_name,
        _algorithm(rest[0]),
        expect(rest[1], OCTET_STRING, "the signature").body,
        signed_size,
        issuer,
        attributes,
        by_serial,
    )


def _algorithm(item: Item) -> str:
    oid = children(item, 1, "an algorithm")[0].oid
    return OBJECT_NAMES.get(oid, oid)
