# SPDX-License-Identifier: MIT
"""What a build needs of the machine, by its configuration; found missing before make begins."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm import process
from lkm.compile.words import find_compilers
from lkm.errors import BadInputError, MissingError
from lkm.kconfig.tree import Tree, find_llvm, find_tools, make_environment

# Programs: which option asks for it ("" is always), its name, what for, Debian's package of it.
_PROGRAMS = (
    ("", "make", "everything", "make"),
    ("", "flex", "the kernel's own conf", "flex"),
    ("", "bison", "the kernel's own conf", "bison"),
    ("", "bc", "kernel/time/timeconst.h", "bc"),
    ("DEBUG_INFO_BTF", "pahole", "type information", "pahole"),
    ("KERNEL_GZIP", "gzip", "the image", "gzip"),
    ("KERNEL_BZIP2", "bzip2", "the image", "bzip2"),
    ("KERNEL_LZMA", "lzma", "the image", "xz-utils"),
    ("KERNEL_XZ", "xz", "the image", "xz-utils"),
    ("KERNEL_LZO", "lzop", "the image", "lzop"),
    ("KERNEL_LZ4", "lz4", "the image", "lz4"),
    ("KERNEL_ZSTD", "zstd", "the image", "zstd"),
    ("OID_REGISTRY", "perl", "lib/oid_registry_data.c", "perl"),
    ("IKHEADERS", "cpio", "the headers in the kernel", "cpio"),
    ("RUST", "rustc", "Rust", "rustc"),
    ("RUST", "bindgen", "Rust", "bindgen"),
    ("MODULE_SIG", "openssl", "the key that modules are signed with", "openssl"),
)
# Headers of libraries that programs of the build are made with.
_HEADERS = (
    ("OBJTOOL", "gelf.h", "objtool", "libelf-dev"),
    ("STACK_VALIDATION", "gelf.h", "objtool", "libelf-dev"),
    ("UNWINDER_ORC", "gelf.h", "objtool", "libelf-dev"),
    ("MODULE_SIG_FORMAT", "openssl/opensslv.h", "scripts/sign-file", "libssl-dev"),
    ("SYSTEM_TRUSTED_KEYRING", "openssl/opensslv.h", "certs/extract-cert", "libssl-dev"),
    ("", "stdio.h", "the kernel's own conf", "libc6-dev"),
)
# Of make's packaging targets (scripts/Makefile.package): a part of the target's name, program, package.
_PACKAGING = (
    ("deb-pkg", "dpkg-buildpackage", "dpkg-dev"),
    ("deb-pkg", "rsync", "rsync"),
    ("deb-pkg", "depmod", "kmod"),
    ("rpm-pkg", "rpmbuild", "rpm"),
    ("rpm-pkg", "rsync", "rsync"),
    ("tar", "tar", "tar"),
    ("tar", "depmod", "kmod"),
)
# Options with the name of a file that must be there; the value that does without.
_KEYS = ("SYSTEM_TRUSTED_KEYS", "SYSTEM_REVOCATION_KEYS", "MODULE_SIG_KEY")
_MADE = "certs/signing_key.pem"  # made by the build where it is not there (certs/Makefile)
_GCC = re.compile(r"(?P<cross>.*-)?gcc(?P<version>-\d+)?")
# LLVM's other programs that each build calls.
_LLVM_TOOLS = ("AR", "NM", "OBJCOPY", "STRIP")


@dataclass(frozen=True, slots=True)
class Need:
    """Something a build needs: a program or header, Debian's package of it, the option that asks for it."""

    name: str
    purpose: str
    package: str
    option: str = ""

    @property
    def text(self) -> str:
        """`gelf.h (libelf-dev): objtool, for CONFIG_UNWINDER_ORC`."""
        asked = f", for CONFIG_{self.option}" if self.option else ""
        return f"{self.name} ({self.package}): {self.purpose}{asked}"


def check_needs(
    config: Mapping[str, str],
    words: Mapping[str, str],
    targets: Sequence[str],
    *,
    sources: Path | None = None,
    made: bool = False,
) -> None:
    """Raises `MissingError` where the machine lacks something.

    `sources`: where they are, None where they are not here yet.  `made`: the kernel's conf is there already.
    """
    missing = list(find_missing(config, words, targets, sources=sources, made=made))
    if missing:
        packages = " ".join(dict.fromkeys(need.package for need in missing))
        said = "\n  ".join(need.text for need in missing)
        compiler, llvm = find_tools(words)["CC"], find_llvm(words)
        version = _find_version(compiler) if compiler in (need.name for need in missing) else ""
        other = f"LLVM=-{version}" if llvm is not None else f"CC={compiler}-{version}"
        raise MissingError(
            f"this machine lacks what this kernel is built with:\n  {said}",
            hint=f"apt-get install {packages} (Debian's names)"
            + (f"; or {other}, which is here" if version else ""),
        )


def _find_version(program: str) -> str:
    """The highest N for which there is a `program-N` on PATH; "" where there is none."""
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = (path.name.rpartition("-")[2] for place in places for path in Path(place).glob(f"{program}-*"))
    return max((number for number in found if number.isdecimal()), key=int, default="")


def find_missing(
    config: Mapping[str, str],
    words: Mapping[str, str],
    targets: Sequence[str],
    *,
    sources: Path | None = None,
    made: bool = False,
) -> Iterator[Need]:
    """What is not there, each once."""
    seen = set()
    tools = list(_missing_tools(words))
    programs = _missing_programs(config, made=made)
    for need in (*tools, *programs, *_missing_packagers(targets, words, sources)):
        if need.name not in seen:
            seen.add(need.name)
            yield need
    if not any(need.purpose == "compiling" for need in tools):
        yield from _missing_headers(config, find_compilers(words)[1])


