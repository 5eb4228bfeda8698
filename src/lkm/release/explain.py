# SPDX-License-Identifier: MIT
"""What came of looking at a signature, in a sentence, with the next thing to type."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lkm.errors import LkmError
from lkm.release.keys import Keys
from lkm.release.names import is_release
from lkm.release.openpgp import format_fingerprint
from lkm.release.signers import Signer, find_signer
from lkm.release.value import Signature, State, Verification

_AGAIN = "it is not what was signed; fetch it again, from another place: lkm kernel get --mirror URL"


def explain(
    path: Path,
    state: State,
    signature: Signature | None = None,
    *,
    signers: Sequence[Signer] = (),
    keys: Keys | None = None,
    error: LkmError | None = None,
    place: Path | None = None,
    sha256: str = "",
    size: int = 0,
) -> Verification:
    """The answer for a file; `place` is its signature's, `error` what was wrong with the data itself."""
    what = path.name
    if error is not None:
        return Verification(what, state, error.message, error.hint)
    if signature is None:
        return Verification(what, state, *_without(path), sha256=sha256, size=size)
    message, hint = tell(what, signature, state, signers=signers, keys=keys)
    if place is not None:
        message = f"{what}: {place.name} is no signature, or a part of one"
    signer = find_signer(signature.primary, signers)
    shown = signer.shown if signer and signer.name else signature.user
    return Verification(what, state, message, hint, shown, signature, sha256, size)


def _without(path: Path) -> tuple[str, str]:
    name = path.name.rpartition(".")[0] if not path.name.endswith(".tar") else path.name
    version = path.name.removeprefix("linux-").partition(".tar")[0]
    if "-rc" in version:
        return (
            f"{path.name} is not signed: release candidates have signed tags, and files that a machine makes",
            f"lkm kernel get git:v{version}",
        )
    hint = "--signature FILE"
    if is_release(version):
        # The first of a series has a name that means the newest here (`parse_wanted`).
        exact = f"{version}.0" if version.count(".") == 1 else version
        hint = f"lkm kernel get {exact} fetches both; or --signature FILE"
    return f"there is no signature beside {path.name} ({name}.sign)", hint


def tell(
    what: str,
    signature: Signature,
    state: State | None = None,
    *,
    signers: Sequence[Signer] = (),
    keys: Keys | None = None,
) -> tuple[str, str]:
    """A sentence on a signature of `what`, and a hint."""
    state = state or signature.state
    who = _who(signature, signers)
    when = f" on {format_time(signature.made)}" if signature.made else ""
    key = format_fingerprint(signature.key) if len(signature.key) >= 40 else signature.key
    match state:
        case State.GOOD:
            return f"{what} was signed by {who}{when}", ""
        case State.TAMPERED:
            return (
                f"{what} is not what {who} signed: it was changed, or the signature is another file's",
                _AGAIN,
            )
        case State.OF_COMPRESSED:
            return (
                f"the signature is good, but over the compressed {what}; "
                "kernel.org's are over the tar in it, this one is not from there",
                "gpgv --keyring KEYS SIGNATURE FILE, if that is how it is meant",
            )
        case State.WRONG_SIGNER:
            return (
                f"{what} was signed by {who}{when}, who is not one of those whose kernels are taken "
                f"(key {signature.primary})",
                f"if you trust that key: --signer {signature.primary}",
            )
        case State.WEAK:
            return (
                f"{who} signed {what} by {signature.hash_name}, which others can make a forgery for",
                "compare it with a signed tag: lkm kernel get git:TAG",
            )
        case State.EXPIRED_KEY:
            return (
                f"the key of {who} has expired, so that nothing tells who uses it now",
                "ask for a newer copy of the key: --keyring KEY.asc",
            )
        case State.REVOKED_KEY:
            return (
                f"the key of {who} was revoked by its owner: {what} may be signed{when} by somebody else",
                "take a release that is signed with another key",
            )
        case State.EXPIRED_SIGNATURE:
            return f"the signature of {who}{when} was made to end, and has ended", "take a newer release"
        case State.BAD_KEY:
            return (
                f"the key {key} that signed {what} cannot be used: "
                "it is damaged, or not well bound to its owner",
                "ask for a whole copy of the key: --keyring KEY.asc",
            )
        case State.UNKNOWN_KEY:
            return _unknown(what, key, when, keys)
    return (
        f"{what}: what should be its signature is none",
        "fetch it again, or give the right one: --signature FILE",
    )


def _who(signature: Signature, signers: Sequence[Signer]) -> str:
    signer = find_signer(signature.primary, signers)
    if signer is not None and signer.name:
        return signer.shown
    return signature.user or signature.primary or signature.key


def _unknown(what: str, key: str, when: str, keys: Keys | None) -> tuple[str, str]:
    missing = keys.missing if keys is not None else ()
    if not missing:
        return (
            f"{what} was signed{when} with the key {key}, "
            "which is none of those that kernels are signed with",
            "if you know whose it is: --keyring KEY.asc --signer FINGERPRINT",
        )
    who = ", ".join(signer.name or signer.fingerprint for signer in missing)
    why = f" ({keys.problems[0]})" if keys is not None and keys.problems else ""
    addresses = " ".join(signer.address for signer in missing if signer.address)
    return (
        f"{what} was signed{when} with the key {key}, which is not here; "
        f"of those that kernels are signed with, these are not here either: {who}{why}",
        f"gpg --locate-keys {addresses}, or --keyring KEY.asc" if addresses else "--keyring KEY.asc",
    )


def format_time(time: datetime) -> str:
    """A moment, UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")
