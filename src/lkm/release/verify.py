# SPDX-License-Identifier: MIT
"""A file of kernel sources and its developer's signature: over the tar in it, streamed, nothing written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from lkm.errors import UsageError
from lkm.progress import Progress, Silent
from lkm.release.compression import (
    CHUNK,
    CorruptError,
    TooBigError,
    TrailingError,
    TruncatedError,
    find_compression,
    read_tar,
)
from lkm.release.explain import explain
from lkm.release.gpgv import check_signature
from lkm.release.keys import Keys, find_keys
from lkm.release.openpgp import PublicKey, is_signature
from lkm.release.signers import RELEASE_SIGNERS, Signer
from lkm.release.value import Signature, State, Verification

# More than any kernel's tar has (6.12: 1.5 GB); a file that grows beyond it was made to.
TAR_LIMIT = 12 << 30
SIGNATURE_LIMIT = 1 << 20
_DAMAGE = {TruncatedError: State.TRUNCATED, TrailingError: State.TRAILING, CorruptError: State.CORRUPT,
           TooBigError: State.CORRUPT}  # fmt: skip


class HashedFile:
    """A file read once from its beginning, with the SHA-256 of what was read, and how far one is."""

    def __init__(self, stream: BinaryIO, *, size: int, progress: Progress, what: str) -> None:
        self._stream, self._size, self._progress, self._what = stream, size, progress, what
        self._sum = hashlib.sha256()
        self._done = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        data = self._stream.read(size)
        self._sum.update(data)
        self._done += len(data)
        self._progress.update(self._what, self._done, self._size)
        return data

    def finish(self) -> str:
        """The sum of the whole file, in hex digits."""
        while self.read(CHUNK):
            pass
        return self._sum.hexdigest()


def find_signature(path: Path) -> Path | None:
    """The signature that lies beside a file: as kernel.org names it, then as others do."""
    name = path.name
    tar = name.rpartition(".")[0] if name.endswith((".xz", ".gz", ".bz2", ".zst")) else name
    for stem, ending in (
        (tar, "sign"),
        (name, "sign"),
        (tar, "asc"),
        (tar, "sig"),
        (name, "asc"),
        (name, "sig"),
    ):
        candidate = path.with_name(f"{stem}.{ending}")
        if candidate.is_file():
            return candidate
    return None


def verify_file(
    path: Path,
    *,
    signature: Path | None = None,
    signers: Sequence[Signer] = RELEASE_SIGNERS,
    keyring: Path | None = None,
    fetch_keys: bool = True,
    progress: Progress | None = None,
) -> Verification:
    """Whether the tar in a file is what one of `signers` signed.

    `signature`: the file that has it (default: beside `path`).  `keyring`: a file of keys, used alone;
    else see `lkm.release.keys`.  Raises `UsageError` where a file cannot be read.
    """
    progress = progress or Silent()
    _must_read(path)
    place = signature or find_signature(path)
    if place is None:
        return explain(path, State.NO_SIGNATURE)
    _must_read(place)
    with place.open("rb") as stream:
        signed = stream.read(SIGNATURE_LIMIT + 1)
    if len(signed) > SIGNATURE_LIMIT or not is_signature(signed):
        return explain(path, State.NOT_A_SIGNATURE, Signature(State.NOT_A_SIGNATURE), place=place)
    for refresh in (False, True):
        keys = find_keys(signers, keyring=keyring, fetch=fetch_keys, refresh=refresh, progress=progress)
        answer = _verify(path, signed, keys, signers, progress)
        if answer.state is not State.EXPIRED_KEY or keyring is not None or not fetch_keys:
            break  # whose key has expired may have made it last longer meanwhile
    if answer.state is State.NOT_A_SIGNATURE:
        return explain(path, answer.state, answer.signature, place=place, sha256=answer.sha256)
    return answer


def _must_read(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a directory", hint=f"lkm kernel verify {path}")
    try:
        path.open("rb").close()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _verify(
    path: Path, signed: bytes, keys: Keys, signers: Sequence[Signer], progress: Progress
) -> Verification:
    counted = _Counter()
    with path.open("rb", buffering=0) as raw:
        file = HashedFile(raw, size=path.stat().st_size, progress=progress, what=f"verifying {path.name}")
        try:
            chunks = counted.count(read_tar(file, limit=TAR_LIMIT, name=path.name))
            signature = check_signature(signed, chunks, keys.keys, signers)
        except (TruncatedError, TrailingError, CorruptError, TooBigError) as error:
            return explain(path, _DAMAGE[type(error)], error=error)
        sha256 = file.finish()
    if signature.state in (State.TAMPERED, State.WRONG_SIGNER) and _is_of_compressed(
        path, signed, keys.keys, signers
    ):
        return explain(path, State.OF_COMPRESSED, signature, sha256=sha256)
    return explain(
        path, signature.state, signature, signers=signers, keys=keys, sha256=sha256, size=counted.bytes
    )


class _Counter:
    def __init__(self) -> None:
        self.bytes = 0

    def count(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes += len(chunk)
            yield chunk


def _is_of_compressed(
    path: Path, signed: bytes, keys: Iterable[PublicKey], signers: Sequence[Signer]
) -> bool:
    """Whether it is the compressed file that was signed, as projects outside the kernel do."""
    with path.open("rb", buffering=0) as stream:
        start = stream.read(16)
        if find_compression(start) is find_compression(b""):
            return False
        stream.seek(0)
        keys = list(keys)
        everybody = [*signers, *(Signer(key.fingerprint) for key in keys)]
        answer = check_signature(signed, iter(lambda: stream.read(CHUNK), b""), keys, everybody)
    return answer.state in (State.GOOD, State.EXPIRED_KEY, State.EXPIRED_SIGNATURE, State.WEAK)


def read_sha256(path: Path, *, progress: Progress | None = None) -> str:
    """The SHA-256 of a file, in hex digits."""
    with path.open("rb", buffering=0) as raw:
        size = path.stat().st_size
        return HashedFile(raw, size=size, progress=progress or Silent(), what=f"reading {path.name}").finish()