def _missing_tools(words: Mapping[str, str]) -> Iterator[Need]:
    """Compilers, linker and what comes with it."""
    for name in dict.fromkeys(find_compilers(words)):
        program = name.split()[-1] if name else "gcc"
        if process.find_program(program) is None:
            yield Need(program, "compiling", _compiler_package(program))
    tools, llvm = find_tools(words), find_llvm(words)
    suffix = llvm[1] if llvm is not None else ""
    linker = tools["LD"]
    if process.find_program(linker) is None:
        cross = linker.removesuffix("-ld") if linker.endswith("-ld") else ""
        package = f"lld{suffix}" if "lld" in linker else f"binutils-{cross}" if cross else "binutils"
        yield Need(linker, "linking", package)
    for name in _LLVM_TOOLS if llvm is not None else ():
        if process.find_program(tools[name]) is None:
            yield Need(tools[name], "linking", f"llvm{suffix}")


def _compiler_package(program: str) -> str:
    match = _GCC.fullmatch(program)
    if match and match["cross"]:
        # Debian: aarch64-linux-gnu-gcc is in gcc-aarch64-linux-gnu, x86_64's in gcc-x86-64-linux-gnu.
        return f"gcc{match['version'] or ''}-{match['cross'].rstrip('-').replace('_', '-')}"
    return Path(program).name


def _missing_programs(config: Mapping[str, str], *, made: bool) -> Iterator[Need]:
    for option, name, purpose, package in _PROGRAMS:
        if option and config.get(option, "n") == "n":
            continue
        if name in ("flex", "bison") and made:
            continue
        if name == "openssl" and config.get("MODULE_SIG_KEY", "").strip('"') != _MADE:
            continue
        if process.find_program(name) is None:
            yield Need(name, purpose, package, option)


def _missing_packagers(
    targets: Sequence[str], words: Mapping[str, str], sources: Path | None
) -> Iterator[Need]:
    """What the packaging targets call; which of debhelper and fakeroot it is, the sources' scripts say."""
    for target in targets:
        programs = [(name, package) for kind, name, package in _PACKAGING if kind in target]
        if "deb-pkg" in target and sources is not None:
            scripts = sources / "scripts/package"
            if "dh_" in _read(scripts / "debian/rules"):  # since 6.12
                programs.append(("dh_listpackages", "debhelper"))
            if "Rules-Requires-Root: no" not in _read(scripts / "mkdebian"):  # before 5.5
                programs.append(("fakeroot", "fakeroot"))
        if "deb-pkg" in target and words.get("CROSS_COMPILE"):
            # builddeb makes the headers' own programs anew with it, whatever CC says.
            compiler = f"{words['CROSS_COMPILE']}gcc"
            programs.append((compiler, _compiler_package(compiler)))
        for name, package in programs:
            if process.find_program(name) is None:
                yield Need(name, f"make {target}", package)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _missing_headers(config: Mapping[str, str], compiler: str) -> Iterator[Need]:
    """Headers that this machine's compiler does not find, asked in one go."""
    wanted = {
        header: Need(header, purpose, package, option)
        for option, header, purpose, package in _HEADERS
        if not option or config.get(option, "n") != "n"
    }
    text = "".join(
        f"#if !__has_include(<{header}>)\nlkm_lacks {index}\n#endif\n" for index, header in enumerate(wanted)
    )
    result = process.run(
        [*compiler.split(), "-E", "-P", "-x", "c", "-"],
        stdin=text.encode(),
        env=make_environment(),
        timeout=30,
    )
    lacks = {int(number) for number in re.findall(r"lkm_lacks (\d+)", result.stdout)}
    yield from (need for index, need in enumerate(wanted.values()) if index in lacks)


def check_keys(tree: Tree, build: Path, config: Mapping[str, str]) -> None:
    """Raises `BadInputError` where the configuration names a file of keys that is not there.

    A distribution's configuration names one of its packaging's (`debian/certs/…`).
    """
    for option in _KEYS:
        value = config.get(option, "").strip('"')
        if not value or value.startswith("pkcs11:") or value == _MADE:
            continue
        if any((place / value).is_file() for place in (build, tree.path)):
            continue
        remedy = _MADE if option == "MODULE_SIG_KEY" else '\\"\\"'
        raise BadInputError(
            f'CONFIG_{option}="{value}": there is no such file in {tree.path} or {build}; '
            "configurations of distributions name files of their own",
            hint=f"lkm kernel configure -O {build} set {option}={remedy}",
        )


# Bytes a build takes: for each option that is on, with and without debug information (measured: 474 options
# 34 MiB, 557: 188, 759: 337; with debug information 405: 296, 789: 1284; docs/compile.md).
_PER_OPTION, _PER_OPTION_DEBUG = 450 << 10, 1700 << 10


def estimate_room(config: Mapping[str, str], *, there: int = 0) -> int:
    """Bytes that the build directory will still grow by, roughly; `there`: what it holds already."""
    on = _count_on(config.values())
    each = _PER_OPTION_DEBUG if config.get("DEBUG_INFO") == "y" else _PER_OPTION
    return max(on * each - there, 0)


def _count_on(values: Iterable[str]) -> int:
    return sum(value in ("y", "m") for value in values)
