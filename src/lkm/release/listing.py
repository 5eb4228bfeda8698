# SPDX-License-Identifier: MIT
"""What releases there are: kernel.org's `releases.json`, and the lists of checksums beside the files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from lkm.errors import BadInputError
from lkm.release.names import is_release
from lkm.version import release_key

_SUM = re.compile(r"([0-9a-f]{64})  (\S{1,200})")
_TARBALL = re.compile(r"linux-(\S+)\.tar\.(?:xz|gz|bz2|zst)")


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `releases.json`: `moniker` is mainline, stable or longterm; `source` an address or ""."""

    version: str
    moniker: str
    source: str = ""
    is_eol: bool = False


@dataclass(frozen=True, slots=True)
class Releases:
    """What kernel.org says is current: the latest stable release, and the newest of each live series."""

    latest_stable: str
    listed: tuple[Listed, ...]


def parse_releases(data: bytes) -> Releases:
    """`releases.json`, as https://www.kernel.org/releases.json has it; what is no release is left out.

    Raises `BadInputError` where it is no such list.
    """
    try:
        document = json.loads(data)
        stable = str(document["latest_stable"]["version"])
        listed = tuple(
            Listed(
                entry["version"],
                str(entry["moniker"]),
                str(entry.get("source") or ""),
                bool(entry.get("iseol")),
            )
            for entry in document["releases"]
            if isinstance(entry["version"], str) and is_release(entry["version"])
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInputError("releases.json is not the list of releases that kernel.org has") from None
    if not is_release(stable):
        raise BadInputError(f"releases.json: the latest stable release is called {stable[:40]!r}")
    return Releases(stable, listed)


def choose_moniker(releases: Releases, moniker: str) -> Listed | None:
    """The newest release of a kind: `stable`, `longterm` or `mainline`."""
    if moniker == "stable":
        known = next((one for one in releases.listed if one.version == releases.latest_stable), None)
        return known or Listed(releases.latest_stable, "stable")
    fitting = [one for one in releases.listed if one.moniker == moniker]
    return max(fitting, key=lambda one: release_key(one.version), default=None)


def parse_sums(text: bytes) -> dict[str, str]:
    """File name to SHA-256 (hex digits), of the text of a `sha256sums.asc`; other lines are passed over."""
    lines = text.decode("utf-8", "replace").splitlines()
    matches = [match for line in lines if (match := _SUM.fullmatch(line.rstrip()))]
    return {match[2]: match[1] for match in matches}


def list_versions(names: Iterable[str]) -> list[str]:
    """The releases that these files are of, the oldest first."""
    matches = [match[1] for name in names if (match := _TARBALL.fullmatch(name))]
    return sorted({version for version in matches if is_release(version)}, key=release_key)
