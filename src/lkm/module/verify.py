# SPDX-License-Identifier: MIT
"""Whether a module's signature was made with the key of a certificate: RSA (PKCS#1 v1.5) and ECDSA.

Public keys and public data only, so time that depends on them gives nothing away.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path

from lkm.elf import Source
from lkm.errors import BadInputError
from lkm.module.der import (
    OBJECT_NAMES,
    OCTET_STRING,
    SEQUENCE,
    SUBJECT_KEY_ID,
    DerError,
    Item,
    children,
    expect,
    read_item,
    read_name,
)
from lkm.module.signature import Signature, Verification

_CHUNK = 1 << 20
# DigestInfo before the digest (RFC 8017, 9.2, note 1).
_DIGEST_INFO = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
    "sha3-256": "3031300d060960864801650304020805000420",
    "sha3-384": "3041300d060960864801650304020905000430",
    "sha3-512": "3051300d060960864801650304020a05000440",
}


@dataclass(frozen=True, slots=True)
class _Curve:
    """y² = x³ - 3x + b over the prime `p`, the point `x`, `y` of order `n` (FIPS 186-4, D.1.2)."""

    p: int
    n: int
    b: int
    x: int
    y: int


_CURVES = {
    "p256": _Curve(
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
    "p384": _Curve(
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
    ),
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """An X.509 certificate: who it is, and its public key.

    `key`: (modulus, exponent) of RSA, (x, y) of a point.  `algorithm`: `rsa`, or `ecdsa` with `curve`.
    `subject_key_id`: empty where the extension is missing.
    """

    issuer: bytes
    issuer_name: str
    subject_name: str
    serial: int
    subject_key_id: bytes
    algorithm: str
    curve: str
    key: tuple[int, int]


def read_certificate(path: Path) -> Certificate:
    """The certificate in a file, PEM or DER; raises `BadInputError` naming the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    start = data.find(b"-----BEGIN CERTIFICATE-----")
    if start >= 0:
        body = data[start:].partition(b"-----BEGIN CERTIFICATE-----")[2].partition(b"-----END")[0]
        try:
            data = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error as error:
            raise BadInputError(f"{path}: damaged PEM: {error}") from error
    try:
        return parse_certificate(data)
    except (DerError, IndexError) as error:
        raise BadInputError(
            f"{path} is not an X.509 certificate: {error}", hint="give the signer's certificate, PEM or DER"
        ) from error


def parse_certificate(data: bytes) -> Certificate:
    """A certificate from its DER bytes (RFC 5280, 4.1); raises `DerError`."""
    body = children(expect(read_item(data), SEQUENCE, "the certificate"), 3, "the certificate")[0]
    fields = children(body, 6, "the certificate's body")
    if fields[0].tag == 0xA0:
        fields = fields[1:]
    if len(fields) < 6:
        raise DerError(f"the certificate's body has {len(fields)} parts, not 6")
    serial, _, issuer, _, subject, key = fields[:6]
    algorithm, curve, numbers = _parse_key(key)
    return Certificate(
        issuer.whole,
        read_name(issuer),
        read_name(subject),
        serial.number,
        _subject_key_id(fields[6:]),
        algorithm,
        curve,
        numbers,
    )


def verify_signature(source: Source, signature: Signature | None, certificate: Certificate) -> Verification:
    """Whether `signature`, of the module that `source` has the bytes of, was made with that key."""
    if signature is None:
        return Verification.UNSIGNED
    if signature.by_serial:
        number = int.from_bytes(signature.key_id, "big")
        if signature.issuer != certificate.issuer or number != abs(certificate.serial):
            return Verification.OTHER_KEY
    elif signature.key_id != certificate.subject_key_id:
        return Verification.OTHER_KEY
    if signature.algorithm != certificate.algorithm or signature.hash not in _DIGEST_INFO:
        return Verification.UNSUPPORTED
    digest = _digest(source, signature.signed_size, signature.hash)
    if signature.signed_attributes is not None:
        if not _names_digest(signature.signed_attributes, digest):
            return Verification.BAD
        digest = hashlib.new(_hash_name(signature.hash), signature.signed_attributes).digest()
    if certificate.algorithm == "rsa":
        good = _verify_rsa(certificate.key, signature.signature, digest, signature.hash)
    elif certificate.curve in _CURVES:
        good = _verify_ecdsa(_CURVES[certificate.curve], certificate.key, signature.signature, digest)
    else:
        return Verification.UNSUPPORTED
    return Verification.GOOD if good else Verification.BAD


