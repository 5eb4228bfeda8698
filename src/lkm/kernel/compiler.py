# SPDX-License-Identifier: MIT
"""Which compiler a kernel was built with, and whether this machine has it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from lkm.kernel.value import Toolchain
from lkm.paths import cache_dir
from lkm.process import find_program

# init/Kconfig: CC_VERSION_TEXT is the first line of `$(CC) --version`.
_VERSION_TEXT = re.compile(r'^CONFIG_CC_VERSION_TEXT="([^"\n]*)"', re.MULTILINE)
_GCC = re.compile(r"\s(\d{1,4})\.\d+\.\d+")  # `gcc-12 (Debian 12.2.0-14) 12.2.0`, without what is in brackets
_CLANG = re.compile(r"clang version (\d{1,4})\.")
_PLATFORM = re.compile(r"^CONFIG_(X86_64|X86_32|ARM64|ARM|RISCV|PPC64|S390|LOONGARCH)=y", re.MULTILINE)
_ARCHES = {
    "X86_64": "x86_64",
    "X86_32": "i686",
    "ARM64": "aarch64",
    "ARM": "arm",
    "RISCV": "riscv64",
    "PPC64": "ppc64le",
    "S390": "s390x",
    "LOONGARCH": "loongarch64",
}
# What Kbuild calls besides the compiler and what every system has (sh, sed, grep, awk).
_TOOLS = ("make", "ld", "objcopy")
_LLVM_TOOLS = ("make", "ld.lld", "llvm-objcopy")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The compiler a kernel asks for: `family` gcc or clang, `major` version, `text` of its --version.

    `tools` are the other programs that Kbuild calls when it builds a module for this kernel.
    """

    family: str
    major: int
    text: str
    tools: tuple[str, ...] = _TOOLS

    @property
    def command(self) -> str:
        """The name that says the version too: `gcc-12`."""
        return f"{self.family}-{self.major}"


def parse_wanted(config: str, *, has_btf: bool = False) -> Wanted | None:
    """The compiler that a kernel configuration (the text of a .config) names, or None.

    `has_btf`: the build directory has a vmlinux, so that modules get type information
    (scripts/Makefile.modfinal), which takes pahole.
    """
    match = _VERSION_TEXT.search(config)
    if match is None:
        return None
    version = parse_compiler_version(match[1])
    if version is None:
        return None
    family = "clang" if "clang" in match[1] else "gcc"
    btf = has_btf and "\nCONFIG_DEBUG_INFO_BTF_MODULES=y" in config
    tools = _LLVM_TOOLS if "\nCONFIG_LD_IS_LLD=y" in config else _TOOLS
    return Wanted(family, version, match[1], (*tools, "pahole") if btf else tools)


def parse_compiler_version(text: str) -> int | None:
    """The major version in the first line of `--version`: `gcc-12 (Debian 12.2.0-14) 12.2.0` → 12."""
    match = _CLANG.search(text) or _GCC.search(re.sub(r"\([^()]*\)", " ", text))
    return int(match[1]) if match else None


def parse_config_arch(config: str) -> str:
    """The machine a kernel configuration is for, as `uname -m` names it; "" where it does not say."""
    match = _PLATFORM.search(config)
    return _ARCHES[match[1]] if match else ""


def find_host_toolchain(wanted: Wanted) -> Toolchain | None:
    """This machine's own compiler where it has the right major version and the tools are there too.

    A compiler seen before costs a stat; a new one is asked for its version once.
    """
    if missing_tools(wanted):
        return None
    is_clang = wanted.family == "clang"
    # LLVM's other programs are looked for by the same name: without a version where that serves.
    names = ("clang", wanted.command) if is_clang else (wanted.command, wanted.family)
    for name in (*names, "cc"):
        path = find_program(name)
        if path is None:
            continue
        text = read_compiler_version(path)
        if parse_compiler_version(text) == wanted.major and ("clang" in text) == is_clang:
            note = "this machine's own, the version the kernel was built with"
            return Toolchain(name, text, None, note, make_words(wanted, name))
    return None


def make_words(wanted: Wanted, name: str) -> tuple[tuple[str, str], ...]:
    """What make must be told for the compiler `name`: Kbuild takes gcc where it is told nothing."""
    if wanted.family != "clang":
        return ()
    llvm = (("LLVM", "1"),) if "ld.lld" in wanted.tools else ()
    return llvm if llvm and name == "clang" else (*llvm, ("CC", name))


def missing_tools(wanted: Wanted) -> list[str]:
    """The tools besides the compiler that this machine lacks."""
    return [tool for tool in wanted.tools if find_program(tool) is None]


def read_compiler_version(path: Path) -> str:
    """The first line of `path --version`, remembered for as long as the program stays the same; or ""."""
    real = path.resolve()
    stat = real.stat()
    # ccache and distcc stand in for a compiler under its name, so the name counts too.
    key = f"{path} {real} {stat.st_mtime_ns} {stat.st_size}"
    store = cache_dir() / "compilers.json"
    try:
        known: dict[str, str] = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if isinstance(known, dict) and isinstance(known.get(key), str):
        return known[key]
    from lkm import process

    result = process.run([path, "--version"], timeout=20)
    text = result.stdout.splitlines()[0].strip() if result.status == 0 and result.stdout else ""
    if text:
        write_json(store, {key: text, **(known if isinstance(known, dict) else {})})
    return text


def write_json(path: Path, value: object) -> None:
    """Writes a small file that is there whole or not at all; a cache that cannot be written is no error."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(value, indent=1), encoding="utf-8")
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
