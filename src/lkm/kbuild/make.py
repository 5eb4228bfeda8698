# SPDX-License-Identifier: MIT
"""The kernel's own Kbuild, started so that its answer depends on its inputs alone."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from lkm import process
from lkm.errors import BadInputError, MissingError, UsageError
from lkm.kbuild.mirror import Mirror, target_name
from lkm.kernel.value import Kernel

_WORD = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(=)(.*)", re.DOTALL)
# What `build` itself decides.
_RESERVED = {
    "M": "lkm build DIR",
    "MO": "lkm build DIR",
    "O": "lkm build --kernel DIRECTORY",
    "KBUILD_EXTMOD": "lkm build DIR",
    "KBUILD_OUTPUT": "lkm build --kernel DIRECTORY",
    "KBUILD_EXTMOD_OUTPUT": "lkm build DIR",
}
_PLAIN = re.compile(r"[A-Za-z0-9_./+@%,=-]*")


def parse_make_words(words: Sequence[str]) -> dict[str, str]:
    """`ARCH=arm64 W=1` as a dictionary; raises `UsageError` for what make or `lkm` would not take."""
    parsed: dict[str, str] = {}
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            raise UsageError(f"'{word}' is not of the form KEY=value", hint="lkm build W=1")
        if match[1] in _RESERVED:
            raise UsageError(f"{word}: {match[1]} is for lkm to set", hint=_RESERVED[match[1]])
        parsed[match[1]] = match[3]
    return parsed


def check_kernel(kernel: Kernel, words: Mapping[str, str]) -> Path:
    """The kernel's build directory; raises where nothing can be built against it, with the remedy."""
    if kernel.build is None:
        raise BadInputError(
            f"{kernel.name}: nothing can be built against it, it has no build directory (headers)",
            hint="lkm kernel list",
        )
    if not (kernel.build / "Makefile").is_file():
        raise BadInputError(
            f"{kernel.name}: {kernel.build} has no Makefile", hint=f"lkm kernel show {kernel.name}"
        )
    if " " in str(kernel.build) or ":" in str(kernel.build):
        raise BadInputError(
            f"{kernel.build}: Kbuild cannot work in a path with a space or a colon",
            hint="export LKM_CACHE=/a/path/without/them",
        )
    if kernel.toolchain is None:
        raise MissingError(
            f"{kernel.name}: no compiler on this machine can build for it",
            hint=f"lkm kernel show {kernel.name}",
        )
    own = kernel.toolchain.root is None and not {"CC", "LLVM", "CROSS_COMPILE"} & words.keys()
    if own and process.find_program(kernel.toolchain.compiler) is None:
        compiler = kernel.toolchain.compiler
        raise MissingError(
            f"{kernel.name} was built with {compiler}, which is not on this machine",
            hint=f"lkm doctor --fix, or apt-get install {compiler}",
        )
    if kernel.toolchain.root is None and process.find_program("make") is None:
        raise MissingError("make is not on this machine", hint="lkm doctor --fix, or apt-get install make")
    return kernel.build


def build_environment(directory: Path) -> dict[str, str]:
    """The environment of every tool of a build in `directory`: this and nothing of the person's own.

    LC_ALL would be taken away by Kbuild (top Makefile, `unexport LC_ALL`), so each word is set.
    """
    path = os.environ.get("PATH", os.defpath)
    environment = {"PATH": f"{path}:/usr/sbin:/sbin", "PWD": str(directory), "HOME": str(Path.home())}
    # pahole -j alone orders types by chance; 7.x asks for reproducible output if this is set (Makefile.btf).
    environment["KBUILD_BUILD_TIMESTAMP"] = "1970-01-01"
    environment |= {"LANG": "C", "LC_MESSAGES": "C", "LC_CTYPE": "C"}
    if "TMPDIR" in os.environ:
        environment["TMPDIR"] = os.environ["TMPDIR"]
    return environment


def prefix_maps(mirror: Mirror, build: Path) -> list[str]:
    """Compiler options that make a module's bytes name the real sources and not the cache.

    `__FILE__` and debug information see the source directory; a kernel unpacked below some `usr/src` is
    seen at /usr/src, where its package would have put it.  gcc leaves these options out of
    DW_AT_producer (gcc/opts.cc, gen_producer_string).
    """
    maps = []
    if mirror.root != mirror.source:
        maps.append(f"-ffile-prefix-map={mirror.root}={mirror.source}")
        if mirror.only is not None:
            maps.append(
                f"-ffile-prefix-map={mirror.root}/{target_name(mirror, mirror.only.name)}={mirror.only}"
            )
    head, marker, _ = str(build).partition("/usr/src/")
    if marker and head:
        maps.append(f"-fdebug-prefix-map={head}/usr/src=/usr/src")
    return maps


def build_make_argv(
    mirror: Mirror, build: Path, *, words: Mapping[str, str], jobs: int, options: Path
) -> list[str]:
    """The command line of make.  `options` is a file that may be written, for flags make cannot carry."""
    maps = prefix_maps(mirror, build)
    if not all(_PLAIN.fullmatch(option) for option in maps):
        # Kbuild splits flags at spaces and hands them to a shell; the compiler reads a file as it is.
        options.write_text("".join(f"{_quoted(option)}\n" for option in maps), encoding="utf-8")
        maps = [f"@{options}"]
    flags = dict(words)
    for name in ("KCFLAGS", "KAFLAGS"):
        flags[name] = " ".join([*maps, *([words[name]] if words.get(name) else [])])
    settings = [f"{name}={value}" for name, value in flags.items() if value or name in words]
    return [
        "make",
        "--no-print-directory",
        "-C",
        str(build),
        f"M={mirror.work}",
        f"-j{jobs}",
        "-Otarget",
        *settings,
        "modules",
    ]


def write_probe(path: Path, environment: Path) -> None:
    """Writes a makefile that leaves in `environment` what Kbuild hands to the commands it starts.

    Named in MAKEFILES, every make reads it first; those started by the kernel's top Makefile (known by
    `srctree`, which it exports) then have all of their environment.
    """
    path.write_text(f"ifneq ($(and $(srctree),$(objtree)),)\n$(shell env -0 > {environment})\nendif\n")


def parse_environment(data: bytes) -> dict[str, str]:
    """What `env -0` wrote, without make's own words to its children."""
    words = [word.partition(b"=") for word in data.split(b"\0") if b"=" in word]
    own = (
        b"MAKEFLAGS",
        b"MFLAGS",
        b"MAKELEVEL",
        b"MAKEFILES",
        b"MAKEOVERRIDES",
        b"MAKE_TERMOUT",
        b"MAKE_TERMERR",
    )
    return {
        name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for name, _, value in words
        if name not in own
    }


def _quoted(option: str) -> str:
    """An option for a gcc response file: libiberty's buildargv takes single quotes and backslashes."""
    return (
        shlex.quote(option).replace("'\"'\"'", "'\\''")
        if "\\" not in option
        else '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
