# SPDX-License-Identifier: MIT
"""`lkm kernel verify`: who signed a file of sources, a tag; whether a tree is still what was signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli import common
from lkm.cli.kernel_trust import keyring_option, read_policy, signer_option, tell_verification
from lkm.errors import UsageError

if TYPE_CHECKING:
    from lkm.release import Policy, TreeAnswer
    from lkm.release.record import Differences

SCHEMA = 1
_SHOWN = 10
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command("verify", short_help="Verify who signed sources.")
@click.argument("place", metavar="FILE|TREE", type=click.Path(path_type=Path))
@click.option("--signature", type=_FILE, metavar="FILE", help="The signature (default: beside FILE).")
@click.option("--tarball", type=_FILE, metavar="FILE", help="Compare TREE with what is in this file.")
@click.option("--deep", is_flag=True, help="Compare TREE with the file it was unpacked from, verified anew.")
@keyring_option
@signer_option
@click.option("--offline", is_flag=True, help="Get no key over the network.")
@common.json_option
@common.verbose_option
def command(
    *,
    place: Path,
    signature: Path | None,
    tarball: Path | None,
    deep: bool,
    keyring: Path | None,
    signers: tuple[str, ...],
    offline: bool,
    as_json: bool,
) -> int:
    """Verify the developer's signature of FILE (linux-6.12.9.tar.xz, its .sign beside it).

    It is over the tar in FILE: that is read through, nothing is written. Good are the keys that kernels are
    signed with, by their fingerprints; they come from --keyring, from where they were kept the last time,
    from your gpg's keyring, or from their owners' addresses (WKD).

    TREE is compared with the record of its unpacking; a clone or worktree with its signed tag.
    """
    from lkm.release import verify_file

    if not place.exists():
        raise UsageError(f"{place}: there is no such file or directory", hint=_near(place))
    policy = read_policy(keyring, signers, fetch_keys=not offline)
    if place.is_dir():
        return _verify_tree(place, deep, tarball, signature, policy, as_json=as_json)
    if deep or tarball is not None:
        raise UsageError("--deep and --tarball are for a tree", hint="lkm kernel verify TREE --tarball FILE")
    from lkm.release.verify import find_signature

    # With a signature beside it, that says what it is.
    if signature is None and find_signature(place) is None:
        _check_tarball(place)
    with common.progress() as bar:
        answer = verify_file(
            place,
            signature=signature,
            signers=policy.signers,
            keyring=policy.keyring,
            fetch_keys=policy.fetch_keys,
            progress=bar,
        )
    if as_json:
        common.emit_json({"schema": SCHEMA, "ok": answer.ok, **common.to_plain(answer)})
    else:
        tell_verification(answer)
        if answer.hint:
            common.hint(answer.hint)
    return 0 if answer.ok else 1


def _near(place: Path) -> str:
    from difflib import get_close_matches

    beside = [one.name for one in place.parent.iterdir()] if place.parent.is_dir() else []
    near = get_close_matches(place.name, beside, n=1)
    return f"lkm kernel verify {place.parent / near[0]}" if near else "lkm kernel get VERSION fetches one"


def _check_tarball(path: Path) -> None:
    from lkm.release.compression import is_tarball

    try:
        good = is_tarball(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint=f"ls -l {path}") from None
    if not good:
        raise UsageError(
            f"{path} is no tarball, compressed or not",
            hint="lkm kernel get --no-unpack VERSION fetches one of a kernel's sources",
        )


def _check_tree(tree: Path) -> None:
    """Raises `UsageError` for a directory of which neither a record nor git nor its files say what it is."""
    from lkm.kconfig.tree import is_tree
    from lkm.release.git import is_git_tree
    from lkm.release.record import read_record

    if read_record(tree) is None and not is_git_tree(tree) and not is_tree(tree):
        raise UsageError(
            f"{tree} is no tree of kernel sources (Kconfig, Makefile and scripts/kconfig are looked for)",
            hint="lkm kernel get VERSION fetches one",
        )


def _verify_tree(
    tree: Path, deep: bool, tarball: Path | None, signature: Path | None, policy: Policy, *, as_json: bool
) -> int:
    from lkm.release import verify_tree

    tree = tree.resolve()
    if tarball is not None:
        _check_tarball(tarball)
    elif not deep:
        _check_tree(tree)
    with common.progress() as bar:
        answer = verify_tree(
            tree, deep=deep, tarball=tarball, signature=signature, policy=policy, progress=bar
        )
    if as_json:
        common.emit_json({"schema": SCHEMA, "ok": answer.ok, **common.to_plain(answer)})
    else:
        _tell(answer)
    return 0 if answer.ok else 1


def _tell(answer: TreeAnswer) -> None:
    click.secho(
        "good: " if answer.ok else "not good: ", nl=False, bold=True, fg="green" if answer.ok else "red"
    )
    common.echo_lines([answer.message])
    if answer.differences is not None:
        for line in _difference_lines(answer.differences):
            click.echo(line)
    if answer.hint:
        common.hint(answer.hint)


def _difference_lines(differences: Differences) -> list[str]:
    from lkm.release.tar import show_name

    lines = []
    for label, paths in (("changed", differences.changed), ("missing", differences.missing)):
        lines += [f"  {label:8} {show_name(path)}" for path in paths[:_SHOWN]]
        lines += [f"  {label:8} and {len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else []
    count = len(differences.added)
    if count:
        some = ", ".join(map(show_name, differences.added[:3])) + (", …" if count > 3 else "")
        lines.append(f"  {'added':8} {some} ({count} in all; that alone is no fault)")
    return lines
