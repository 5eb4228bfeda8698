# SPDX-License-Identifier: MIT
"""A kernel's source tree and a build directory of it, and what Kconfig is told of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lkm import process
from lkm.errors import BadInputError, UsageError
from lkm.kernel.compiler import read_compiler_version

_VERSION = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_INCLUDE = re.compile(r"^(?:export KBUILD_OUTPUT.*\n)?include[ \t]+(\S+)/Makefile$", re.MULTILINE)
# conf_write (scripts/kconfig/confdata.c) puts the main menu's text there.
_HEADER = re.compile(r"^# Linux/(\w+) \S+ Kernel Configuration$", re.MULTILINE)
_COMPILER = re.compile(r'^CONFIG_CC_VERSION_TEXT="([^"\n]*)"', re.MULTILINE)  # its first option
# uname -m to ARCH (scripts/subarch.include), and ARCH to the directory below arch/ (the top Makefile).
_SUBARCH = (
    (r"i.86|x86_64", "x86"), (r"sun4u", "sparc64"), (r"aarch64.*", "arm64"), (r"arm.*|sa110", "arm"),
    (r"s390x", "s390"), (r"ppc.*", "powerpc"), (r"mips.*", "mips"), (r"riscv.*", "riscv"),
    (r"loongarch.*", "loongarch"), (r"parisc64", "parisc"), (r"sh[234].*", "sh"),
)  # fmt: skip
_SRCARCH = {"i386": "x86", "x86_64": "x86", "sparc32": "sparc", "sparc64": "sparc", "parisc64": "parisc"}
# Words of make, which are not options of the kernel.
MAKE_WORDS = (
    "ARCH", "CROSS_COMPILE", "LLVM", "LLVM_IAS", "CC", "LD", "AR", "NM", "OBJCOPY", "HOSTCC", "PAHOLE", "O",
)  # fmt: skip
_TOOLS = {"CC": "gcc", "LD": "ld", "AR": "ar", "NM": "nm", "OBJCOPY": "objcopy", "STRIP": "strip"}
_LLVM = {
    "CC": "clang", "LD": "ld.lld", "AR": "llvm-ar", "NM": "llvm-nm", "OBJCOPY": "llvm-objcopy",
    "STRIP": "llvm-strip",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tree:
    """Kernel sources: where, `version` (`6.12.117`), and the words make is given (ARCH, CC…)."""

    path: Path
    version: str
    words: tuple[tuple[str, str], ...] = ()

    @property
    def arch(self) -> str:
        """The directory below arch/ that it is configured for."""
        given = dict(self.words).get("ARCH") or find_arch()
        return _SRCARCH.get(given, given)


def find_arch() -> str:
    """ARCH where none is given."""
    machine = os.uname().machine
    return next((arch for pattern, arch in _SUBARCH if re.fullmatch(pattern, machine)), machine)


def read_config_arch(output: Path) -> str:
    """The ARCH that a build directory is configured for, by the first lines of its .config, or ""."""
    try:
        with (output / ".config").open(encoding="utf-8", errors="replace") as file:
            match = _HEADER.search(file.read(512))
    except OSError:
        return ""
    return match[1] if match else ""


def read_config_words(output: Path) -> dict[str, str]:
    """make's words that the .config of a build directory tells: ARCH, and LLVM, CC or CROSS_COMPILE.

    Where it is for this machine and of gcc, there are none; so, too, where its compiler is not here.
    """
    arch = read_config_arch(output)
    words = {"ARCH": arch} if arch and arch != find_arch() else {}
    try:
        with (output / ".config").open(encoding="utf-8", errors="replace") as file:
            head = file.read(4096)
    except OSError:
        return words
    match = _COMPILER.search(head)
    if match is None:
        return words
    text, name = match[1], match[1].split(" ", 1)[0]
    if (clang := re.search(r"clang version (\d+)", text)) is not None:
        suffix = next((one for one in ("", f"-{clang[1]}") if _version_of(f"clang{one}") == text), None)
        if suffix is not None:
            lld = "CONFIG_LD_IS_LLD=y" in head
            words |= {"LLVM": suffix or "1"} if lld else {"CC": f"clang{suffix}"}
    elif words and (cross := re.fullmatch(r"(\S+-)gcc(-\d+)?", name)) and _version_of(name) == text:
        words |= {"CROSS_COMPILE": cross[1], **({"CC": name} if cross[2] else {})}
    return words


def is_tree(path: Path) -> bool:
    """Whether a directory holds kernel sources that can be configured."""
    return all((path / name).exists() for name in ("Kconfig", "Makefile", "scripts/kconfig", "arch"))


def read_tree(path: Path, words: Mapping[str, str] | None = None) -> Tree:
    """The sources at `path`; raises `UsageError` where there are none, or none for that ARCH."""
    path = path.expanduser().absolute()
    if not is_tree(path):
        raise UsageError(
            f"{path}: no kernel sources (Kconfig, Makefile and scripts/kconfig are looked for)",
            hint="--tree DIR, the directory that the kernel's sources were unpacked to",
        )
    if " " in str(path) or ":" in str(path):
        raise BadInputError(f"{path}: Kbuild cannot work in a path with a space or a colon")
    found = dict(_VERSION.findall((path / "Makefile").read_text(encoding="utf-8", errors="replace")[:4096]))
    numbers = [found.get(name, "") for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    version = ".".join(number for number in numbers if number) + found.get("EXTRAVERSION", "")
    tree = Tree(path, version, tuple(sorted((words or {}).items())))
    if not (path / "arch" / tree.arch / "Kconfig").exists():
        known = sorted(one.parent.name for one in path.glob("arch/*/Kconfig"))
        raise UsageError(f"{path} knows no ARCH {tree.arch}", hint=f"ARCH is one of {', '.join(known)}")
    return tree


def find_source(output: Path) -> Path | None:
    """The sources that a build directory belongs to, as Kbuild notes them there, or None."""
    link = output / "source"
    if link.is_symlink() and is_tree(link):
        return link.resolve()
    try:
        text = (output / "Makefile").read_text(encoding="utf-8", errors="replace")[:4096]
    except OSError:
        return None
    match = _INCLUDE.search(text)
    if match and is_tree(Path(match[1])):
        return Path(match[1])
    return output if is_tree(output) else None


def check_clean(tree: Tree) -> None:
    """Raises `BadInputError` for a tree that was built in place: Kbuild refuses O= for it."""
    # outputmakefile in the top Makefile looks at these three.
    marks = (".config", "include/config", f"arch/{tree.arch}/include/generated")
    mark = next((name for name in marks if (tree.path / name).exists()), None)
    if mark is not None:
        raise BadInputError(
            f"{tree.path} was configured or built in place ({mark} is there), "
            "so that Kbuild takes no directory of its own for it",
            hint=f"keep its .config if it is of use, then make -C {tree.path} mrproper",
        )


def make_environment() -> dict[str, str]:
    """The environment of make and conf: nothing of the person's own but PATH, HOME and TMPDIR."""
    path = os.environ.get("PATH", os.defpath)
    kept = {"TMPDIR": os.environ["TMPDIR"]} if "TMPDIR" in os.environ else {}
    return {"PATH": f"{path}:/usr/sbin:/sbin", "HOME": str(Path.home()), "LC_ALL": "C", **kept}


