# SPDX-License-Identifier: MIT
"""Debian's own kernel sources: the package `linux-source-6.12`, verified by apt, unpacked as a release is."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from lkm.errors import BadInputError, MissingError, UsageError
from lkm.kernel import apt
from lkm.kernel.apt import Archive, Package
from lkm.kernel.debian import SUITES, Debian
from lkm.paths import locked, make_dir
from lkm.progress import Progress
from lkm.release.get import Got, sources_dir, unpack_file
from lkm.release.record import Record, read_record
from lkm.version import release_key, series

_SERIES = re.compile(r"\d+\.\d+")


def package_name(words: str) -> str:
    """The package of a series' sources: `6.12` → `linux-source-6.12`; `UsageError` for what is no series."""
    if not _SERIES.fullmatch(words):
        near = re.match(r"\d+\.\d+(?!\d)", words)
        raise UsageError(
            f"Debian has one package of sources for a series, such as 6.12; '{words}' is no series",
            hint=f"lkm kernel get debian:{near[0] if near else '6.12'}",
        )
    return f"linux-source-{words}"


def get_debian_source(debian: Debian, words: str, *, dest: Path | None, progress: Progress) -> Got:
    """The sources of Debian's newest kernel of a series (`6.12`), its patches applied.

    The tree is `linux-source-6.12` below `dest` (default: the cache).  Raises `UsageError` where Debian has
    no such package, `MissingError` where it cannot be had.
    """
    name = package_name(words)
    final = (dest or sources_dir()) / name
    with locked(make_dir(sources_dir()) / f".{name}.lock"):
        if final.exists():
            record = read_record(final)
            if record is None:
                raise UsageError(
                    f"{final} is there already, and nothing says where it came from",
                    hint="give another place: --dest DIR, or remove it",
                )
            return Got(record.version, final, None, record, was_here=True)
        archive, package = _find_package(debian, words, name, progress)
        file = _fetch(archive, package, progress)
        record = Record(
            version=package.version,
            origin="package",
            source=f"{archive.sources[0].uri} {archive.name} {name}={package.version}",
            verified=True,
            state="good",
            message=f"the package {name} {package.version} of Debian's, verified by apt",
            file=str(file),
            signer="Debian's archive",
        )
        tree, record = unpack_file(file, final, record, progress=progress)
        return Got(record.version, tree, file, record)


def _find_package(debian: Debian, words: str, name: str, progress: Progress) -> tuple[Archive, Package]:
    known: set[str] = set()
    for suite in debian.suites():
        releases = {series(offer.release) for offer in debian.offers(suite, refresh=False, progress=progress)}
        known |= releases
        if words not in releases:
            continue
        archive = debian.archive(suite)
        try:
            closure = apt.find_closure(archive, [name])
        except MissingError:
            continue  # the suite has the kernel, but not its sources
        for package in closure:
            if package.name == name:
                return archive, package
    suites = ", ".join(suite.name for suite in SUITES)
    near = sorted(known, key=release_key)
    raise UsageError(
        f"Debian has no {name} in {suites}", hint=f"series it has kernels of: {', '.join(near) or 'none'}"
    )


def _fetch(archive: Archive, package: Package, progress: Progress) -> Path:
    """The compressed tar in the package, in the cache."""
    with tempfile.TemporaryDirectory(dir=sources_dir(), prefix=".new-") as place:
        part = Path(place)
        what = f"fetching {package.name} {package.version}"
        (deb,) = apt.download(archive, [package], part, what=what, progress=progress)
        progress.update(f"unpacking {deb.name}")
        apt.unpack(deb, part / "root")
        for file in sorted((part / "root" / "usr" / "src").glob("linux-source-*.tar.*")):
            if not file.name.endswith((".xz", ".gz", ".bz2", ".zst")):
                continue
            final = sources_dir() / file.name
            shutil.move(file, final)
            return final
    raise BadInputError(f"{package.name} {package.version} holds no file of sources")
