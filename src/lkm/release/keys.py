# SPDX-License-Identifier: MIT
"""Where the keys of signers come from: a file, this program's own store, the person's keyring, their address.

A key counts by its fingerprint, whoever handed it over.  The store is a directory of binary keys, one file
each, below the data directory.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm import process
from lkm.errors import BadInputError, LkmError, UsageError
from lkm.paths import data_dir, make_dir
from lkm.progress import Progress
from lkm.release.http import read_url
from lkm.release.openpgp import KEYS_LIMIT, PublicKey, parse_keys
from lkm.release.signers import Signer
from lkm.release.wkd import build_urls


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys to verify with.  `missing`: signers whose key was not to be had, and `problems` why."""

    keys: tuple[PublicKey, ...]
    missing: tuple[Signer, ...] = ()
    problems: tuple[str, ...] = ()


def keys_dir() -> Path:
    """Where keys are kept that were once found."""
    return data_dir() / "keys"


def read_keyring(path: Path) -> list[PublicKey]:
    """The keys in a file, armored or not; raises `UsageError` or `BadInputError` naming it."""
    try:
        with path.open("rb") as stream:
            data = stream.read(KEYS_LIMIT + 1)
        keys = parse_keys(data)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except BadInputError as error:
        raise BadInputError(
            f"{path} is no file of keys: {error.message}",
            hint=f"gpg --export --armor ADDRESS > {path.with_suffix('.asc').name}",
        ) from None
    if not keys:
        raise BadInputError(f"{path} has no public key in it")
    return keys


def find_keys(
    signers: Sequence[Signer],
    *,
    keyring: Path | None = None,
    fetch: bool = True,
    refresh: bool = False,
    progress: Progress,
) -> Keys:
    """The keys of `signers`: all of the file `keyring` where that is given, else wherever they can be had.

    `fetch`: by their owners' addresses too (WKD), over the network.  `refresh`: those in the store are too
    old.  Keys found elsewhere go into the store.
    """
    if keyring is not None:
        keys = tuple(read_keyring(keyring))
        have = {key.fingerprint for key in keys}
        return Keys(keys, tuple(one for one in signers if one.fingerprint not in have))
    found: dict[str, PublicKey] = {} if refresh else _read_store(signers)
    problems: list[str] = []
    for look in (_ask_gpg, _ask_wkd) if fetch else (_ask_gpg,):
        wanted = [signer for signer in signers if signer.fingerprint not in found]
        if refresh and look is _ask_gpg and fetch:
            continue  # as old as what is in the store, likely; whoever owns the key knows best
        for key in look(wanted, problems, progress) if wanted else []:
            found[key.fingerprint] = key
            _store(key)
    if refresh:
        found = {**_read_store(signers), **found}
    missing = tuple(signer for signer in signers if signer.fingerprint not in found)
    return Keys(tuple(found.values()), missing, tuple(problems))


def _read_store(signers: Iterable[Signer]) -> dict[str, PublicKey]:
    found = {}
    for signer in signers:
        with contextlib.suppress(OSError, BadInputError):
            data = (keys_dir() / f"{signer.fingerprint}.gpg").read_bytes()
            found.update(_pick(parse_keys(data), [signer]))
    return found


def _pick(keys: Iterable[PublicKey], signers: Iterable[Signer]) -> dict[str, PublicKey]:
    """Those keys whose own packets have a pinned fingerprint."""
    pinned = {signer.fingerprint for signer in signers}
    return {key.fingerprint: key for key in keys if key.fingerprint in pinned}


def _store(key: PublicKey) -> None:
    """Keeps a key for the next time; where that cannot be, it is only found again."""
    with contextlib.suppress(OSError, LkmError):
        path = make_dir(keys_dir()) / f"{key.fingerprint}.gpg"
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(key.data)
        part.replace(path)


def _ask_gpg(signers: Sequence[Signer], problems: list[str], progress: Progress) -> list[PublicKey]:
    """From the keyring that the person's gpg has, where there is one; nothing is written there."""
    gpg = process.find_program("gpg")
    home = Path(os.environ.get("GNUPGHOME") or Path.home() / ".gnupg")
    if gpg is None or not any(
        (home / name).exists() for name in ("pubring.kbx", "pubring.gpg", "public-keys.d")
    ):
        return []
    words = ["--batch", "--no-auto-check-trustdb", "--export", "--armor"]
    result = process.run([gpg, *words, *(signer.fingerprint for signer in signers)], timeout=60)
    if result.status != 0 or not result.stdout:
        return []
    try:
        return list(_pick(parse_keys(result.stdout.encode()), signers).values())
    except BadInputError as error:
        problems.append(f"the keyring in {home}: {error.message}")
        return []


def _ask_wkd(signers: Sequence[Signer], problems: list[str], progress: Progress) -> list[PublicKey]:
    """From where the owners of the addresses publish them."""
    found: list[PublicKey] = []
    for signer in signers:
        if not signer.address:
            continue
        progress.update(f"getting the key of {signer.shown}")
        said = ""
        for url in build_urls(signer.address):
            try:
                keys = parse_keys(read_url(url, limit=KEYS_LIMIT, attempts=2, pause=_brief_pause))
            except LkmError as error:
                said = f"{url}: {error.message}" if isinstance(error, BadInputError) else error.message
                continue
            if fitting := _pick(keys, [signer]):
                found += fitting.values()
                said = ""
                break
            others = ", ".join(key.fingerprint for key in keys)
            said = f"{url} has another key under the address of {signer.shown}: {others}"
        problems += [said] if said else []
    return found


def _brief_pause(seconds: float) -> None:
    time.sleep(min(seconds, 1.0))  # a key may be had elsewhere; who waits for one waits for all
