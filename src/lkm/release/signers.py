# SPDX-License-Identifier: MIT
"""Whose signature makes kernel sources good: fingerprints, pinned, so that it does not matter who handed
over the key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lkm.errors import UsageError


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: `fingerprint` of the primary key (hex digits, upper case), name, address for WKD or ""."""

    fingerprint: str
    name: str = ""
    address: str = ""

    @property
    def shown(self) -> str:
        """As a person is told of them."""
        words = [self.name, f"<{self.address}>" if self.address else ""]
        return " ".join(word for word in words if word) or self.fingerprint


# Who signs releases, as https://www.kernel.org/signature.html has them and as distributions pin them.
RELEASE_SIGNERS = (
    Signer("ABAF11C65A2970B130ABE3C479BE3E4300411886", "Linus Torvalds", "torvalds@kernel.org"),
    Signer("647F28654894E3BD457199BE38DBBDC86092693E", "Greg Kroah-Hartman", "gregkh@kernel.org"),
    Signer("E27E5D8A3403A2EF66873BBCDEA66FF797772CDC", "Sasha Levin", "sashal@kernel.org"),
    Signer("AC2B29BD34A6AFDDB3F68F35E7BFC8EC95861109", "Ben Hutchings", "bwh@kernel.org"),
)
# A machine of kernel.org's signs the list of checksums; that a file is as it was put there, and no more.
SUMS_SIGNERS = (
    Signer(
        "B8868C80BA62A1FFFAF5FDA9632D3A06589DA6B1", "Kernel.org checksum autosigner", "autosigner@kernel.org"
    ),
)
_FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})")


def parse_fingerprint(text: str) -> str:
    """A fingerprint as a person types it: spaces and case do not matter; an id is not enough.

    Raises `UsageError`: of 8 or 16 digits others can make keys with the same.
    """
    plain = re.sub(r"\s", "", text).upper().removeprefix("0X")
    if not _FINGERPRINT.fullmatch(plain):
        raise UsageError(
            f"'{text}' is no fingerprint of a key: 40 hexadecimal digits",
            hint="gpg --show-keys --with-fingerprint KEY.asc",
        )
    return plain


def find_signer(fingerprint: str, signers: Iterable[Signer]) -> Signer | None:
    """The signer with this primary key among `signers`."""
    return next((signer for signer in signers if signer.fingerprint == fingerprint), None)
