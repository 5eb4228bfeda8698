# SPDX-License-Identifier: MIT
"""Whether a module's signature was made with a key that is built into a kernel.

The arithmetic of `lkm.module.verify` takes 2 ms for RSA and 40 for a curve in Python.  Where OpenSSL's
libcrypto is on the machine (Python's own ssl needs it) it is asked instead: a tenth of a millisecond.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from lkm.elf import BytesSource
from lkm.module.signature import Signature, Verification
from lkm.module.verify import Certificate, verify_signature

_LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1")
_DIGESTS = {"sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512"}
_RSA, _PKCS1 = "rsa", 1  # openssl/rsa.h: RSA_PKCS1_PADDING


def verify_by_keys(
    data: bytes, signature: Signature, certificates: Sequence[Certificate], raw: Sequence[bytes]
) -> Verification:
    """What `signature`, of the module in `data`, is to these certificates; `raw` are the same in DER."""
    found = Verification.OTHER_KEY
    for certificate, der in zip(certificates, raw, strict=True):
        if not _is_signer(signature, certificate):
            continue
        quick = _verify_quick(data, signature, certificate, der)
        if quick is not None:
            return Verification.GOOD if quick else Verification.BAD
        found = verify_signature(BytesSource(data), signature, certificate)
    return found


def _is_signer(signature: Signature, certificate: Certificate) -> bool:
    if signature.by_serial:
        number = int.from_bytes(signature.key_id, "big")
        return signature.issuer == certificate.issuer and number == abs(certificate.serial)
    return signature.key_id == certificate.subject_key_id


def _verify_quick(data: bytes, signature: Signature, certificate: Certificate, der: bytes) -> bool | None:
    """The same by libcrypto; None where it is not there or this is not for it."""
    if signature.hash not in _DIGESTS or signature.signed_attributes is not None:
        return None
    if signature.algorithm != certificate.algorithm:
        return None
    key = _key(der)
    if key is None:
        return None
    library, pointer = key
    name = signature.hash.replace("sha3-", "sha3_")
    digest = hashlib.new(name, memoryview(data)[: signature.signed_size]).digest()
    context = library.EVP_PKEY_CTX_new(pointer, None)
    try:
        if library.EVP_PKEY_verify_init(context) != 1:
            return None
        if certificate.algorithm == _RSA and library.EVP_PKEY_CTX_set_rsa_padding(context, _PKCS1) != 1:
            return None
        method = library.EVP_get_digestbyname(signature.hash.encode())
        if not method or library.EVP_PKEY_CTX_set_signature_md(context, method) != 1:
            return None
        body = signature.signature
        answer = library.EVP_PKEY_verify(context, body, len(body), digest, len(digest))
        return bool(answer == 1)
    finally:
        library.EVP_PKEY_CTX_free(context)


@cache
def _library() -> Any:
    """libcrypto with its functions declared, None where there is none with all of them."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
            library.d2i_X509.restype = library.X509_get_pubkey.restype = pointer
            library.d2i_X509.argtypes = [pointer, pointer, ctypes.c_long]
            library.X509_get_pubkey.argtypes = [pointer]
            library.EVP_PKEY_CTX_new.restype = library.EVP_get_digestbyname.restype = pointer
            library.EVP_PKEY_CTX_new.argtypes = [pointer, pointer]
            library.EVP_get_digestbyname.argtypes = [text]
            library.EVP_PKEY_verify_init.argtypes = library.EVP_PKEY_CTX_free.argtypes = [pointer]
            library.EVP_PKEY_CTX_set_rsa_padding.argtypes = [pointer, ctypes.c_int]
            library.EVP_PKEY_CTX_set_signature_md.argtypes = [pointer, pointer]
            library.EVP_PKEY_verify.argtypes = [pointer, text, size, text, size]
        except (OSError, AttributeError):
            continue
        return library
    return None


@lru_cache(maxsize=64)
def _key(der: bytes) -> tuple[Any, int] | None:
    """The public key of a certificate, kept for as long as the program runs."""
    library = _library()
    if library is None:
        return None
    buffer = ctypes.create_string_buffer(der, len(der))
    place = ctypes.c_void_p(ctypes.addressof(buffer))
    certificate = library.d2i_X509(None, ctypes.byref(place), len(der))
    pointer = library.X509_get_pubkey(certificate) if certificate else None
    return (library, pointer) if pointer else None
