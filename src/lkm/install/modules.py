# SPDX-License-Identifier: MIT
"""The modules directory in the making: the kernel's own `make modules_install`, or a copy; depmod."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from lkm import process
from lkm.errors import BadInputError, LkmError, MissingError
from lkm.install.value import MANIFEST, Manifest, Places, Source
from lkm.kbuild.make import build_environment
from lkm.kernel.layout import read_text
from lkm.progress import Progress
from lkm.release.space import ENDLESS, check_space

_TIMEOUT = 3600.0
_LINKS = ("build", "source")  # they lead elsewhere and are never entered
_HINT = "give another place: --root DIR; --strip leaves debug information out"


def build_modules_install(source: Source, places: Places, *, strip: bool) -> list[str]:
    """The command that lays out the modules of a build directory below the stage."""
    jobs = len(os.sched_getaffinity(0))
    words = [f"INSTALL_MOD_PATH={places.stage}", *(["INSTALL_MOD_STRIP=1"] if strip else []), *source.words]
    build = str(source.build)
    return ["make", "--no-print-directory", "-C", build, f"-j{jobs}", *words, "modules_install"]


def build_depmod(source: Source, places: Places) -> list[str]:
    """The command that writes the dependency files (scripts/depmod.sh: the same words)."""
    symbols = ["-e", "-F", str(source.map)] if source.map is not None and _is_map(source.map) else []
    return ["depmod", "-a", *symbols, "-b", str(places.stage), places.release]


def _is_map(path: Path) -> bool:
    return path.stat().st_size > 4096  # Debian's is a line of text in place of a map


def stage_modules(source: Source, places: Places, *, strip: bool, progress: Progress) -> list[str]:
    """Makes the modules directory below the stage; what is worth telling is given back.

    A kernel that can load no modules gets a directory without any.  Raises `CommandError` where make
    fails, `MissingError` where there is no room.
    """
    places.staged_tree.mkdir(parents=True)
    notes: list[str] = []
    if source.build is not None and source.has_modules:
        _make(build_modules_install(source, places, strip=strip), source, places, progress)
    elif source.build is not None:
        # With CONFIG_MODULES=n, `make modules_install` lays out these two since Linux 6.2, and fails before.
        for name in ("modules.builtin", "modules.builtin.modinfo"):
            if (source.build / name).is_file():
                shutil.copyfile(source.build / name, places.staged_tree / name)
    elif source.tree is not None:
        copy_tree(source.tree, places.staged_tree, what="copying modules", progress=progress)
        _point_links(source, places.staged_tree)
        if strip:
            notes.append("modules that were not built here are not stripped")
    return notes


def _point_links(source: Source, tree: Path) -> None:
    """`build` leads to what modules are built with here, and no link leads nowhere."""
    for name in _LINKS:
        link = tree / name
        if not link.is_symlink() or link.exists():
            continue
        link.unlink()
        if name == "build" and source.kernel.build is not None:
            link.symlink_to(source.kernel.build.resolve())


def write_dependencies(source: Source, places: Places) -> None:
    """The `modules.*` files that depmod writes, by kmod's own or, where that is not there, by ours."""
    if process.find_program("depmod") is not None:
        argv = build_depmod(source, places)
        process.run(argv, timeout=_TIMEOUT).check("depmod", hint="lkm depmod -b DIR VERSION")
        return
    from lkm.modtree.depmod import run_depmod

    run_depmod(places.staged_tree, release=places.release, full=True)


def has_dependencies(tree: Path) -> bool:
    """Whether depmod was run for it."""
    return (tree / "modules.dep").is_file() and (tree / "modules.dep.bin").is_file()


