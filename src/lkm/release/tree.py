# SPDX-License-Identifier: MIT
"""Whether a tree of sources is what its record says it is, or what a signed file holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError, UsageError
from lkm.progress import Progress, Silent
from lkm.release.compression import read_tar
from lkm.release.get import DEFAULT_POLICY, Policy
from lkm.release.git import is_git_tree, verify_git_tree
from lkm.release.record import Differences, Record, compare_tree, read_manifest, read_record
from lkm.release.unpack import read_manifest_of
from lkm.release.value import Verification
from lkm.release.verify import TAR_LIMIT, HashedFile, verify_file


@dataclass(frozen=True, slots=True)
class TreeAnswer:
    """What is known of a tree: its record or None, the signature looked at now or None, how it differs."""

    tree: Path
    record: Record | None
    verification: Verification | None
    differences: Differences | None
    message: str
    hint: str = ""

    @property
    def ok(self) -> bool:
        """Whether what was unpacked was signed, and is still as it was."""
        signed = self.verification.ok if self.verification else bool(self.record and self.record.verified)
        return signed and self.differences is not None and self.differences.is_same


def verify_tree(
    tree: Path,
    *,
    deep: bool = False,
    tarball: Path | None = None,
    signature: Path | None = None,
    policy: Policy = DEFAULT_POLICY,
    progress: Progress | None = None,
) -> TreeAnswer:
    """Compares a tree with its record, with its tag where it is git's, or with a signed file.

    `deep`: with the file it was unpacked from, whose signature is verified anew; `tarball`: with that one.
    Raises `UsageError` where there is nothing to compare it with.
    """
    progress = progress or Silent()
    record = read_record(tree)
    if tarball is None and is_git_tree(tree):
        return _answer(tree, record, *verify_git_tree(tree, policy=policy, progress=progress))
    if deep and tarball is None:
        tarball = Path(record.file) if record is not None and record.file else None
        if tarball is None or not tarball.is_file():
            raise UsageError(
                f"the file that {tree} was unpacked from is not here",
                hint="--tarball FILE; lkm kernel get --no-unpack VERSION fetches it",
            )
    if tarball is not None:
        return _answer(tree, record, *_compare_with(tree, tarball, signature, policy, progress))
    if record is None:
        raise UsageError(
            f"nothing says where {tree} came from: it was not unpacked by lkm",
            hint=f"lkm kernel verify {tree} --tarball FILE",
        )
    entries = read_manifest(tree, record)
    if entries is None:
        raise BadInputError(
            f"the list of the files of {tree} is gone", hint=f"lkm kernel verify {tree} --deep"
        )
    return _answer(tree, record, None, compare_tree(tree, entries, progress=progress))


def _compare_with(
    tree: Path, tarball: Path, signature: Path | None, policy: Policy, progress: Progress
) -> tuple[Verification, Differences | None]:
    verification = verify_file(
        tarball,
        signature=signature,
        signers=policy.signers,
        keyring=policy.keyring,
        fetch_keys=policy.fetch_keys,
        progress=progress,
    )
    if verification.state.is_damage:
        return verification, None
    with tarball.open("rb", buffering=0) as raw:
        file = HashedFile(raw, size=tarball.stat().st_size, progress=progress, what=f"reading {tarball.name}")
        entries = read_manifest_of(read_tar(file, limit=TAR_LIMIT, name=tarball.name))
        if verification.sha256 and file.finish() != verification.sha256:
            raise BadInputError(f"{tarball} changed while it was read")
    return verification, compare_tree(tree, entries, progress=progress)


def _answer(
    tree: Path, record: Record | None, verification: Verification | None, differences: Differences | None
) -> TreeAnswer:
    if verification is not None and not verification.ok:
        return TreeAnswer(tree, record, verification, differences, verification.message, verification.hint)
    if differences is not None and not differences.is_same:
        count = len(differences.changed) + len(differences.missing)
        what = "one file differs" if count == 1 else f"{count} files differ"
        message = f"{tree.name} is not as it was unpacked: {what}"
        return TreeAnswer(tree, record, verification, differences, message, f"rm -r {tree}, and get it again")
    if verification is None and record is not None and not record.verified:
        message = f"{tree.name} is as it was unpacked, but was never verified: {record.message}"
        return TreeAnswer(tree, record, None, differences, message, f"rm -r {tree}, and get it again")
    said = verification.message if verification is not None else record.message if record else ""
    return TreeAnswer(tree, record, verification, differences, f"{tree.name} is as it was unpacked: {said}")
