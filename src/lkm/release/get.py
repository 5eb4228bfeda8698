# SPDX-License-Identifier: MIT
"""Getting a release: found, fetched, its checksum and its developer's signature checked, then unpacked.

Nothing is unpacked that is not signed by who is pinned, unless the caller says so; then its record says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from lkm.errors import BadInputError, UsageError
from lkm.paths import cache_dir, locked, make_dir, new_directory
from lkm.progress import Progress, Silent
from lkm.release.compression import read_tar
from lkm.release.explain import explain
from lkm.release.http import free_file, is_url
from lkm.release.listing import choose_moniker, parse_releases
from lkm.release.mirror import KERNEL_ORG, SUMS, Mirror, Placed, WebMirror, list_releases
from lkm.release.names import (
    Kind,
    Wanted,
    choose_newest,
    directory_name,
    find_nearest,
    is_candidate,
)
from lkm.release.record import Record, read_record, record_path, write_record
from lkm.release.signers import RELEASE_SIGNERS, SUMS_SIGNERS, Signer
from lkm.release.space import check_space, writing
from lkm.release.sums import Sums, read_sums
from lkm.release.unpack import unpack
from lkm.release.value import State, Verification
from lkm.release.verify import TAR_LIMIT, HashedFile, read_sha256, verify_file


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom to believe, and with which keys.

    `keyring`: a file of keys, used alone.  `fetch_keys`: over the network where they are not here.
    `unverified`: take what nobody pinned signed, but never what is damaged.  `need_sums`: a release must be
    in a signed list of checksums too.
    """

    signers: Sequence[Signer] = RELEASE_SIGNERS
    sums_signers: Sequence[Signer] = SUMS_SIGNERS
    keyring: Path | None = None
    fetch_keys: bool = True
    unverified: bool = False
    need_sums: bool = True


DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Got:
    """A release on this machine: `tree` (None where it was not to be unpacked), its compressed file or None,
    its record, and whether it was here already."""

    version: str
    tree: Path | None
    file: Path | None
    record: Record
    was_here: bool = False


def sources_dir() -> Path:
    """Where sources are kept in the cache: compressed files, trees, and their records."""
    return cache_dir() / "sources"


def find_version(wanted: Wanted, mirror: Mirror, *, progress: Progress | None = None) -> str:
    """The release that `wanted` is now; raises `UsageError` where there is none."""
    if wanted.kind is Kind.EXACT:
        return wanted.text
    (progress or Silent()).update(f"asking {mirror.name} for its releases")
    if wanted.kind is Kind.SERIES:
        known = list_releases(mirror, directory_name(wanted.text))
        newest = choose_newest(known, wanted.text)
        if newest is None:
            raise _no_release(wanted.text, mirror, known)
        return newest
    data = mirror.read("", "releases.json")
    if data is None and is_url(mirror.name) and mirror.name != KERNEL_ORG:
        data = WebMirror(KERNEL_ORG).read("", "releases.json")
    if data is None:
        raise UsageError(
            f"{mirror.name} has no releases.json, which says what '{wanted.kind.value}' is now",
            hint="name a release or a series: lkm kernel get 6.12",
        )
    listed = choose_moniker(parse_releases(data), wanted.kind.value)
    if listed is None:
        raise UsageError(f"{mirror.name} has no release that is '{wanted.kind.value}' now")
    return listed.version


def _no_release(version: str, mirror: Mirror, known: Iterable[str]) -> UsageError:
    near = find_nearest(version, known)
    hint = f"nearest: {', '.join(near)}" if near else "lkm kernel get stable"
    return UsageError(f"there is no Linux {version} at {mirror.name}", hint=hint)


def get_release(
    version: str,
    mirror: Mirror,
    *,
    policy: Policy = DEFAULT_POLICY,
    dest: Path | None = None,
    unpacked: bool = True,
    progress: Progress | None = None,
) -> Got:
    """Gets a release: its tree below `dest` (default: the cache), or, not `unpacked`, its compressed file.

    One that is here already is not got again.  Raises `UsageError` where there is no such release,
    `BadInputError` where what came is not good, `MissingError` where it cannot be had.
    """
    progress = progress or Silent()
    place = sources_dir()
    final = (dest or place) / f"linux-{version}"
    with writing(final.parent), locked(make_dir(place) / f".{final.name}.lock"):
        if unpacked and (here := _find_here(final, policy)) is not None:
            return here
        placed = mirror.fetch(version, make_dir(place), progress=progress)
        if placed is None:
            raise _no_file(version, mirror)
        sums = _check_sums(version, placed, mirror, policy, progress)
        answer = _verify(version, placed, mirror, policy, progress)
        _must_be_good(answer, placed, policy, place)
        record = _describe(version, placed, answer, sums)
        if not unpacked:
            return Got(version, None, placed.path, record)
        tree, record = unpack_file(placed.path, final, record, size=answer.size, progress=progress)
        return Got(version, tree, placed.path, record)


def _find_here(final: Path, policy: Policy) -> Got | None:
    if not final.exists():
        return None
    record = read_record(final)
    if record is None:
        raise UsageError(
            f"{final} is there already, and nothing says where it came from",
            hint="give another place: --dest DIR, or remove it",
        )
    if not record.verified and not policy.unverified:
        raise BadInputError(
            f"{final} is there already, unverified: {record.message}",
            hint=f"rm -r {final}, and get it again",
        )
    file = Path(record.file) if record.file else None
    return Got(record.version, final, file if file and file.is_file() else None, record, was_here=True)


def _no_file(version: str, mirror: Mirror) -> UsageError:
    if is_candidate(version):
        return UsageError(
            f"there is no file of Linux {version} at {mirror.where(version)}",
            hint=f"lkm kernel get git:v{version}",
        )
    return _no_release(version, mirror, list_releases(mirror, directory_name(version)))


