# SPDX-License-Identifier: MIT
"""Where kernels are fetched from: one provider a distribution, by the prefix of a kernel's name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lkm.config import Config, read_config
from lkm.errors import LkmError, UsageError
from lkm.kernel.apt import StaleListsError
from lkm.kernel.compiler import Wanted
from lkm.kernel.offer import Offer
from lkm.kernel.store import Stored
from lkm.progress import Progress

__all__ = ["DISTRIBUTIONS", "Distribution", "StaleListsError", "can_fetch", "find_distribution"]

# Distributions whose kernels have a name here, and whether they can be fetched yet.
DISTRIBUTIONS = {
    "debian": True,
    "ubuntu": False,  # image, headers and modules packages as Debian's: another table of suites
    "fedora": False,  # kernel-core, kernel-modules-core, kernel-devel, through dnf download
    "arch": False,  # linux, linux-headers, through pacman -Sw
}


class Distribution(Protocol):
    """A distribution that kernels can be fetched from."""

    @property
    def name(self) -> str:
        """The prefix of its kernels' names."""

    def missing(self) -> LkmError | None:
        """What keeps kernels from being fetched on this machine, or None."""

    def known_names(self) -> list[str]:
        """Releases known without asking the network."""

    def find(self, words: str, *, need_build: bool, refresh: bool, progress: Progress) -> Offer:
        """The kernel that the words after the prefix name; "" is the current one."""

    def list_offers(self, *, refresh: bool, progress: Progress) -> list[Offer]:
        """All kernels that can be fetched."""

    def fetch(self, offer: Offer, *, progress: Progress) -> Stored:
        """Brings a kernel into the cache, whole or not at all."""

    def fetch_compiler(self, wanted: Wanted, suite: str, *, progress: Progress) -> None:
        """Brings a compiler into the cache, whole or not at all."""


def find_distribution(name: str = "", *, start: Path | None = None) -> Distribution:
    """The provider with the prefix `name`; "" is the one that this machine fetches from by default.

    Raises `UsageError` where there is none of that name, or it cannot be fetched from yet.
    """
    config: Config = read_config(start)
    if name in ("", "debian"):
        from lkm.kernel.debian import Debian

        return Debian(config)
    if name in DISTRIBUTIONS:
        raise UsageError(
            f"kernels of {name} cannot be fetched yet",
            hint="unpack its packages into a directory and give that: --kernel DIR",
        )
    raise UsageError(f"no distribution '{name}'", hint=f"known: {', '.join(DISTRIBUTIONS)}")


def can_fetch(*, start: Path | None = None) -> LkmError | None:
    """What keeps this machine from fetching kernels, or None (for `lkm doctor`)."""
    return find_distribution(start=start).missing()
