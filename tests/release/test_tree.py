# SPDX-License-Identifier: MIT
"""Whether a tree is still what was unpacked: by its record, and by the signed file itself."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lkm.errors import BadInputError, UsageError
from lkm.release import find_mirror, get_release
from lkm.release.get import Policy
from lkm.release.record import manifest_path, record_path
from lkm.release.tree import TreeAnswer, verify_tree
from lkm.release.value import State


@pytest.fixture
def tree(org: Any, policy: Policy) -> Path:
    got = get_release("6.12.9", find_mirror(str(org.root)), policy=policy)
    assert got.tree is not None
    return got.tree


@pytest.fixture(params=["record", "deep"])
def verify(request: pytest.FixtureRequest, policy: Policy) -> Callable[[Path], TreeAnswer]:
    return lambda tree: verify_tree(tree, deep=request.param == "deep", policy=policy)


def test_as_it_was(tree: Path, verify: Callable[[Path], TreeAnswer]) -> None:
    answer = verify(tree)
    assert answer.ok and answer.message.startswith(
        "linux-6.12.9 is as it was unpacked: linux-6.12.9.tar.xz was signed by Greg <greg@example.org>"
    )


def _change(tree: Path) -> None:
    with (tree / "kernel/fork.c").open("ab") as stream:
        stream.write(b"/* evil */\n")


def _same_length(tree: Path) -> None:
    stat = (tree / "README").stat()
    (tree / "README").write_bytes((tree / "README").read_bytes().replace(b"Linux", b"Minix"))
    os.utime(tree / "README", ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _link(tree: Path) -> None:
    (tree / "Documentation/Changes").unlink()
    (tree / "Documentation/Changes").symlink_to("/etc/passwd")


def _to_link(tree: Path) -> None:
    (tree / "README").rename(tree / "README2")
    (tree / "README").symlink_to("README2")


def _to_directory(tree: Path) -> None:
    (tree / "README").unlink()
    (tree / "README").mkdir()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (_change, "kernel/fork.c"),
        (_same_length, "README"),
        (_link, "Documentation/Changes"),
        (_to_link, "README"),
        (_to_directory, "README"),
        (lambda tree: (tree / "scripts/config").chmod(0o644), "scripts/config"),
    ],
)
def test_changed(
    change: Callable[[Path], None], path: str, tree: Path, verify: Callable[[Path], TreeAnswer]
) -> None:
    change(tree)
    answer = verify(tree)
    assert not answer.ok and answer.differences is not None
    assert answer.differences.changed == (path,) and not answer.differences.missing
    assert answer.message == "linux-6.12.9 is not as it was unpacked: one file differs"


def test_missing_and_added(tree: Path, verify: Callable[[Path], TreeAnswer]) -> None:
    (tree / "kernel/fork.o").touch()
    (tree / "link").symlink_to("kernel")
    answer = verify(tree)
    assert answer.ok and answer.differences is not None
    assert answer.differences.added == ("kernel/fork.o", "link")
    shutil.rmtree(tree / "Documentation")
    answer = verify(tree)
    assert not answer.ok and answer.differences is not None
    assert answer.differences.missing == ("Documentation/Changes", "Documentation/process/changes.rst")


def test_whoever_writes_the_tree_can_write_its_record(tree: Path, policy: Policy) -> None:
    """That is what `deep` is for."""
    _change(tree)
    from lkm.progress import Silent
    from lkm.release.record import Record, compare_tree, read_manifest, read_record, write_record
    from lkm.release.tar import Kind
    from lkm.release.unpack import Entry

    record = read_record(tree)
    assert isinstance(record, Record)
    import hashlib

    digest = hashlib.sha256((tree / "kernel/fork.c").read_bytes()).hexdigest()
    entries = read_manifest(tree, record) or []
    forged = [one for one in entries if one.path != "kernel/fork.c"] + [
        Entry(Kind.FILE, digest, "kernel/fork.c")
    ]
    write_record(tree, record, forged)
    assert compare_tree(tree, forged, progress=Silent()).is_same
    assert verify_tree(tree, policy=policy).ok
    answer = verify_tree(tree, deep=True, policy=policy)
    assert (
        not answer.ok and answer.differences is not None and answer.differences.changed == ("kernel/fork.c",)
    )


def test_a_changed_list(tree: Path, policy: Policy) -> None:
    manifest_path(tree).write_bytes(b"x")
    with pytest.raises(BadInputError, match="was changed since"):
        verify_tree(tree, policy=policy)
    manifest_path(tree).unlink()
    with pytest.raises(BadInputError, match="is gone"):
        verify_tree(tree, policy=policy)
    assert verify_tree(tree, deep=True, policy=policy).ok


def test_one_unpacked_by_hand(org: Any, tmp_path: Path, policy: Policy) -> None:
    subprocess.run(
        ["tar", "-x", "-C", str(tmp_path), "-f", str(org.place / "linux-6.12.9.tar.xz")], check=True
    )
    tree = tmp_path / "linux-6.12.9"
    with pytest.raises(UsageError, match="it was not unpacked by lkm") as caught:
        verify_tree(tree, policy=policy)
    assert caught.value.hint.endswith("--tarball FILE")
    answer = verify_tree(tree, tarball=org.place / "linux-6.12.9.tar.xz", policy=policy)
    assert answer.ok, answer
    assert not verify_tree(tree, tarball=org.place / "linux-6.12.8.tar.xz", policy=policy).ok or tree.is_dir()


def test_compared_with_a_file_that_is_bad(
    tree: Path, org: Any, policy: Policy, tar: Callable[..., bytes]
) -> None:
    path = org.place / "linux-6.12.9.tar.xz"
    path.write_bytes(lzma.compress(tar() + bytes(512)))
    answer = verify_tree(tree, deep=True, policy=policy)
    assert not answer.ok and answer.verification is not None and answer.verification.state is State.TAMPERED
    path.unlink()
    with pytest.raises(UsageError, match="is not here"):
        verify_tree(tree, deep=True, policy=policy)


def test_one_that_was_never_verified(org: Any, policy: Policy) -> None:
    (org.place / "linux-6.12.9.tar.sign").unlink()
    got = get_release("6.12.9", find_mirror(str(org.root)), policy=replace(policy, unverified=True))
    assert got.tree is not None
    answer = verify_tree(got.tree, policy=policy)
    assert not answer.ok and "was never verified" in answer.message
    assert record_path(got.tree).is_file()
