# SPDX-License-Identifier: MIT
"""What the verbs that verify kernel sources share: whom to believe, and how an answer is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli import common

if TYPE_CHECKING:
    from lkm.release import Policy, Verification
    from lkm.release.signers import Signer


def keyring_option(function: common.F) -> common.F:
    """`--keyring FILE`, which `--key` is another word for."""
    return click.option(
        "--keyring",
        "--key",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="FILE",
        help="Use the keys in this file, and no others.",
    )(function)


def signer_option(function: common.F) -> common.F:
    """`--signer FPR`."""
    return click.option(
        "--signer",
        "signers",
        multiple=True,
        metavar="FPR",
        help="Only this key's signature is good (a fingerprint; again for more).",
    )(function)


def read_policy(
    keyring: Path | None,
    signers: tuple[str, ...] = (),
    sums_signers: tuple[str, ...] = (),
    *,
    unverified: bool = False,
    need_sums: bool = True,
    fetch_keys: bool = True,
) -> Policy:
    """Whom to believe, as the options say it; the pinned signers where they say nothing."""
    from lkm.release import Policy
    from lkm.release.signers import RELEASE_SIGNERS, SUMS_SIGNERS

    return Policy(
        signers=[_find(text, RELEASE_SIGNERS) for text in signers] or RELEASE_SIGNERS,
        sums_signers=[_find(text, SUMS_SIGNERS) for text in sums_signers] or SUMS_SIGNERS,
        keyring=keyring,
        unverified=unverified,
        need_sums=need_sums,
        fetch_keys=fetch_keys,
    )


def _find(text: str, known: tuple[Signer, ...]) -> Signer:
    from lkm.release.signers import Signer, find_signer, parse_fingerprint

    by_address = next((signer for signer in known if signer.address == text), None)
    if by_address is not None:
        return by_address
    fingerprint = parse_fingerprint(text)
    return find_signer(fingerprint, known) or Signer(fingerprint)


def tell_verification(answer: Verification) -> None:
    """A signature's answer on standard output: who, when, with which key; or what is wrong."""
    from lkm.release.openpgp import format_fingerprint

    click.secho("good: " if answer.ok else f"{answer.state.value}: ", nl=False, bold=True,
                fg="green" if answer.ok else "red")  # fmt: skip
    common.echo_lines([answer.message])
    signature = answer.signature
    if signature is None or not signature.key:
        return
    key = format_fingerprint(signature.key) if len(signature.key) >= 40 else signature.key
    rows = [("key", key)]
    if signature.primary not in ("", signature.key):
        rows.append(("a subkey of", format_fingerprint(signature.primary)))
    if signature.hash_name:
        rows.append(("hash", signature.hash_name))
    if answer.size:
        rows.append(("over", f"{answer.size:,} bytes"))
    for label, value in rows:
        click.echo(f"  {label:12} {value}")
