# SPDX-License-Identifier: MIT
"""Web Key Directory: where the key of a mail address is (draft-koch-openpgp-webkey-service, 3.1)."""

from __future__ import annotations

import hashlib
import os
from urllib.parse import quote

from lkm.errors import UsageError

_Z_BASE_32 = "ybndrfg8ejkmcpqxot1uwisza345h769"


def encode_zbase32(data: bytes) -> str:
    """z-base-32 (RFC 6189, 5.1.6) of a whole number of five-bit groups, such as a SHA-1 sum."""
    bits = int.from_bytes(data, "big")
    return "".join(_Z_BASE_32[bits >> shift & 31] for shift in range(len(data) * 8 - 5, -1, -5))


def build_urls(address: str) -> list[str]:
    """Where to ask for the key of a mail address: the advanced method first, then the direct one.

    `LKM_WKD` is asked instead where it is set: the base address of a directory that serves any domain.
    """
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or "/" in domain:
        raise UsageError(f"'{address}' is no mail address")
    domain = domain.lower()
    lower = "".join(one.lower() if one.isascii() else one for one in local)
    name = f"hu/{encode_zbase32(hashlib.sha1(lower.encode()).digest())}?l={quote(local)}"
    well_known = ".well-known/openpgpkey"
    if base := os.environ.get("LKM_WKD"):
        return [f"{base.rstrip('/')}/{well_known}/{domain}/{name}"]
    return [
        f"https://openpgpkey.{domain}/{well_known}/{domain}/{name}",
        f"https://{domain}/{well_known}/{name}",
    ]
