# SPDX-License-Identifier: MIT
"""What a kernel is to `lkm`: values only, nothing is started or read here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Origin(StrEnum):
    """Where a kernel came from."""

    HOST = "host"  # the running kernel
    DISTRIBUTION = "distribution"  # fetched from a distribution and unpacked in the cache
    DIRECTORY = "directory"  # a build directory, or packages unpacked by hand
    OWN = "own"  # built here, known by name
    IMAGE = "image"  # a bare bzImage or vmlinuz


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The compiler a kernel was built with, and the tools Kbuild calls.

    `compiler` is the program's name (`gcc-12`), `version` what it says of itself.  `root` is None for
    the machine's own, else the root of a small unpacked system in the cache that brings them.
    `note` says why this one was chosen.  `words`: make's, where the kernel's Makefile would take another.
    """

    compiler: str
    version: str
    root: Path | None
    note: str = ""
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Kernel:
    """Something one can boot and build against.

    `name`: what `--kernel` takes.  `release`: as `uname -r`.  `arch`: as `uname -m`.
    `image`: bzImage/vmlinuz or vmlinux.  `config`: its .config.  `modules`: its `lib/modules/RELEASE`
    directory.  `build`: the directory for `make -C`.  Each is None where it is not at hand.
    `toolchain` is None where nothing can be built.  `size`: bytes on disk that `remove` would free.
    """

    name: str
    release: str
    arch: str
    origin: Origin
    image: Path | None = None
    config: Path | None = None
    modules: Path | None = None
    build: Path | None = None
    toolchain: Toolchain | None = None
    size: int = 0

    @property
    def can_build(self) -> bool:
        """Whether modules can be built against it."""
        return self.build is not None and self.toolchain is not None

    @property
    def can_boot(self) -> bool:
        """Whether a guest can be started from it."""
        return self.image is not None
