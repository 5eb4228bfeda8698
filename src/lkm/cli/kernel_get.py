# SPDX-License-Identifier: MIT
"""`lkm kernel get`: a release's sources, verified and unpacked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common
from lkm.cli.kernel_trust import keyring_option, read_policy, signer_option
from lkm.config import read_config
from lkm.errors import UsageError

if TYPE_CHECKING:
    from lkm.release import Got, Policy, Wanted
    from lkm.release.mirror import Mirror

SCHEMA = 1
_DIRECTORY = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options say besides the release itself."""

    mirror: str | None
    dest: Path | None
    git_url: str | None
    reference: Path | None
    full: bool
    no_unpack: bool
    dry_run: bool


@click.command("get", short_help="Get a release's sources, verified.")
@click.argument("version", metavar="VERSION")
@click.option(
    "--mirror", metavar="URL|DIR", help="Where from (default: kernel-mirror of lkm.toml, kernel.org)."
)
@click.option("--dest", type=_DIRECTORY, metavar="DIR", help="Unpack below DIR (default: in the cache).")
@click.option("--git", "git_url", metavar="URL", help="The repository of git:REF (default: kernel.org's).")
@click.option("--reference", type=_DIRECTORY, metavar="CLONE", help="Make git:REF a worktree of this clone.")
@click.option("--full", is_flag=True, help="Fetch all the history of git:REF.")
@click.option("--no-unpack", is_flag=True, help="Fetch and verify only.")
@click.option("--no-sums", is_flag=True, help="Do without a list of checksums where there is none.")
@click.option("--unverified", is_flag=True, help="Take what is not well signed, and mark it.")
@keyring_option
@signer_option
@click.option(
    "--sums-signer", "sums_signers", multiple=True, metavar="FPR", help="The same for the list of checksums."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched, and to where.")
@common.json_option
@common.verbose_option
def command(
    *,
    version: str,
    no_sums: bool,
    unverified: bool,
    keyring: Path | None,
    signers: tuple[str, ...],
    sums_signers: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Get the sources of a release, verify who signed them, unpack them, and print where they are.

    VERSION is a release (6.12.9, 6.12-rc3), a series for its newest (6.12), stable, longterm, mainline,
    git:REF (a tag, branch or commit), or debian:6.12 (Debian's own, with its patches).

    A fetch that broke off goes on where it stopped. Nothing is unpacked that is not signed by one of those
    who sign kernels (docs/get.md).
    """
    asked = _Asked(**options)
    policy = read_policy(keyring, signers, sums_signers, unverified=unverified, need_sums=not no_sums)
    with common.progress() as bar:
        got = _get(version, asked, policy, bar)
    if got is None:
        return
    if as_json:
        common.emit_json(to_json(got))
    else:
        tell(got)


def _get(version: str, asked: _Asked, policy: Policy, bar: common.Bar) -> Got | None:
    from lkm.release import find_version, get_release, parse_wanted
    from lkm.release.names import Kind

    if version.partition(":")[0] == "debian":
        _refuse("Debian's sources", "--mirror", asked.mirror)
        _refuse(
            "Debian's sources", "--git, --reference, --full", asked.git_url or asked.reference or asked.full
        )
        return _get_debian(version.partition(":")[2], asked, bar)
    wanted = parse_wanted(version)
    if wanted.kind is Kind.GIT:
        _refuse("git:REF; --git names its repository", "--mirror", asked.mirror)
        _refuse("git:REF", "--no-unpack", asked.no_unpack)
        return _get_git(wanted, asked, policy, bar)
    _refuse(
        "git:REF only", "--git, --reference, --full", asked.git_url or asked.reference or asked.full, yes=True
    )
    mirror = find_place(asked.mirror)
    release = find_version(wanted, mirror, progress=bar)
    if asked.dry_run:
        _tell_plan(release, mirror, asked)
        return None
    return get_release(
        release, mirror, policy=policy, dest=_dest(asked), unpacked=not asked.no_unpack, progress=bar
    )


def _refuse(what: str, option: str, value: object, *, yes: bool = False) -> None:
    if value:
        raise UsageError(f"{option} {'is for' if yes else 'is not for'} {what}", hint="lkm kernel get --help")


def _dest(asked: _Asked) -> Path | None:
    return None if asked.dest is None else asked.dest.absolute()


def find_place(mirror: str | None) -> Mirror:
    """Where releases come from: the option, else `LKM_KERNEL_MIRROR`, else lkm.toml, else kernel.org."""
    from lkm.release import find_mirror

    return find_mirror(mirror or os.environ.get("LKM_KERNEL_MIRROR", "") or read_config().kernel_mirror)


def _get_git(wanted: Wanted, asked: _Asked, policy: Policy, bar: common.Bar) -> Got | None:
    from lkm.release import get_git, sources_dir
    from lkm.release.mirror import GIT

    url = asked.git_url or GIT
    if asked.dry_run:
        how = f"a worktree of {asked.reference}" if asked.reference else f"a clone of {url}"
        click.echo(f"{wanted.text}: {how}, below {_dest(asked) or sources_dir()}")
        common.note("whether that has it was not asked", dim=True)
        return None
    return get_git(
        wanted.text,
        url=url,
        reference=asked.reference,
        policy=policy,
        dest=_dest(asked),
        full=asked.full,
        progress=bar,
    )


def _get_debian(words: str, asked: _Asked, bar: common.Bar) -> Got | None:
    from lkm.kernel.debian import Debian
    from lkm.kernel.debian_source import get_debian_source, package_name

    debian = Debian(read_config())
    if asked.dry_run:
        click.echo(f"the package {package_name(words)}, by apt")
        common.note("whether Debian has it was not asked", dim=True)
        return None
    return get_debian_source(debian, words, dest=_dest(asked), progress=bar)


def _tell_plan(release: str, mirror: Mirror, asked: _Asked) -> None:
    from lkm.release import sources_dir

    click.echo(f"linux {release}")
    click.echo(f"  from  {mirror.where(release)}")
    if not asked.no_unpack:
        click.echo(f"  to    {(_dest(asked) or sources_dir()) / f'linux-{release}'}")


def to_json(got: Got) -> dict[str, Any]:
    """What was got, as `--json` shows it."""
    return {
        "schema": SCHEMA,
        "version": got.version,
        "tree": got.tree,
        "file": got.file,
        "was_here": got.was_here,
        "record": got.record,
    }


def tell(got: Got) -> None:
    """Who signed it on standard error, where it is on standard output."""
    if got.was_here:
        common.note("already here", dim=True)
    record = got.record
    if record.verified:
        common.note(f"good: {record.message}", fg="green")
    else:
        common.note(f"unverified: {record.message}", fg="yellow", bold=True)
    click.echo(str(got.tree or got.file))
