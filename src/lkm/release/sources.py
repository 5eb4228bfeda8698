# SPDX-License-Identifier: MIT
"""The library's way to a kernel's sources: whatever they are called, in one call."""

from __future__ import annotations

from pathlib import Path

from lkm.progress import Progress
from lkm.release.get import DEFAULT_POLICY, Got, Policy, find_version, get_release
from lkm.release.git import get_git
from lkm.release.mirror import GIT, find_mirror
from lkm.release.names import Kind, parse_wanted


def get_sources(
    name: str,
    *,
    mirror: str = "",
    git: str = GIT,
    reference: Path | None = None,
    policy: Policy = DEFAULT_POLICY,
    dest: Path | None = None,
    progress: Progress | None = None,
) -> Got:
    """The sources of `6.12.9`, `6.12`, `stable`, `longterm`, `mainline` or `git:v6.12`, verified.

    `mirror`: an address or a directory, "" for kernel.org.  `git`: a repository, or `reference`: a clone
    that is here.  The tree is in the cache, or below `dest`.  Raises `UsageError` where there is no such
    release, `BadInputError` where what came is not good, `MissingError` where it cannot be had.
    """
    wanted = parse_wanted(name)
    if wanted.kind is Kind.GIT:
        return get_git(wanted.text, url=git, reference=reference, policy=policy, dest=dest, progress=progress)
    place = find_mirror(mirror)
    version = find_version(wanted, place, progress=progress)
    return get_release(version, place, policy=policy, dest=dest, progress=progress)