def _make(argv: list[str], source: Source, places: Places, progress: Progress) -> None:
    assert source.build is not None
    if process.find_program("make") is None:
        raise MissingError("make is not on this machine", hint="lkm doctor --fix, or apt-get install make")
    total, done = len(source.modules), 0

    def tell(line: str) -> None:
        nonlocal done
        words = line.split()
        if words and words[0] == "INSTALL" and words[-1].endswith(".ko"):
            done += 1
            progress.update("installing modules", done, max(total, done))

    progress.update("installing modules", 0, total or None)
    env = build_environment(source.build)
    result = process.run_lines(argv, cwd=source.build, env=env, on_line=tell, timeout=_TIMEOUT)
    if result.status and "No space left on device" in result.stdout:
        check_space(places.stage, ENDLESS, hint=_HINT)
    if result.status and "modules disabled" in result.stdout:
        raise BadInputError(f"{source.kernel.name}: CONFIG_MODULES is not set", hint="lkm kernel configure")
    result.check("make modules_install")


def copy_tree(source: Path, target: Path, *, what: str, progress: Progress) -> None:
    """Copies a directory, links as links, into `target`, which may exist; modes and times are kept.

    The record of an installation is none of the kernel's and stays behind.
    """
    files = [path for path in source.rglob("*") if path.is_symlink() or path.is_file()]
    files = [path for path in files if path.name != MANIFEST]
    for done, path in enumerate(sorted(files)):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place, follow_symlinks=False)
        if not done & 0x3F:
            progress.update(what, done, len(files))


def carry_over(places: Places, old: Manifest) -> set[str]:
    """Puts what others added to an installed modules directory (DKMS's `updates`) into the one in the making.

    Gives these files' paths in it.
    """
    carried = set()
    for path in find_added(places.tree, old):
        place = places.staged_tree / path.relative_to(places.tree)
        if os.path.lexists(place):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, place, follow_symlinks=False)
        carried.add(str(path.relative_to(places.tree)))
    return carried


def find_added(tree: Path, manifest: Manifest) -> list[Path]:
    """What lies in an installed modules directory and was not laid out, depmod's own files aside."""
    known = set(manifest.modules)
    return [tree / name for name in list_files(tree) if name not in known and not is_generated(name)]


def is_generated(name: str) -> bool:
    """Whether a path in a modules directory is a file that depmod writes, or the manifest."""
    return name == MANIFEST or (name.startswith("modules.") and "/" not in name)


def list_files(tree: Path) -> list[str]:
    """The paths of all files and links in a modules directory, those that `build` leads to left out."""
    found = []
    waiting = [""]
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(tree / place) as entries:
            for entry in entries:
                name = f"{place}{entry.name}"
                if entry.is_dir(follow_symlinks=False) and name not in _LINKS:
                    waiting.append(f"{name}/")
                else:
                    found.append(name)
    return sorted(found)


def measure_modules(source: Source, *, strip: bool) -> int:
    """About how many bytes the modules directory will have on the disk."""
    packed = _is_packed(source)
    total = 1 << 20
    for path in source.modules:
        size = _stripped_size(path) if strip and source.build is not None else path.stat().st_size
        if packed and source.build is not None:
            size //= 2  # by a third and less, as all compressions do
        total += -(-size // 4096) * 4096 + 1024  # and its lines in depmod's files
    if source.tree is not None:
        total += sum((source.tree / name).stat().st_size for name in _beside(source.tree))
    return total


def _beside(tree: Path) -> Iterable[str]:
    names = (entry.name for entry in tree.iterdir() if entry.is_file())
    return (name for name in names if name.startswith("modules."))


def _is_packed(source: Source) -> bool:
    """Whether modules_install compresses (kernel/module/Kconfig; since Linux 6.12 only what has ..._ALL)."""
    lines = read_text(source.config).splitlines() if source.config is not None else []
    kinds = (f"CONFIG_MODULE_COMPRESS_{kind}=y" for kind in ("GZIP", "XZ", "ZSTD"))
    return any(kind in lines for kind in kinds) and "# CONFIG_MODULE_COMPRESS_ALL is not set" not in lines


def _stripped_size(path: Path) -> int:
    """The bytes of a module without debug information: `strip --strip-debug` takes those sections."""
    from lkm.elf import open_source, parse_elf

    size = path.stat().st_size
    try:
        source = open_source(path)
        try:
            sections = parse_elf(source).sections
        finally:
            source.close()
    except LkmError:
        return size
    return size - sum(one.size for one in sections if ".debug_" in one.name)
