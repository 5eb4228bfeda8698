# SPDX-License-Identifier: MIT
"""A compiler and what Kbuild calls, from one release of Debian, unpacked into a root of its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from lkm.errors import LkmError, MissingError
from lkm.kernel import apt
from lkm.kernel.apt import Archive, Package
from lkm.kernel.compiler import Wanted, write_json
from lkm.kernel.store import lock_of, read_size
from lkm.kernel.toolchain import FILE_NAME, SCHEMA, find_toolchain, toolchains_dir
from lkm.paths import locked, make_dir, new_directory
from lkm.progress import Progress

# Kbuild's programs: Documentation/process/changes.rst, and what its scripts call.
PROGRAMS = (
    *("make", "binutils", "pahole", "libc6-dev"),
    *("bash", "dash", "coreutils", "sed", "grep", "mawk", "findutils", "diffutils", "perl-base"),
    *("tar", "gzip", "xz-utils", "bc", "cpio", "kmod", "python3-minimal"),
)
# What the compiler's packages bring that no kernel module uses: sanitizers' and other user-space libraries.
_LEFT_OUT = (
    *("libasan", "libhwasan", "liblsan", "libtsan", "libubsan", "libgomp", "libitm", "libquadmath"),
    *("libatomic", "libgprofng", "rpcsvc-proto", "base-files", "openssl-provider", "tzdata", "media-types"),
)
# Files left out, by pattern below the root; lto1 and lto-dump are 65 MB.
_NOT_NEEDED = (
    *("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian"),
    *("usr/bin/*lto-dump*", "usr/libexec/gcc/*/*/lto1", "usr/lib/gcc/*/*/lto1", "usr/lib/gcc/*/*/lib*san*"),
    *("usr/lib/*/gconv", "usr/lib/*/lib*san.so*", "usr/include/c++", "usr/share/bash-completion", "var"),
)
_LINKS = ("bin", "sbin", "lib", "lib64")
# Links that packages' installation scripts would make: name, what it points to.
_ALTERNATIVES = {
    "awk": "mawk",
    "cc": "{0}",
    "gcc": "{0}",
    "which": "which.debianutils",
    "python3": "python3.*",
}


def fetch_toolchain(archives: Sequence[Archive], wanted: Wanted, *, progress: Progress) -> None:
    """Brings the compiler `wanted` into the cache from the first of `archives` that has it.

    Raises `MissingError` where none has it, or it cannot be fetched.
    """
    refused: LkmError | None = None
    for archive in archives:
        final = toolchains_dir() / f"{archive.name.partition('-')[2]}-{wanted.command}"
        make_dir(final.parent)
        with locked(lock_of(final)):
            if find_toolchain(wanted) is not None:
                return
            try:
                packages = _find_packages(archive, wanted, progress)
            except LkmError as error:
                refused = refused or error
                continue
            _fetch(archive, packages, wanted, final, progress)
            return
    raise MissingError(
        f"{wanted.text}, which the kernel was built with, is neither on this machine nor in the archive",
        hint=f"install {wanted.command}",
    ) from refused


def _find_packages(archive: Archive, wanted: Wanted, progress: Progress) -> list[Package]:
    from lkm.kernel.offer import is_kernel_package

    apt.read_index(archive, is_kernel_package, refresh=False, progress=progress)
    packages = apt.find_closure(archive, [wanted.command, *PROGRAMS])
    return [package for package in packages if not package.name.startswith(_LEFT_OUT)]


def _fetch(
    archive: Archive, packages: list[Package], wanted: Wanted, final: Path, progress: Progress
) -> None:
    suite = archive.sources[0].suite
    with new_directory(final) as part:
        root, files = part / "root", part / "packages"
        files.mkdir()
        what = f"fetching {wanted.command} of {suite}"
        debs = apt.download(archive, packages, files, what=what, progress=progress)
        for number, deb in enumerate(debs):
            progress.update(f"unpacking {wanted.command} of {suite}", number, len(debs))
            apt.unpack(deb, root)
            deb.unlink()
        shutil.rmtree(files)
        merge_usr(root)
        _settle(root, wanted)
        version = _read_version(packages, wanted)
        write_json(
            part / FILE_NAME,
            {
                "schema": SCHEMA,
                "family": wanted.family,
                "major": wanted.major,
                "compiler": wanted.command,
                "version": version,
                "suite": f"{archive.name.partition('-')[0]} {suite}",
                "why": f"the kernel was built with {wanted.command}",
                "packages": [f"{package.name}={package.version}" for package in packages],
                "size": read_size(part),
            },
        )
        if not (part / FILE_NAME).is_file():
            raise apt.no_space(final.parent, 0)


def merge_usr(root: Path) -> None:
    """Moves bin, sbin, lib and lib64 into usr and leaves links, as installed systems have them.

    dpkg-deb replaces such links by the directories that packages before trixie hold.
    """
    for name in _LINKS:
        place, target = root / name, root / "usr" / name
        target.mkdir(parents=True, exist_ok=True)
        if place.is_dir() and not place.is_symlink():
            _move_tree(place, target)
            shutil.rmtree(place)
        if not place.is_symlink():
            place.symlink_to(f"usr/{name}")


def _move_tree(source: Path, target: Path) -> None:
    for entry in source.iterdir():
        there = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and there.is_dir():
            _move_tree(entry, there)
        else:
            entry.replace(there)


def _settle(root: Path, wanted: Wanted) -> None:
    for pattern in _NOT_NEEDED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    programs = root / "usr" / "bin"
    for name, target in _ALTERNATIVES.items():
        pattern = target.format(wanted.command)
        found = next((path.name for path in sorted(programs.glob(pattern))), None)
        if found is not None and not (programs / name).exists():
            (programs / name).symlink_to(found)


def _read_version(packages: list[Package], wanted: Wanted) -> str:
    version = next((package.version for package in packages if package.name == wanted.command), "")
    return f"{wanted.command} (Debian {version}) {version.partition('-')[0]}"
