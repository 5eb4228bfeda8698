# SPDX-License-Identifier: MIT
"""Kernel sources from git: a shallow clone, or a worktree of a clone that is here; signed tags verified.

Of a repository nothing is run: no hooks, no filters; what is checked out was verified before.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from lkm import process
from lkm.errors import BadInputError, MissingError, UsageError
from lkm.paths import locked, make_dir, new_directory
from lkm.progress import Progress, Silent
from lkm.release.explain import tell
from lkm.release.get import DEFAULT_POLICY, Got, Policy, iso, sources_dir
from lkm.release.gpgv import check_signature
from lkm.release.keys import find_keys
from lkm.release.mirror import GIT
from lkm.release.openpgp import is_signature
from lkm.release.record import Differences, Record, read_record, write_record
from lkm.release.signers import find_signer
from lkm.release.value import State, Verification

_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# A whole history is 3 GB.
_TIMEOUT = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag object: its own name, the commit it names, the text that was signed, the signature or b""."""

    name: str
    commit: str
    payload: bytes
    signature: bytes


def parse_tag(data: bytes) -> Tag:
    """A tag object as `git cat-file tag` gives it; raises `BadInputError` where it is of no commit."""
    text, found, rest = data.partition(_SIGNATURE)
    head = text.partition(b"\n\n")[0].decode("utf-8", "replace").splitlines()
    fields = dict(line.split(" ", 1) for line in head if " " in line)
    commit = fields.get("object", "")
    if fields.get("type") != "commit" or not _COMMIT.fullmatch(commit):
        raise BadInputError("it is a tag of something that is no commit")
    return Tag(fields.get("tag", ""), commit, text, found + rest)


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_DIR")}
    for name in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        kept.pop(name, None)
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def _git(place: Path, *words: str, timeout: float = 600.0) -> process.Result:
    """git in a directory, with nothing of the repository's run."""
    argv = ["git", "-C", str(place), "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *words]
    return process.run(argv, env=_environment(), timeout=timeout, errors="surrogateescape")


def verify_tag(place: Path, name: str, *, policy: Policy, progress: Progress) -> tuple[Verification, str]:
    """Whether the tag `name` of a repository is signed by who is pinned; and the commit it names."""
    ref = f"refs/tags/{name}"
    oid = _git(place, "rev-parse", "--verify", "--quiet", ref).stdout.strip()
    if not oid:
        return Verification(name, State.NO_SIGNATURE, f"{name} is no tag: only tags are signed",
                            "lkm kernel get git:v6.12"), ""  # fmt: skip
    if _git(place, "cat-file", "-t", oid).stdout.strip() != "tag":
        message = f"{name} is a tag without a text, and so without a signature"
        return Verification(name, State.NO_SIGNATURE, message, "releases have signed tags: v6.12"), oid
    said = _git(place, "cat-file", "tag", oid).check(f"reading the tag {name}").stdout
    try:
        tag = parse_tag(said.encode("utf-8", "surrogateescape"))
    except BadInputError as error:
        return Verification(name, State.NOT_A_SIGNATURE, f"{name}: {error.message}"), ""
    return _verify_tag(name, tag, policy, progress), tag.commit


def _verify_tag(name: str, tag: Tag, policy: Policy, progress: Progress) -> Verification:
    what = f"the tag {name}"
    if not tag.signature:
        other = b"-----BEGIN SSH SIGNATURE-----" in tag.payload
        message = f"{what} is signed with an SSH key, which nobody is pinned by" if other else (
            f"{what} is not signed")  # fmt: skip
        return Verification(name, State.NO_SIGNATURE, message, "releases have signed tags: v6.12")
    if not is_signature(tag.signature):
        return Verification(name, State.NOT_A_SIGNATURE, f"{what}: what should be its signature is none")
    for refresh in (False, True):
        keys = find_keys(policy.signers, keyring=policy.keyring, fetch=policy.fetch_keys, refresh=refresh,
                         progress=progress)  # fmt: skip
        signature = check_signature(tag.signature, [tag.payload], keys.keys, policy.signers)
        if signature.state is not State.EXPIRED_KEY or policy.keyring is not None or not policy.fetch_keys:
            break
    signer = find_signer(signature.primary, policy.signers)
    shown = signer.shown if signer and signer.name else signature.user
    if signature.state is State.GOOD and tag.name != name:
        return Verification(
            name,
            State.OTHER_RELEASE,
            f"{what} was signed by {shown}, but as {tag.name}: somebody gave it another name",
            f"lkm kernel get git:{tag.name}, if that is what you want; from another place: --git URL",
            shown,
            signature,
        )
    message, hint = tell(what, signature, signers=policy.signers, keys=keys)
    return Verification(name, signature.state, message, hint, shown, signature, size=len(tag.payload))


def get_git(
    ref: str,
    *,
    url: str = GIT,
    reference: Path | None = None,
    policy: Policy = DEFAULT_POLICY,
    dest: Path | None = None,
    full: bool = False,
    progress: Progress | None = None,
) -> Got:
    """The tree of a tag, branch or commit: of a shallow clone of `url`, with all of its history where `full`,
    or a worktree of the clone `reference`, which is here.

    Raises as `get_release` does.
    """
    progress = progress or Silent()
    if process.find_program("git") is None:
        raise MissingError("git is not on this machine", hint="install it: apt-get install git")
    final = (dest or sources_dir()) / f"linux-{ref.replace('/', '-')}-git"
    make_dir(final.parent)
    with locked(make_dir(sources_dir()) / f".{final.name}.lock"):
        if final.exists():
            return _find_here(final, policy)
        if reference is not None:
            return _add_worktree(ref, reference, final, policy, progress)
        return _clone(ref, url, final, policy, full, progress=progress)


def _find_here(final: Path, policy: Policy) -> Got:
    record = read_record(final)
    if record is None or (not record.verified and not policy.unverified):
        why = "nothing says where it came from" if record is None else f"unverified: {record.message}"
        raise UsageError(f"{final} is there already, {why}", hint="--dest DIR, or remove it")
    return Got(record.version, final, None, record, was_here=True)


def _clone(ref: str, url: str, final: Path, policy: Policy, full: bool, *, progress: Progress) -> Got:
    if url.startswith("-"):
        raise UsageError(f"'{url}' is no address of a repository", hint="--git https://…")
    progress.update(f"asking {url} for {ref}")
    with new_directory(final) as part:
        _git(part, "init", "--quiet", "--template=").check("making a repository")
        wanted = _find_remote(part, url, ref)
        words = [] if full else ["--depth=1"]
        progress.update(f"fetching {ref} by git")
        fetch = ["fetch", "--quiet", "--no-tags", "--no-auto-maintenance", *words, "--", url, wanted]
        result = _git(part, *fetch, timeout=_TIMEOUT)
        if result.status != 0 and words and "shallow" in result.stderr:
            fetch.remove("--depth=1")  # a server of plain files: all of the history, or nothing
            result = _git(part, *fetch, timeout=_TIMEOUT)
        if result.status != 0:
            said = (result.stderr.strip().splitlines() or [f"status {result.status}"])[-1]
            raise MissingError(f"{url}: {ref} could not be fetched: {said}", hint="another place: --git URL")
        _git(part, "remote", "add", "origin", "--", url)
        answer, commit = _look(part, ref, policy, progress)
        _must_be_good(answer, policy)
        progress.update(f"checking out {ref}")
        _git(part, "checkout", "--quiet", "--detach", commit, timeout=3600).check(f"checking out {ref}")
        record = write_record(final, _describe(ref, url, commit, answer))
    return Got(ref, final, None, record)


def _find_remote(part: Path, url: str, ref: str) -> str:
    """What to fetch: the tag of this name, else the branch, else the commit."""
    result = _git(part, "ls-remote", "--", url, f"refs/tags/{ref}", f"refs/heads/{ref}", timeout=300)
    if result.status != 0:
        said = (result.stderr.strip().splitlines() or [f"status {result.status}"])[-1]
        raise MissingError(f"{url} cannot be asked: {said}", hint="another place: --git URL")
    names = [line.split("\t")[1] for line in result.stdout.splitlines() if "\t" in line]
    if f"refs/tags/{ref}" in names:
        return f"+refs/tags/{ref}:refs/tags/{ref}"
    if f"refs/heads/{ref}" in names:
        return f"+refs/heads/{ref}:refs/remotes/origin/{ref}"
    if _COMMIT.fullmatch(ref):
        return ref
    raise UsageError(
        f"{url} has no tag or branch '{ref}'", hint="lkm kernel get git:v6.12; a commit needs all its digits"
    )


def _look(place: Path, ref: str, policy: Policy, progress: Progress) -> tuple[Verification, str]:
    """What is known of a name in a repository, and the commit it is."""
    answer, commit = verify_tag(place, ref, policy=policy, progress=progress)
    if commit:
        return answer, commit
    for name in (f"refs/remotes/origin/{ref}", f"refs/heads/{ref}", ref):
        found = _git(place, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if found.status == 0:
            return answer, found.stdout.strip()
    raise UsageError(f"{place} has no tag, branch or commit '{ref}'", hint=f"git -C {place} fetch --tags")


def _add_worktree(ref: str, reference: Path, final: Path, policy: Policy, progress: Progress) -> Got:
    inside = _git(reference, "rev-parse", "--git-dir") if reference.is_dir() else None
    if inside is None or inside.status != 0:
        said = inside.stderr.strip().splitlines()[-1] if inside and inside.stderr.strip() else "no directory"
        raise UsageError(
            f"{reference} is no clone: {said}", hint="--reference DIR, a git clone of the kernel"
        )
    answer, commit = _look(reference, ref, policy, progress)
    _must_be_good(answer, policy)
    progress.update(f"checking out {ref}")
    record = write_record(final, _describe(ref, str(reference.resolve()), commit, answer))
    _git(reference, "worktree", "prune")  # one that was removed by hand is still in its list
    add = ["worktree", "add", "--quiet", "--detach", str(final), commit]
    _git(reference, *add, timeout=3600).check(f"checking out {ref}")
    return Got(ref, final, None, record)


def _must_be_good(answer: Verification, policy: Policy) -> None:
    if answer.ok or (policy.unverified and not answer.state.is_damage):
        return
    hint = answer.hint if answer.state.is_damage else f"{answer.hint}; or --unverified, and it is marked so"
    raise BadInputError(f"{answer.message}; nothing was checked out", hint=hint.removeprefix("; "))


def _describe(ref: str, source: str, commit: str, answer: Verification) -> Record:
    signature = answer.signature
    return Record(
        version=ref.removeprefix("v"),
        origin="git",
        source=source,
        verified=answer.ok,
        state=answer.state.value,
        message=answer.message,
        signer=answer.signer,
        key=(signature.primary or signature.key) if signature else "",
        signed=iso(signature.made) if signature else "",
        commit=commit,
    )


def is_git_tree(tree: Path) -> bool:
    """Whether a directory is the top of a clone or of a worktree."""
    return (tree / ".git").exists()


def verify_git_tree(
    tree: Path, *, policy: Policy = DEFAULT_POLICY, progress: Progress | None = None
) -> tuple[Verification, Differences]:
    """Whether what is checked out is a signed tag, and which of its files differ from it.

    Files are compared by what is in them, by ourselves: of the repository's own settings nothing is run.
    """
    progress = progress or Silent()
    found = _git(tree, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if found.status != 0:
        said = (found.stderr.strip().splitlines() or ["nothing is checked out"])[-1]
        raise UsageError(f"{tree}: {said}", hint="a tree of kernel sources")
    head = found.stdout.strip()
    names = _git(tree, "for-each-ref", "--points-at", head, "--format=%(refname)", "refs/tags").stdout.split()
    answers: list[Verification] = []
    for name in names:
        answer, commit = verify_tag(tree, name.removeprefix("refs/tags/"), policy=policy, progress=progress)
        if commit == head:
            answers.append(answer)
    if not answers:
        message = f"no tag names what is checked out, {head[:12]}: only tags are signed"
        answers = [Verification(tree.name, State.NO_SIGNATURE, message, "git checkout v6.12")]
    best = next((answer for answer in answers if answer.ok), answers[0])
    return best, _compare(tree, head, progress)


def _compare(tree: Path, head: str, progress: Progress) -> Differences:
    listed = _git(tree, "ls-tree", "-r", "-z", "--full-tree", head).check("reading the tree").stdout
    rows = [row for row in listed.split("\0") if row]
    changed, missing = [], []
    for number, row in enumerate(rows):
        if not number & 0xFF:
            progress.update(f"reading {tree.name}", number, len(rows))
        words, _, path = row.partition("\t")
        mode, kind, oid = words.split(" ")
        if kind != "blob":
            continue
        try:
            if _read_blob(tree / path, mode, len(oid)) != oid:
                changed.append(path)
        except OSError:
            missing.append(path)
    return Differences(tuple(changed), tuple(missing))


def _read_blob(path: Path, mode: str, digits: int) -> str:
    """The name git has for a file's contents; "" where it is another kind of thing than `mode` says."""
    is_link, stat = path.is_symlink(), path.lstat()
    if is_link != (mode == "120000") or (not is_link and bool(stat.st_mode & 0o100) != (mode == "100755")):
        return ""
    data = os.fsencode(path.readlink()) if is_link else path.read_bytes()
    digest = hashlib.sha1 if digits == 40 else hashlib.sha256
    return digest(b"blob %d\0" % len(data) + data).hexdigest()