def find_llvm(words: Mapping[str, str]) -> tuple[str, str] | None:
    """What stands before and behind the names of LLVM's programs by make's words; None where gcc is used.

    LLVM=1 is neither, LLVM=/path/ and LLVM=-15 are a prefix and a suffix (the top Makefile; LLVM=0 is as 1).
    """
    llvm = words.get("LLVM", "")
    if not llvm:
        return None
    return (llvm if llvm.endswith("/") else ""), (llvm if llvm.startswith("-") else "")


def find_tools(words: Mapping[str, str]) -> dict[str, str]:
    """The programs of a build by make's words: CC, LD, AR, NM, OBJCOPY and STRIP."""
    llvm = find_llvm(words)
    if llvm is not None:
        tools = {name: f"{llvm[0]}{tool}{llvm[1]}" for name, tool in _LLVM.items()}
    else:
        tools = {name: f"{words.get('CROSS_COMPILE', '')}{tool}" for name, tool in _TOOLS.items()}
    return {name: words.get(name, tool) for name, tool in tools.items()}


def kconfig_environment(tree: Tree) -> dict[str, str]:
    """What Kconfig files see, as the top Makefile exports it; the compiler is asked for its name."""
    words = dict(tree.words)
    tools = find_tools(words)
    llvm = find_llvm(words)
    return {
        **make_environment(),
        **tools,
        "srctree": str(tree.path),
        "ARCH": words.get("ARCH") or find_arch(),
        "SRCARCH": tree.arch,
        "SUBARCH": find_arch(),
        "KERNELVERSION": tree.version,
        "CC_VERSION_TEXT": _version_of(tools["CC"]),
        "HOSTCC": words.get("HOSTCC", "gcc" if llvm is None else f"{llvm[0]}clang{llvm[1]}"),
        "CLANG_FLAGS": "-fintegrated-as" if "clang" in tools["CC"] else "",
        "PAHOLE": words.get("PAHOLE", "pahole"),
        "PYTHON3": "python3",
        "RUSTC": "rustc",
        "BINDGEN": "bindgen",
        "RUSTC_VERSION_TEXT": _version_of("rustc"),
        "KCONFIG_CONFIG": ".config",
    }


def _version_of(program: str) -> str:
    path = process.find_program(program)
    # As the top Makefile takes it into CC_VERSION_TEXT.
    return "" if path is None else read_compiler_version(path).replace("#", "")
