# SPDX-License-Identifier: MIT
"""The compiler that a kernel is used with: the machine's own, one in the cache, or one that is fetched."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lkm.errors import LkmError, MissingError, UsageError
from lkm.kernel.compiler import Wanted, find_host_toolchain, missing_tools
from lkm.kernel.layout import Found, find_lost_sources
from lkm.kernel.store import Stored
from lkm.kernel.toolchain import find_cage_problem, find_toolchain
from lkm.kernel.value import Kernel, Origin, Toolchain
from lkm.progress import Progress


def equip(
    found: Found | Stored, start: Path | None, *, fetch: bool, need_build: bool, progress: Progress
) -> Kernel:
    """The kernel with its toolchain, fetched where it must be."""
    kernel, wanted = found.kernel, found.wanted
    if kernel.build is None:
        if need_build:
            raise _no_headers(kernel)
        return kernel
    if kernel.arch not in ("", os.uname().machine):
        if need_build:
            raise MissingError(
                f"{kernel.name} is for {kernel.arch}; here modules can be built for {os.uname().machine}",
                hint="lkm kernel list shows which kernels can build",
            )
        return kernel
    suite = found.suite if isinstance(found, Stored) else ""
    if wanted is None:
        return replace(kernel, toolchain=find_other_compiler(None))
    toolchain = find_any_toolchain(wanted, suite=suite)
    if toolchain is None and need_build:
        toolchain = _fetch_compiler(kernel, wanted, suite, start, fetch=fetch, progress=progress)
    return replace(kernel, toolchain=toolchain)


def find_any_toolchain(wanted: Wanted | None, *, suite: str = "") -> Toolchain | None:
    """The machine's own compiler where it is the right one, else one in the cache, else None."""
    if wanted is None:
        return None
    return find_host_toolchain(wanted) or find_toolchain(wanted, suite=suite)


def _no_headers(kernel: Kernel) -> LkmError:
    if kernel.origin is Origin.IMAGE:
        return UsageError(
            f"{kernel.name}: an image alone can boot, but nothing can be built against it",
            hint="give the kernel's build directory: --kernel DIR",
        )
    hint = "lkm kernel list shows which kernels can build"
    lost = find_lost_sources(kernel.config.parent) if kernel.config is not None else None
    if lost is not None:
        return MissingError(
            f"{kernel.name} was built from {lost}, which is not there any more, "
            "so that nothing can be built against it",
            hint=f"get those sources again, or put them back to {lost}",
        )
    if kernel.origin is Origin.DIRECTORY:
        hint = f"unpack all headers of {kernel.release} there too (linux-headers-*, -common, linux-kbuild-*)"
    return MissingError(f"{kernel.name}: no headers, so that nothing can be built against it", hint=hint)


def _fetch_compiler(
    kernel: Kernel, wanted: Wanted, suite: str, start: Path | None, *, fetch: bool, progress: Progress
) -> Toolchain | None:
    """Fetches what the kernel asks for; for a kernel of another origin the machine's own may do."""
    from lkm.kernel.distribution import find_distribution

    lacking = missing_tools(wanted)
    try:
        if not fetch:
            raise MissingError(
                f"{kernel.name} was built with {wanted.text}, which is not on this machine",
                hint=f"lkm kernel add {kernel.name}",
            )
        if problem := find_cage_problem():
            raise MissingError(
                f"{kernel.name} was built with {wanted.text}, which is not on this machine; "
                f"a fetched one cannot be run here: {problem}",
                hint=f"install {' '.join([wanted.command, *lacking])}",
            )
        distribution = find_distribution(start=start)
        distribution.fetch_compiler(wanted, suite, progress=progress)
    except LkmError:
        other = find_other_compiler(wanted)
        if kernel.origin is Origin.DISTRIBUTION or other is None or lacking:
            raise
        return other
    return find_toolchain(wanted, suite=suite)


def find_other_compiler(wanted: Wanted | None) -> Toolchain | None:
    """The machine's own compiler, though another than the kernel was built with, or one not known."""
    from lkm.kernel.compiler import make_words, read_compiler_version
    from lkm.process import find_program

    family = wanted.family if wanted is not None else "gcc"
    path = find_program(family)
    if path is None or not (text := read_compiler_version(path)):
        return None
    built = f"another version than the kernel was built with ({wanted.text})" if wanted else ""
    note = built or "the kernel's configuration does not say what it was built with"
    return Toolchain(family, text, None, note, make_words(wanted, family) if wanted is not None else ())