def _check_sums(version: str, placed: Placed, mirror: Mirror, policy: Policy, progress: Progress) -> str:
    """What the signed list of checksums says of the file, in words for the record; raises if it differs."""
    if is_candidate(version):
        return "candidates are in no list"
    text = mirror.read(directory_name(version), SUMS)
    if text is None:
        return _without_sums(f"{mirror.name} has no {SUMS}", policy)
    sums: Sums = read_sums(
        text,
        signers=policy.sums_signers,
        keyring=policy.keyring,
        fetch_keys=policy.fetch_keys,
        progress=progress,
    )
    if not sums.ok:
        if sums.signature.state.is_damage:
            raise BadInputError(
                f"{sums.why}: the checksums at {mirror.name} are not to be believed",
                hint="another place: --mirror URL",
            )
        return _without_sums(sums.why, policy)
    name = placed.path.name
    if name not in sums.sums:
        return _without_sums(f"{name} is not in {SUMS}", policy)
    found = read_sha256(placed.path, progress=progress)
    if found != sums.sums[name]:
        _forget(placed)
        raise BadInputError(
            f"{name} is not the file that is in the list of checksums: its SHA-256 is {found}, "
            f"that in the list {sums.sums[name]}",
            hint="get it again, or from another place: --mirror URL",
        )
    return "as in the signed list"


def _without_sums(why: str, policy: Policy) -> str:
    if policy.need_sums and not policy.unverified:
        raise BadInputError(
            f"no checksum to compare with: {why}",
            hint="--no-sums: the developer's signature alone decides, which is the one that counts",
        )
    return f"not compared: {why}"


def _forget(placed: Placed) -> None:
    """Removes a file that was fetched and found bad, so that the next call fetches it anew."""
    if is_url(placed.where):
        free_file(placed.path)


def _verify(version: str, placed: Placed, mirror: Mirror, policy: Policy, progress: Progress) -> Verification:
    path = placed.path
    if is_candidate(version):
        return explain(path, State.NO_SIGNATURE)
    signed = mirror.read(directory_name(version), f"linux-{version}.tar.sign")
    signature = sources_dir() / f"linux-{version}.tar.sign"
    if signed is None:
        if not is_url(placed.where):  # a directory may have it under a name that others use
            return verify_file(path, signers=policy.signers, keyring=policy.keyring,
                               fetch_keys=policy.fetch_keys, progress=progress)  # fmt: skip
        signature.unlink(missing_ok=True)
    else:
        signature.write_bytes(signed)
    return verify_file(
        path,
        signature=signature if signed is not None else None,
        signers=policy.signers,
        keyring=policy.keyring,
        fetch_keys=policy.fetch_keys,
        progress=progress,
    )


def _must_be_good(answer: Verification, placed: Placed, policy: Policy, place: Path) -> None:
    if answer.ok or (policy.unverified and not answer.state.is_damage):
        return
    if answer.state.is_damage:
        _forget(placed)
    hint = answer.hint
    if not answer.state.is_damage:
        hint += "; or --unverified, and it is marked so"
    raise BadInputError(f"{answer.message}; nothing was unpacked", hint=hint.removeprefix("; "))


def _describe(version: str, placed: Placed, answer: Verification, sums: str) -> Record:
    signature = answer.signature
    return Record(
        version=version,
        origin="tarball",
        source=placed.where,
        verified=answer.ok,
        state=answer.state.value,
        message=answer.message,
        file=str(placed.path),
        sha256=answer.sha256,
        sums=sums,
        signer=answer.signer,
        key=(signature.primary or signature.key) if signature else "",
        signed=iso(signature.made) if signature else "",
    )


def iso(time: datetime | None) -> str:
    """A moment as records have it."""
    return time.isoformat(timespec="seconds") if time else ""


def unpack_file(
    path: Path, final: Path, record: Record, *, size: int = 0, progress: Progress | None = None
) -> tuple[Path, Record]:
    """Unpacks a compressed tar to the directory `final`, there whole or not at all, its record beside it.

    `size`: bytes of the tar, 0 where not known.  What is read must be what `record.sha256` is of, where that
    is known: a file may change after it was verified.
    """
    progress = progress or Silent()
    what = f"unpacking {path.name}"
    make_dir(final.parent)
    check_space(final.parent, size * 5 // 4)
    with writing(final.parent), new_directory(final) as part:
        part.chmod(0o700)
        with path.open("rb", buffering=0) as raw:
            file = HashedFile(raw, size=path.stat().st_size, progress=Silent(), what=what)
            chunks = read_tar(file, limit=TAR_LIMIT, name=path.name)
            _top, manifest = unpack(chunks, part, size=size, progress=progress, what=what)
            sha256 = file.finish()
        if record.sha256 and sha256 != record.sha256:
            raise BadInputError(f"{path} changed after it was verified; nothing was unpacked")
        part.chmod(0o755)
        # Before the tree is there: one without its record would look as if it came from elsewhere.
        record = write_record(final, replace(record, sha256=sha256), manifest)
    return final, record


def remove_tree(tree: Path) -> None:
    """Removes a tree and what is kept beside it."""
    shutil.rmtree(tree, ignore_errors=True)
    for path in (record_path(tree), tree.with_name(f"{tree.name}.manifest.gz")):
        path.unlink(missing_ok=True)


def list_trees(place: Path | None = None) -> Iterator[tuple[Path, Record]]:
    """The trees in the cache (or another directory) with their records, by name."""
    place = place or sources_dir()
    for path in sorted(place.glob("*.json")) if place.is_dir() else ():
        tree = path.with_suffix("")
        record = read_record(tree)
        if record is not None and tree.is_dir():
            yield tree, record
