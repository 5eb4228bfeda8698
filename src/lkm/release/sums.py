# SPDX-License-Identifier: MIT
"""A directory's checksums (`sha256sums.asc`): read only where kernel.org's autosigner signed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.progress import Progress
from lkm.release.explain import tell
from lkm.release.gpgv import read_clearsigned
from lkm.release.keys import find_keys
from lkm.release.listing import parse_sums
from lkm.release.signers import Signer
from lkm.release.value import Signature, State


@dataclass(frozen=True, slots=True)
class Sums:
    """File name to SHA-256 in hex digits; empty where the signature is not good, and `why` says so."""

    sums: dict[str, str]
    signature: Signature
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether the list is signed well."""
        return self.signature.state is State.GOOD


def read_sums(
    text: bytes,
    *,
    signers: Sequence[Signer],
    keyring: Path | None,
    fetch_keys: bool,
    progress: Progress,
) -> Sums:
    """The checksums in a clearsigned list; of the text only what was signed."""
    for refresh in (False, True):
        keys = find_keys(signers, keyring=keyring, fetch=fetch_keys, refresh=refresh, progress=progress)
        signature, signed = read_clearsigned(text, keys.keys, signers)
        if signature.state is not State.EXPIRED_KEY or keyring is not None or not fetch_keys:
            break
    if signature.state is State.GOOD:
        return Sums(parse_sums(signed), signature)
    why, _ = tell("sha256sums.asc", signature, signers=signers, keys=keys)
    return Sums({}, signature, why)
