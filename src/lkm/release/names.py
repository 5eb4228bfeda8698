# SPDX-License-Identifier: MIT
"""What a person calls a release, and what kernel.org calls its files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lkm.errors import UsageError
from lkm.version import release_key, series

_RELEASE = re.compile(r"\d{1,3}\.\d{1,4}(?:\.\d{1,4}){0,2}(?:-rc\d{1,3})?")
# What may stand for a git object's name on a command line: nothing that could be an option or an expression.
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,200}")

_FORMS = "6.12.9, 6.12 (its newest), stable, longterm, mainline, git:v6.12, debian:6.12"
_OTHERS = ("ubuntu", "fedora", "arch")  # whose kernels have names here, and whose sources nothing gets


class Kind(StrEnum):
    """How a release is named."""

    EXACT = "exact"
    SERIES = "series"
    STABLE = "stable"
    LONGTERM = "longterm"
    MAINLINE = "mainline"
    GIT = "git"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: `text` is a release (`6.12.9`), a series (`6.12`), a git name, or "" (monikers)."""

    kind: Kind
    text: str = ""


def parse_wanted(words: str) -> Wanted:
    """`6.12.9`, `6.12-rc3`; `6.12` for the newest of a series; `stable`, `longterm`, `mainline`; `git:REF`.

    `6.12.0` is the first release of a series, which its own name, `6.12`, cannot say here.
    Raises `UsageError` for anything else.
    """
    text = words.strip()
    if text in (Kind.STABLE, Kind.LONGTERM, Kind.MAINLINE):
        return Wanted(Kind(text))
    if text.startswith("git:"):
        ref = text.removeprefix("git:")
        if not _REF.fullmatch(ref) or ".." in ref or ref.endswith((".lock", "/", ".")):
            raise UsageError(
                f"'{ref}' is no name of a tag, branch or commit", hint="lkm kernel get git:v6.12"
            )
        return Wanted(Kind.GIT, ref)
    version = text.removeprefix("linux-").removeprefix("v")
    if not is_release(version):
        raise _no_wanted(words, version)
    if version.startswith("2."):
        return Wanted(Kind.EXACT, version)
    numbers = version.split(".")
    if len(numbers) == 2 and "-rc" not in version:
        return Wanted(Kind.SERIES, version)
    if len(numbers) == 3 and numbers[2] == "0":
        return Wanted(Kind.EXACT, ".".join(numbers[:2]))
    return Wanted(Kind.EXACT, version)


def _no_wanted(words: str, version: str) -> UsageError:
    """What to say of a name that is none, with the one that may have been meant."""
    provider, colon, rest = version.partition(":")
    if colon and provider in _OTHERS:
        return UsageError(
            f"'{words}': the sources of {provider.capitalize()}'s kernels are not got yet",
            hint=f"kernel.org's: lkm kernel get {rest}" if is_release(rest) else "lkm kernel get debian:6.12",
        )
    numbers = re.match(r"(\d{1,3})(?!\d)(?:\.(\d{1,4})(?!\d))?", version)
    if numbers is None:
        return UsageError(f"'{words}' is no release of Linux", hint=_FORMS)
    if numbers[2] is None:
        return UsageError(
            f"'{words}' is no release of Linux: a series has two numbers, as 6.12 has", hint=_FORMS
        )
    return UsageError(
        f"'{words}' is no release of Linux", hint=f"the newest of its series: lkm kernel get {numbers[0]}"
    )


def is_wanted(words: str) -> bool:
    """Whether `parse_wanted` knows what it is."""
    try:
        parse_wanted(words)
    except UsageError:
        return False
    return True


def is_release(text: str) -> bool:
    """Whether this is the name of a release, and nothing besides (lists may come from anybody)."""
    return _RELEASE.fullmatch(text) is not None


def is_candidate(version: str) -> bool:
    """Whether a release is a candidate for one: not signed as a file, and made elsewhere."""
    return "-rc" in version


def directory_name(version: str) -> str:
    """The directory of a release on kernel.org: `6.12.9` → `v6.x`, `2.6.39` → `v2.6`."""
    major = version.partition(".")[0]
    return f"v{series(version)}" if int(major) < 3 else f"v{major}.x"


def choose_newest(versions: Iterable[str], of: str) -> str | None:
    """The newest release of the series `of`, candidates left out."""
    fitting = [one for one in versions if series(one) == of and not is_candidate(one)]
    return max(fitting, key=release_key, default=None)


def find_nearest(version: str, versions: Iterable[str], *, count: int = 3) -> list[str]:
    """Releases that may have been meant: the nearest of the same series, else the nearest of all."""
    known = sorted(set(versions), key=release_key)
    same = [one for one in known if series(one) == series(version)]
    wanted = release_key(version)

    def distance(one: str) -> tuple[int, ...]:
        return tuple(abs(a - b) for a, b in zip(release_key(one), wanted, strict=False))

    return sorted(same or known, key=distance)[:count]
