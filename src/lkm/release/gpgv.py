# SPDX-License-Identifier: MIT
"""gpgv, and what it says of a signature; its exit status says too little (0 for an expired key).

The status lines are those of GnuPG's doc/DETAILS, "Format of the --status-fd output".
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from lkm import process
from lkm.errors import MissingError
from lkm.release.openpgp import PublicKey
from lkm.release.signers import Signer
from lkm.release.value import Signature, State

_PREFIX = "[GNUPG:] "
# RFC 9580, 9.5; those that others can make collisions for are weak.
_HASHES = {1: "MD5", 2: "SHA1", 3: "RIPEMD160", 8: "SHA256", 9: "SHA384", 10: "SHA512", 11: "SHA224"}
_WEAK = ("MD5", "SHA1", "RIPEMD160")
_ENDINGS = {
    "GOODSIG": State.GOOD,
    "BADSIG": State.TAMPERED,
    "EXPSIG": State.EXPIRED_SIGNATURE,
    "EXPKEYSIG": State.EXPIRED_KEY,
    "REVKEYSIG": State.REVOKED_KEY,
}
_NO_PUBLIC_KEY = "9"  # ERRSIG's reason: gpg-error's code
# Which of several signatures tells most: tampered data is told whoever else signed.
_ORDER = (State.TAMPERED, State.GOOD, State.REVOKED_KEY, State.EXPIRED_KEY, State.EXPIRED_SIGNATURE,
          State.WEAK, State.WRONG_SIGNER, State.BAD_KEY, State.UNKNOWN_KEY,
          State.NOT_A_SIGNATURE)  # fmt: skip


def check_signature(
    signature: bytes, chunks: Iterable[bytes], keys: Iterable[PublicKey], signers: Iterable[Signer]
) -> Signature:
    """What gpgv says of a detached signature over `chunks`, with these keys and nothing of the person's.

    Good are only signatures of pinned `signers`.  Raises what `chunks` raises; `MissingError` without gpgv.
    """
    with tempfile.TemporaryDirectory(prefix="lkm-gpgv.") as home:
        file = Path(home, "signature")
        file.write_bytes(signature)
        argv = [*_build_argv(Path(home), keys), str(file), "-"]
        result = process.run_fed(argv, chunks, timeout=3600)
    return choose(parse_status(result.stdout), signers)


def read_clearsigned(
    text: bytes, keys: Iterable[PublicKey], signers: Iterable[Signer]
) -> tuple[Signature, bytes]:
    """What gpgv says of a text that carries its own signature, and the text that was signed, no more."""
    with tempfile.TemporaryDirectory(prefix="lkm-gpgv.") as home:
        file, output = Path(home, "signed"), Path(home, "text")
        file.write_bytes(text)
        argv = [*_build_argv(Path(home), keys), "--output", str(output), str(file)]
        result = process.run(argv, timeout=120)
        signed = output.read_bytes() if output.is_file() else b""
    return choose(parse_status(result.stdout), signers), signed


def _build_argv(home: Path, keys: Iterable[PublicKey]) -> list[str]:
    gpgv = process.find_program("gpgv")
    if gpgv is None:
        raise MissingError("gpgv is not on this machine; signatures are verified with it", hint="lkm doctor")
    keyring = home / "keyring.gpg"
    keyring.write_bytes(b"".join(key.data for key in keys))
    return [str(gpgv), "--homedir", str(home), "--keyring", str(keyring), "--status-fd", "1"]


def parse_status(text: str) -> list[Signature]:
    """The signatures in gpgv's status lines, one for each `NEWSIG`; none where it found none."""
    blocks: list[dict[str, list[str]]] = []
    for line in text.splitlines():
        if not line.startswith(_PREFIX):
            continue
        word, _, rest = line.removeprefix(_PREFIX).partition(" ")
        if word == "NEWSIG" or (not blocks and word in (*_ENDINGS, "ERRSIG")):
            blocks.append({})
        if blocks:
            blocks[-1].setdefault(word, rest.split())
    return [_read_block(block) for block in blocks]


def _read_block(block: dict[str, list[str]]) -> Signature:
    if words := block.get("ERRSIG"):
        # keyid pkalgo hashalgo class time rc fingerprint
        words += [""] * (7 - len(words))
        state = State.UNKNOWN_KEY if words[5] == _NO_PUBLIC_KEY else State.BAD_KEY
        key = words[6] if words[6] not in ("", "-") else words[0]
        return Signature(state, key, made=_time(words[4]), hash_name=_hash(words[2]))
    for word, state in _ENDINGS.items():
        if word not in block:
            continue
        key, user = block[word][0], " ".join(block[word][1:])
        # fingerprint date timestamp expires version - pkalgo hashalgo class primary-fingerprint
        valid = block.get("VALIDSIG", [])
        if len(valid) < 10:
            return Signature(State.BAD_KEY if state is State.GOOD else state, key, user=user)
        return Signature(state, valid[0], valid[9], user, _time(valid[2]), _hash(valid[7]))
    return Signature(State.NOT_A_SIGNATURE)


def choose(signatures: Iterable[Signature], signers: Iterable[Signer]) -> Signature:
    """The signature that decides, judged by who is pinned."""
    judged = sorted(_judge(signatures, {signer.fingerprint for signer in signers}), key=_rank)
    return judged[0] if judged else Signature(State.NOT_A_SIGNATURE)


def _judge(signatures: Iterable[Signature], pinned: set[str]) -> Iterator[Signature]:
    for one in signatures:
        state = one.state
        if state is State.GOOD:
            if one.primary not in pinned:
                state = State.WRONG_SIGNER
            elif one.hash_name in _WEAK:
                state = State.WEAK
        yield Signature(state, one.key, one.primary, one.user, one.made, one.hash_name)


def _rank(signature: Signature) -> int:
    return _ORDER.index(signature.state)


def _hash(number: str) -> str:
    return _HASHES.get(int(number), f"hash {number}") if number.isdecimal() else ""


def _time(text: str) -> datetime | None:
    if text.isdecimal():
        return datetime.fromtimestamp(int(text), UTC)
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
