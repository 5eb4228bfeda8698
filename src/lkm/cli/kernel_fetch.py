# SPDX-License-Identifier: MIT
"""Sources of a release for `lkm kernel build`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lkm.cli import common
from lkm.errors import MissingError, UsageError
from lkm.progress import Progress


def fetch_sources(what: str, *, mirror: str | None, presets: Sequence[str], progress: Progress) -> Path:
    """The sources of the release `what`: those that are here, else got and verified.

    `mirror`: as `--mirror` has it.  `presets`: for the hint.  Raises as `get_release`.
    """
    from lkm.cli.kernel_get import find_place
    from lkm.cli.kernel_tree import find_named
    from lkm.release.names import Kind

    if what.startswith("debian:"):
        from lkm.config import read_config
        from lkm.kernel.debian import Debian
        from lkm.kernel.debian_source import get_debian_source

        got = get_debian_source(Debian(read_config()), what.partition(":")[2], dest=None, progress=progress)
        assert got.tree is not None
        return got.tree
    from lkm.release import find_version, get_git, get_release, parse_wanted
    from lkm.release.mirror import GIT

    wanted = parse_wanted(what)
    if wanted.kind in (Kind.EXACT, Kind.SERIES):
        try:
            return find_named(wanted.text)
        except UsageError:
            pass  # not here yet
    try:
        if wanted.kind is Kind.GIT:
            got = get_git(wanted.text, url=GIT, progress=progress)
        else:
            place = find_place(mirror)
            got = get_release(find_version(wanted, place, progress=progress), place, progress=progress)
    except MissingError as error:
        preset = "".join(f" --preset {name}" for name in presets)
        disk = f"sources that are here already: lkm kernel build DIR{preset}"
        raise MissingError(error.message, hint="; ".join(filter(None, (error.hint, disk)))) from error
    assert got.tree is not None
    common.note(f"good: {got.record.message}", fg="green")
    return got.tree
