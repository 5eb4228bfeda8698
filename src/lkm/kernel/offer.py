# SPDX-License-Identifier: MIT
"""The kernels a package list offers: values only, nothing is started or read here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lkm.kernel.apt import Package
from lkm.kernel.names import choose_named, split_flavour

_KEPT = re.compile(r"linux-(image|binary|modules|base|headers|kbuild)-\S*\d")
_LEFT_OUT = re.compile(r"-dbg$|-dbgsym$|signed-template$")
_IMAGE = re.compile(r"linux-(?:image|binary)-(\d[0-9A-Za-z.+~-]*?)(?:-unsigned)?$")
_DEPENDS = re.compile(r"(linux-(?:headers|kbuild|base|modules|binary)-[^\s,|()]+)(?:\s*\((>?=)\s*([^)]+)\))?")
# A metapackage takes a few kB unpacked, an image some MB (from 6.19 on linux-image-* is a metapackage).
_REAL = 1 << 20


@dataclass(frozen=True, slots=True)
class Offer:
    """A kernel that can be fetched: `release` as uname -r, `flavour` (`cloud-amd64`), package `version`.

    `packages` are all it is made of; `can_build` is False where the headers are gone from the archive.
    `current`: the suite's own choice for that flavour (what its metapackage depends on).
    """

    release: str
    flavour: str
    version: str
    suite: str
    packages: tuple[Package, ...]
    can_build: bool
    current: bool = False

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(package.size for package in self.packages)


def is_kernel_package(name: str) -> bool:
    """Whether a package may be part of a kernel."""
    return bool(_KEPT.match(name)) and not _LEFT_OUT.search(name)


def build_offers(packages: Sequence[Package], suite: str) -> list[Offer]:
    """The kernels that `packages` make, the newest last."""
    by_name: dict[str, Package] = {}
    for package in packages:
        known = by_name.get(package.name)
        if known is None or version_key(package.version) > version_key(known.version):
            by_name[package.name] = package
    releases = {match[1] for name in by_name if (match := _IMAGE.match(name)) and not _LEFT_OUT.search(name)}
    offers = [offer for release in releases if (offer := _build_offer(by_name, release, suite))]
    return sorted(offers, key=lambda offer: (version_key(offer.version), version_key(offer.release)))


def _build_offer(by_name: dict[str, Package], release: str, suite: str) -> Offer | None:
    image = next(
        (
            package
            for name in (
                f"linux-binary-{release}",
                f"linux-image-{release}",
                f"linux-image-{release}-unsigned",
            )
            if (package := by_name.get(name)) is not None and package.installed >= _REAL
        ),
        None,
    )
    if image is None:
        return None
    parts = {image.name: image}
    _add_needed(by_name, image, parts)
    if image.name.startswith("linux-binary-"):
        modules = by_name.get(f"linux-modules-{release}")
        if modules is None:
            return None
        parts[modules.name] = modules
    boots = dict(parts)
    headers = by_name.get(f"linux-headers-{release}")
    can_build = False
    if headers is not None:
        parts[headers.name] = headers
        can_build = _add_needed(by_name, headers, parts) and any("kbuild" in name for name in parts)
    flavour = split_flavour(release)[1]
    meta = by_name.get(f"linux-image-{flavour}")
    current = meta is not None and f"linux-image-{release} " in f"{meta.depends} "
    packages = tuple((parts if can_build else boots).values())
    return Offer(release, flavour, image.version, suite, packages, can_build, current)


def _add_needed(by_name: dict[str, Package], package: Package, parts: dict[str, Package]) -> bool:
    """Adds the kernel packages that `package` depends on; whether all are there in the version asked for."""
    complete = True
    for name, relation, version in _DEPENDS.findall(package.depends):
        if not is_kernel_package(name) or name in parts:
            continue
        needed = by_name.get(name)
        if needed is None or (relation == "=" and needed.version != version):
            complete = False
            continue
        parts[name] = needed
        complete = _add_needed(by_name, needed, parts) and complete
    return complete


def choose_offer(offers: Sequence[Offer], words: str) -> Offer | None:
    """The newest kernel that `words` name (see `names.choose_named`), one that can build where there is one.

    "" is the suite's current one.
    """
    fitting = choose_named(offers, words, lambda offer: offer.release)
    if not words:
        fitting = [offer for offer in fitting if offer.current] or fitting
    return next((offer for offer in reversed(fitting) if offer.can_build), fitting[-1] if fitting else None)


def version_key(version: str) -> tuple[tuple[object, ...], ...]:
    """A sort key for Debian versions (deb-version(7)): `6.12.95-1~bpo12+1` < `6.12.95-1`."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return ((int(epoch) if epoch.isdecimal() else 0,), _part_key(upstream), _part_key(revision))


def _part_key(text: str) -> tuple[object, ...]:
    """Letters and numbers in turn: "~" sorts before the end, that before letters, these before others."""
    key: list[object] = []
    for letters, digits in re.findall(r"(\D*)(\d*)", text):
        order = [-1 if char == "~" else ord(char) + (0 if char.isalpha() else 256) for char in letters]
        key += [(*order, 0), int(digits or 0)]
    return tuple(key)