def _parse_key(key: Item) -> tuple[str, str, tuple[int, int]]:
    kind, bits, *_ = children(key, 2, "the public key")
    parts = children(kind, 1, "the key's algorithm")
    algorithm = OBJECT_NAMES.get(parts[0].oid, parts[0].oid)
    raw = bits.body[1:]
    if algorithm == "rsa":
        modulus, exponent, *_ = children(read_item(raw), 2, "the RSA key")
        return algorithm, "", (modulus.number, exponent.number)
    if algorithm == "ecdsa" and len(parts) > 1:
        half = (len(raw) - 1) // 2
        point = (int.from_bytes(raw[1 : 1 + half], "big"), int.from_bytes(raw[1 + half :], "big"))
        return algorithm, OBJECT_NAMES.get(parts[1].oid, parts[1].oid), point
    return algorithm, "", (0, 0)


def _subject_key_id(fields: list[Item]) -> bytes:
    for field in fields:
        if field.tag != 0xA3:
            continue
        for extension in read_item(field.body).items():
            parts = children(extension, 2, "an extension")
            if parts[0].oid == SUBJECT_KEY_ID:
                return expect(read_item(parts[-1].body), OCTET_STRING, "the subject key identifier").body
    return b""


def _hash_name(name: str) -> str:
    return name.replace("sha3-", "sha3_")


def _digest(source: Source, size: int, name: str) -> bytes:
    state = hashlib.new(_hash_name(name))
    for at in range(0, size, _CHUNK):
        state.update(source.read(at, min(_CHUNK, size - at)))
    return state.digest()


def _names_digest(attributes: bytes, digest: bytes) -> bool:
    """Whether the signed attributes hold a messageDigest (1.2.840.113549.1.9.4) that is `digest`."""
    try:
        for attribute in read_item(attributes).items():
            kind, values, *_ = children(attribute, 2, "an attribute")
            if kind.oid == "1.2.840.113549.1.9.4":
                return read_item(values.body).body == digest
    except DerError:
        return False
    return False


def _verify_rsa(key: tuple[int, int], signature: bytes, digest: bytes, name: str) -> bool:
    modulus, exponent = key
    size = (modulus.bit_length() + 7) // 8
    number = int.from_bytes(signature, "big")
    if modulus <= 0 or exponent <= 0 or number >= modulus or not 64 <= size <= 2048 or len(signature) != size:
        return False
    found = pow(number, exponent, modulus).to_bytes(size, "big")
    tail = b"\0" + bytes.fromhex(_DIGEST_INFO[name]) + digest
    return found == b"\0\1" + b"\xff" * (size - 2 - len(tail)) + tail


def _verify_ecdsa(curve: _Curve, key: tuple[int, int], signature: bytes, digest: bytes) -> bool:
    try:
        first, second, *_ = children(read_item(signature), 2, "the signature")
    except DerError:
        return False
    r, s = first.number, second.number
    p, n = curve.p, curve.n
    x, y = key
    on_curve = x < p and y < p and (y * y - (x * x * x - 3 * x + curve.b)) % p == 0
    if not (on_curve and 0 < r < n and 0 < s < n):
        return False
    extra = max(0, 8 * len(digest) - n.bit_length())
    number = int.from_bytes(digest, "big") >> extra
    inverse = pow(s, -1, n)
    point = _add(curve, _multiply(curve, number * inverse % n, (curve.x, curve.y)),
                 _multiply(curve, r * inverse % n, key))  # fmt: skip
    return point is not None and point[0] % n == r


_Point = tuple[int, int] | None  # None is the point at infinity


def _add(curve: _Curve, one: _Point, two: _Point) -> _Point:
    if one is None or two is None:
        return two if one is None else one
    p = curve.p
    if one[0] == two[0]:
        if (one[1] + two[1]) % p == 0:
            return None
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, p) % p
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, p) % p
    x = (slope * slope - one[0] - two[0]) % p
    return x, (slope * (one[0] - x) - one[1]) % p


def _multiply(curve: _Curve, number: int, point: _Point) -> _Point:
    found: _Point = None
    while number:
        if number & 1:
            found = _add(curve, found, point)
        point = _add(curve, point, point)
        number >>= 1
    return found
