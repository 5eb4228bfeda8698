# SPDX-License-Identifier: MIT
"""A whole kernel of our own, built once on a machine: preset `tiny` of Debian's 6.1, kept in the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from kernel_sources import fetch_tree

from lkm import compile
from lkm.compile.build import build_kernel
from lkm.compile.value import Request
from lkm.kconfig import presets
from lkm.kconfig.configuration import Request as Wanted
from lkm.kconfig.configuration import configure
from lkm.kconfig.presets import read_preset
from lkm.kconfig.tree import Tree, read_tree
from lkm.kernel.layout import read_build_release
from lkm.paths import cache_dir, locked, make_dir

PRESET = "tiny"


@dataclass(frozen=True, slots=True)
class OwnBuild:
    """A build directory with vmlinux, bzImage and two modules (pps-ktimer needs pps_core).  Read only."""

    tree: Path
    build: Path
    release: str


def build_own() -> OwnBuild:
    """The kernel, built where no test on this machine has built it before."""
    tree = fetch_tree()
    place = cache_dir() / "tests" / "own"
    with locked(place / "lock"):
        build = place / _key(tree)
        done, code = build / ".complete", _code()
        if not done.exists():
            for stale in place.glob(f"{PRESET}-*"):  # of other compilers, other presets
                if stale != build:
                    shutil.rmtree(stale)
            _configure(tree, make_dir(build))
        if not done.exists() or done.read_text() != code:
            # Another lkm than this built it: make finds nothing to do, and the record is written anew.
            built = build_kernel(Request(_read_tree(tree), build), timeout=1800)
            assert built.ok, built.diagnostics
            done.write_text(code)
    return OwnBuild(tree, build, read_build_release(build))


def _key(tree: Path) -> str:
    compiler = subprocess.run(["gcc", "--version"], check=True, capture_output=True, timeout=20).stdout
    preset = (resources.files(presets) / f"{PRESET}.config").read_bytes()
    makefile = (tree / "Makefile").read_bytes()[:200]
    return f"{PRESET}-{hashlib.sha256(compiler + preset + makefile + str(tree).encode()).hexdigest()[:12]}"


def _read_tree(tree: Path) -> Tree:
    return read_tree(tree, {"ARCH": "x86_64"})


def _configure(tree: Path, build: Path) -> None:
    preset = read_preset(PRESET)
    made = configure(_read_tree(tree), build, Wanted(target=preset.base, settings=preset.settings))
    assert made.ok, made.refusals


def _code() -> str:
    """What of lkm shapes a build and its record."""
    files = sorted(Path(str(resources.files(compile))).glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
