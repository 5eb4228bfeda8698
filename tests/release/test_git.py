# SPDX-License-Identifier: MIT
"""Sources from git: a real repository with tags signed by the real gpg, well and badly."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lkm.errors import BadInputError, MissingError, UsageError
from lkm.release.get import Policy
from lkm.release.git import get_git, parse_tag, verify_git_tree
from lkm.release.value import State


class Repository:
    """A repository; `tag` makes a tag object with any text and signature."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        self.run("init", "-q", "-b", "master")
        self.commit("first")

    def run(self, *words: str, stdin: bytes | None = None) -> str:
        identity = {f"GIT_{who}_{what}": "x@example.org" if what == "EMAIL" else "X"
                    for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
        argv = ["git", "-C", str(self.place), *words]
        done = subprocess.run(
            argv, input=stdin, capture_output=True, env={**os.environ, **identity}, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def commit(self, text: str) -> str:
        (self.place / "Makefile").write_text(f"# {text}\n")
        (self.place / "run.sh").write_text("#!/bin/sh\n")
        (self.place / "run.sh").chmod(0o755)
        if not (self.place / "link").is_symlink():
            (self.place / "link").symlink_to("Makefile")
        self.run("add", "-A")
        self.run("commit", "-q", "-m", text)
        return self.run("rev-parse", "HEAD")

    def tag(
        self, name: str, key: Any = None, *, inner: str = "", commit: str = "HEAD", change: bytes = b""
    ) -> None:
        """An annotated tag; signed where there is a key; called `inner` within, `change`d after signing."""
        head = self.run("rev-parse", commit)
        header = (
            f"object {head}\ntype commit\ntag {inner or name}\ntagger X <x@example.org> 1736000000 +0000\n"
        )
        payload = f"{header}\nLinux {name}\n".encode()
        data = payload + (key.sign(payload) if key is not None else b"")
        if change:
            data = data.replace(b"Linux ", change)
        oid = self.run("hash-object", "-t", "tag", "-w", "--stdin", stdin=data)
        self.run("update-ref", f"refs/tags/{name}", oid)


@pytest.fixture
def repository(tmp_path: Path, people: Any, home: Path) -> Repository:
    made = Repository(tmp_path / "linux.git")
    made.tag("v6.12", people.linus)
    made.commit("second")
    made.tag("v6.13-rc1", people.greg)
    made.commit("third")
    made.run("config", "uploadpack.allowAnySHA1InWant", "true")
    return made


@pytest.fixture(params=["clone", "worktree"])
def how(request: pytest.FixtureRequest, repository: Repository) -> dict[str, Any]:
    if request.param == "clone":
        return {"url": f"file://{repository.place}"}
    return {"reference": repository.place}


def test_a_signed_tag(how: dict[str, Any], repository: Repository, policy: Policy, people: Any) -> None:
    got = get_git("v6.12", policy=policy, **how)
    assert got.tree is not None and got.tree.name == "linux-v6.12-git"
    assert (got.tree / "Makefile").read_text() == "# first\n" and (got.tree / "link").is_symlink()
    record = got.record
    assert record.verified and record.origin == "git" and record.version == "6.12"
    assert (
        record.commit == repository.run("rev-parse", "v6.12^{commit}")
        and record.key == people.linus.fingerprint
    )
    assert record.signer == "Linus <linus@example.org>" and record.message.startswith(
        "the tag v6.12 was signed by"
    )
    answer, differences = verify_git_tree(got.tree, policy=policy)
    assert answer.ok and differences.is_same
    assert get_git("v6.12", policy=policy, **how).was_here
    assert get_git("v6.13-rc1", policy=policy, **how).record.verified


def test_it_is_shallow(repository: Repository, policy: Policy) -> None:
    url = f"file://{repository.place}"
    got = get_git("v6.13-rc1", url=url, policy=policy)
    count = ["git", "-C", str(got.tree), "rev-list", "--count", "HEAD"]
    assert subprocess.run(count, capture_output=True, text=True, check=True).stdout.strip() == "1"
    full = get_git("v6.12", url=url, policy=policy, full=True)
    assert not (Path(str(full.tree)) / ".git/shallow").exists()


@pytest.mark.parametrize(
    "kind", ["changed", "renamed", "unsigned", "lightweight", "stranger", "expired", "ssh"]
)
def test_bad_tags(
    kind: str, how: dict[str, Any], repository: Repository, policy: Policy, people: Any
) -> None:
    state, message = {
        "changed": (State.TAMPERED, "the tag v1.0 is not what Linus <linus@example.org> signed"),
        "renamed": (State.OTHER_RELEASE, "was signed by Linus <linus@example.org>, but as v6.12"),
        "unsigned": (State.NO_SIGNATURE, "the tag v1.0 is not signed"),
        "lightweight": (State.NO_SIGNATURE, "a tag without a text"),
        "stranger": (State.UNKNOWN_KEY, "which is not here"),
        "expired": (State.EXPIRED_KEY, "has expired"),
        "ssh": (State.NO_SIGNATURE, "signed with an SSH key"),
    }[kind]
    if kind == "lightweight":
        repository.run("tag", "v1.0")
    elif kind == "changed":
        repository.tag("v1.0", people.linus, change=b"Minix ")
    elif kind == "renamed":
        repository.tag("v1.0", people.linus, inner="v6.12")
    elif kind == "expired":
        signed = replace_sign(people.expired)
        repository.tag("v1.0", signed)
    elif kind == "ssh":
        repository.tag("v1.0", Ssh())
    else:
        repository.tag("v1.0", people.mallory if kind == "stranger" else None)
    with pytest.raises(BadInputError) as caught:
        get_git("v1.0", policy=policy, **how)
    assert message in caught.value.message and "nothing was checked out" in caught.value.message
    trusting = replace(policy, unverified=True)
    if state.is_damage:
        with pytest.raises(BadInputError):
            get_git("v1.0", policy=trusting, **how)
        return
    got = get_git("v1.0", policy=trusting, **how)
    assert not got.record.verified and got.record.state == state.value
    with pytest.raises(UsageError, match="is there already, unverified"):
        get_git("v1.0", policy=policy, **how)


class Ssh:
    """Signs as git does with `gpg.format=ssh`, as far as a reader can tell."""

    def sign(self, data: bytes) -> bytes:
        """The block alone."""
        return b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"


def replace_sign(key: Any) -> Any:
    """A key that signs in the past."""

    class Past:
        def sign(self, data: bytes) -> bytes:
            return bytes(key.sign(data, time="20200101T000000"))

    return Past()


def test_a_branch_and_a_commit_are_not_signed(
    how: dict[str, Any], repository: Repository, policy: Policy
) -> None:
    for ref in ("master", repository.run("rev-parse", "HEAD")):
        with pytest.raises(BadInputError, match="only tags are signed"):
            get_git(ref, policy=policy, **how)
        got = get_git(ref, policy=replace(policy, unverified=True), **how)
        assert (Path(str(got.tree)) / "Makefile").read_text() == "# third\n" and not got.record.verified


def test_no_such_tag(how: dict[str, Any], policy: Policy) -> None:
    with pytest.raises(UsageError, match="v9"):
        get_git("v9.99", policy=policy, **how)


def test_no_such_place(policy: Policy, tmp_path: Path, home: Path) -> None:
    with pytest.raises(MissingError, match="cannot be asked"):
        get_git("v6.12", url=f"file://{tmp_path}/nothing", policy=policy)
    with pytest.raises(UsageError, match="is no clone"):
        get_git("v6.12", reference=tmp_path / "nothing", policy=policy)
    with pytest.raises(UsageError, match="is no address"):
        get_git("v6.12", url="--upload-pack=touch evil", policy=policy)


def test_nothing_of_the_repository_is_run(repository: Repository, policy: Policy, tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    evil.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction"):
        (repository.place / ".git/hooks" / hook).unlink(missing_ok=True)
        (repository.place / ".git/hooks").mkdir(exist_ok=True)
        (repository.place / ".git/hooks" / hook).symlink_to(evil)
    got = get_git("v6.12", reference=repository.place, policy=policy)
    assert got.tree is not None
    repository.run("config", "core.fsmonitor", str(evil))
    repository.run("config", "filter.evil.clean", str(evil))
    (got.tree / ".gitattributes").write_text("* filter=evil\n")
    (got.tree / "Makefile").touch()
    answer, differences = verify_git_tree(got.tree, policy=policy)
    assert answer.ok and differences.is_same
    assert not (tmp_path / "ran").exists()


def test_what_changed_in_a_tree(how: dict[str, Any], policy: Policy) -> None:
    got = get_git("v6.12", policy=policy, **how)
    assert got.tree is not None
    subprocess.run(["git", "-C", str(got.tree), "update-index", "--assume-unchanged", "Makefile"], check=True)
    (got.tree / "Makefile").write_text("# evil\n")
    (got.tree / "run.sh").chmod(0o644)
    (got.tree / "link").unlink()
    _, differences = verify_git_tree(got.tree, policy=policy)
    assert differences.changed == ("Makefile", "run.sh") and differences.missing == ("link",)


def test_a_clone_of_one_s_own(repository: Repository, policy: Policy) -> None:
    answer, _ = verify_git_tree(repository.place, policy=policy)
    assert answer.state is State.NO_SIGNATURE and "no tag names what is checked out" in answer.message
    repository.run("checkout", "-q", "v6.12")
    answer, differences = verify_git_tree(repository.place, policy=policy)
    assert answer.ok and differences.is_same
    repository.tag("v6.12-local")
    assert verify_git_tree(repository.place, policy=policy)[0].ok  # one good tag is enough


def test_tags_of_other_things() -> None:
    with pytest.raises(BadInputError):
        parse_tag(b"object 1234\ntype tree\ntag v1\n\ntext")
    with pytest.raises(BadInputError):
        parse_tag(b"")
    tag = parse_tag(b"object " + b"a" * 40 + b"\ntype commit\ntag v1\n\n\xff\xfe -----BEGIN")
    assert tag.name == "v1" and tag.payload.endswith(b"\xff\xfe -----BEGIN") and tag.signature == b""
