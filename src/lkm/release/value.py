# SPDX-License-Identifier: MIT
"""What is known of a signature, and what comes of looking at one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """What became of a signature; only `GOOD` is good."""

    GOOD = "good"
    TAMPERED = "tampered"  # the data is not what was signed
    SUMS_DIFFER = "sums-differ"  # the file is not the one in the list of checksums
    OTHER_RELEASE = "other-release"  # well signed, but as something else
    OF_COMPRESSED = "of-compressed"  # good, but over the compressed file
    WRONG_SIGNER = "wrong-signer"  # good, but by somebody who is not pinned
    WEAK = "weak"  # made with a hash that others can forge
    EXPIRED_KEY = "expired-key"
    REVOKED_KEY = "revoked-key"
    EXPIRED_SIGNATURE = "expired-signature"
    BAD_KEY = "bad-key"  # the key cannot be used: it does not belong to who it says
    UNKNOWN_KEY = "unknown-key"
    NO_SIGNATURE = "no-signature"  # the file or tag that should have it is not there
    NOT_A_SIGNATURE = "not-a-signature"
    TRUNCATED = "truncated"
    TRAILING = "trailing"
    CORRUPT = "corrupt"

    @property
    def is_damage(self) -> bool:
        """Whether the data itself is bad, so that not even `--unverified` unpacks it."""
        return self in _DAMAGE


_DAMAGE = (
    State.TAMPERED, State.SUMS_DIFFER, State.OTHER_RELEASE, State.TRUNCATED, State.TRAILING, State.CORRUPT,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature as gpgv saw it.

    `key`: fingerprint (or, where the key is not known, id) of the key that made it; `primary`: of the key it
    belongs to, "" where not known.  `user`: what the key says of its owner.  `made`: when, UTC.
    `hash_name`: such as `SHA256`.
    """

    state: State
    key: str = ""
    primary: str = ""
    user: str = ""
    made: datetime | None = None
    hash_name: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether something is what its developer signed.

    `what` was looked at; `message` says it in a sentence, `hint` is what to type next.  `signer` names who
    signed, as pinned.  `sha256`: of the file as it lies there, hex digits, "" where it was not read to its
    end; `size`: bytes of the signed data.
    """

    what: str
    state: State
    message: str
    hint: str = ""
    signer: str = ""
    signature: Signature | None = None
    sha256: str = ""
    size: int = 0

    @property
    def ok(self) -> bool:
        """Whether it is good."""
        return self.state is State.GOOD
