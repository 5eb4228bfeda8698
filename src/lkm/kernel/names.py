# SPDX-License-Identifier: MIT
"""What the words after `debian:` mean; values only, and light: on the way of every run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

_FLAVOUR = re.compile(r"-((?!rc\d)[a-z][a-z0-9]*(?:-[a-z0-9]+)*)$")
_WORDS = re.compile(r"[0-9A-Za-z.+~_-]{0,128}")
# Without a flavour the one that boots fastest is meant.
PREFERRED = ("cloud-amd64", "cloud-arm64", "amd64", "arm64")

# Debian's releases that kernels are fetched from, oldest first.
RELEASES = ("bookworm", "trixie", "sid")

T = TypeVar("T")


def split_flavour(release: str) -> tuple[str, str]:
    """`6.1.0-56-cloud-amd64` → (`6.1.0-56`, `cloud-amd64`); the flavour is "" where there is none."""
    match = _FLAVOUR.search(release)
    return (release[: match.start()], match[1]) if match else (release, "")


def is_words(words: str) -> bool:
    """Whether `words` could follow `debian:`; they become a file's name too."""
    return bool(_WORDS.fullmatch(words)) and not words.startswith(".")


def choose_named(items: Sequence[T], words: str, release_of: Callable[[T], str]) -> list[T]:
    """Those of `items` that `words` name, in their order, all of one flavour.

    `words`: a whole release, or the beginning of one (`6.1`, `6.1.0-56`), with or without a flavour;
    "" names all.
    """
    exact = [item for item in items if release_of(item) == words]
    if exact:
        return exact
    wanted, flavour = split_flavour(words)
    fitting = [
        item
        for item in items
        if _begins(split_flavour(release_of(item))[0], wanted)
        and flavour in ("", split_flavour(release_of(item))[1])
    ]
    if flavour:
        return fitting
    flavours = [split_flavour(release_of(item))[1] for item in fitting]
    best = next((name for name in PREFERRED if name in flavours), None)
    return [item for item, own in zip(fitting, flavours, strict=True) if best in (None, own)]


def _begins(release: str, words: str) -> bool:
    return not words or release == words or (release.startswith(words) and release[len(words)] in ".+-~")


def read_codename(default: str = "") -> str:
    """This machine's release of Debian (os-release(5): `trixie`; testing and sid say `sid`), or `default`."""
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            fields = dict(line.rstrip().split("=", 1) for line in stream if "=" in line)
    except OSError:
        return default
    if fields.get("ID", "").strip('"') != "debian":
        return default
    own = fields.get("VERSION_CODENAME", "sid").strip('"')
    return own if own in RELEASES else default
