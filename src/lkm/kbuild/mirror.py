# SPDX-License-Identifier: MIT
"""A copy of a module source for Kbuild to work in, so that the source itself is never written.

Kbuild makes its files beside the sources, cannot live in a path with a space or a colon, and trusts
modification times.  So each pair of a source and a kernel gets a directory of its own in the cache, with
copies of the source's files: a file is written there, with the time of now, only if its *contents* have
changed.  What the sources reach by `../` is there too, as links in the directories above the copy.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lkm.errors import BadInputError
from lkm.kbuild.kbuildfile import objects_above
from lkm.kbuild.source import KBUILD_NAMES, find_kbuild_file

MAX_FILES = 20_000
MAX_COPY = 4 << 20  # bytes; a larger file (firmware, test data) is linked instead
LEVELS = 6  # how far above the source `../` is followed

CLEAN_NAME = re.compile(r"[A-Za-z0-9._+-]+")
_ABOVE = re.compile(rb"(?<![.\w])\.\.(?:/\.\.)*(?![.\w])")
# What Kbuild writes (scripts/Makefile.build, Makefile.modpost, Makefile.modfinal): never copied.
_PRODUCT = re.compile(
    r"\.(?:ko|mod|mod\.c|mod\.o|order|symversions|o\.d|cmd|symtypes|gcno|dwo|ko\.debug)$"
    r"|^\.(?:tmp_|module-common\.o)|^Module\.symvers$|^built-in\.a$|^compile_commands\.json$"
)
# What editors and other tools leave, and no build reads.
_LITTER = re.compile(r"~$|^\.#|^#.*#$|^\..*\.sw[a-z]$|^4913$|\.(?:pyc|orig|rej)$|^\.git\w*$|^__pycache__$")


class Stamp(NamedTuple):
    """What tells a file's state without reading it: size in bytes, times in ns, inode number."""

    size: int
    mtime: int
    ctime: int
    inode: int


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where a source is copied to: the directory `source` to the directory `root`.

    `within`: where in both the module source is ("" but for one that makes objects above itself).
    `only`: its one C file, where it is no directory.
    """

    source: Path
    root: Path
    within: str = ""
    only: Path | None = None

    @property
    def work(self) -> Path:
        """The directory that Kbuild is told."""
        return self.root / self.within

    @property
    def directory(self) -> Path:
        """The directory of the module source."""
        return self.source / self.within


def stamp(status: os.stat_result) -> Stamp:
    """The `Stamp` of a stat(2) result."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def mirror_of(source: Path, base: Path) -> Mirror:
    """The mirror of a source (as `find_source` gives it) below the directory `base`."""
    directory = source if source.is_dir() else source.parent
    top = directory
    if source.is_dir():
        kbuild = find_kbuild_file(directory)
        text = kbuild.read_text(encoding="utf-8", errors="replace") if kbuild else ""
        for _ in range(objects_above(text)):
            top = top.parent
    levels = [f".up{level}" for level in range(_levels(top), 0, -1)]
    name = top.name if CLEAN_NAME.fullmatch(top.name) else "source"
    within = "" if top == directory else str(directory.relative_to(top))
    return Mirror(top, base.joinpath(*levels, name), within, None if source.is_dir() else source)


def scan(mirror: Mirror) -> dict[str, Stamp]:
    """Every file of the source that belongs in the mirror, by its path below the source.

    Hidden directories, Kbuild's own products and editors' leavings stay out.  Raises `BadInputError` above
    20,000 files.
    """
    if mirror.only is not None:
        return {mirror.only.name: stamp(mirror.only.stat())}
    found: dict[str, Stamp] = {}
    for relative, entry in _walk(mirror.source, "", (_inode(mirror.source),)):
        status = entry.stat()
        if stat.S_ISREG(status.st_mode):
            found[relative] = stamp(status)
        if len(found) > MAX_FILES:
            raise BadInputError(f"{mirror.source}: more than {MAX_FILES} files, is this a module source?")
    return found


def compare(mirror: Mirror, files: Mapping[str, Stamp], before: Mapping[str, Stamp]) -> set[str]:
    """The paths whose contents differ from what the mirror holds, given that it held `before`."""
    gone = before.keys() - files.keys()
    return set(gone) | {
        relative
        for relative, state in files.items()
        if before.get(relative) != state and not _is_copied(mirror, relative, state)
    }


def sync(mirror: Mirror, files: Mapping[str, Stamp], changed: Iterable[str]) -> int:
    """Copies the `changed` paths (see `compare`) to the mirror, or removes them there.

    Returns how far above the source they look: the longest run of `..` in them.
    """
    wanted = sorted(changed)
    for relative in wanted:  # first, since a file may have become a directory
        if relative not in files:
            (mirror.root / target_name(mirror, relative)).unlink(missing_ok=True)
    levels = max((_copy(mirror, name, files[name]) for name in wanted if name in files), default=0)
    if mirror.only is not None:
        _add_kbuild_file(mirror, mirror.only)
    return levels


def find_generated(mirror: Mirror, files: Iterable[str]) -> str:
    """A file in the mirror that is neither a copy nor one of Kbuild's products: "", or one's path."""
    known = {target_name(mirror, name) for name in files}
    if mirror.only is not None:
        known.add(KBUILD_NAMES[0])
    for directory, _, names in os.walk(mirror.root):
        here = set(names)
        for name in names:
            path = Path(directory, name)
            relative = str(path.relative_to(mirror.root))
            if relative not in known and not _is_product(name, here) and not path.is_symlink():
                return relative
    return ""


def target_name(mirror: Mirror, relative: str) -> str:
    """The name in the mirror of a file of the source (a lone C file's may need mending)."""
    if mirror.only is not None and relative == mirror.only.name:
        return re.sub(r"[^A-Za-z0-9._+-]", "_", relative)
    return relative


def levels_above(data: bytes) -> int:
    """The longest run of `..` in a source's text: 2 for `#include "../../common.h"`."""
    return max((match[0].count(b"..") for match in _ABOVE.finditer(data)), default=0)


def link_above(mirror: Mirror, levels: int) -> None:
    """Links what lies beside the source and above it, `levels` directories up, into the mirror's parents."""
    real, copy = mirror.source, mirror.root
    for _ in range(min(levels, _levels(mirror.source))):
        keep = copy.name
        real, copy = real.parent, copy.parent
        _link_entries(real, copy, {name for name in _listdir(real) if name != keep}, keep={keep})


def _listdir(directory: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(directory)]
    except OSError:
        return []


def _link_entries(real: Path, copy: Path, names: set[str], *, keep: set[str]) -> None:
    """Makes the links in `copy` be those to `names` in `real`; what `keep` names is left alone."""
    for name in set(_listdir(copy)) - keep:
        link = copy / name
        if link.is_symlink() and (name not in names or link.readlink() != real / name):
            link.unlink()
    for name in names:
        if not os.path.lexists(copy / name):
            (copy / name).symlink_to(real / name)


def _levels(directory: Path) -> int:
    return min(LEVELS, len(directory.parts) - 1)


def _walk(directory: Path, prefix: str, above: tuple[int, ...]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        entries = list(os.scandir(directory))
    except OSError as error:
        if not prefix:
            raise BadInputError(f"{directory}: {error.strerror}") from error
        return
    # Kbuild wants a record beside an object that was handed over as it is, and people make an empty one.
    by_hand = {entry.name for entry in entries if entry.name.endswith(".o.cmd") and _is_empty(entry)}
    names = {entry.name for entry in entries} - by_hand
    for entry in entries:
        name = entry.name
        try:
            if entry.is_dir():
                inode = entry.inode() if not entry.is_symlink() else entry.stat().st_ino
                if not name.startswith(".") and inode not in above and not _LITTER.search(name):
                    yield from _walk(Path(entry.path), f"{prefix}{name}/", (*above, inode))
            elif name in by_hand or not (_is_product(name, names) or _LITTER.search(name)):
                entry.stat()  # a dangling link is as good as absent
                yield prefix + name, entry
        except OSError:
            continue


def _inode(directory: Path) -> int:
    try:
        return directory.stat().st_ino
    except OSError as error:
        raise BadInputError(f"{directory}: {error.strerror}") from error


def _is_empty(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.stat().st_size == 0
    except OSError:
        return False


def _is_product(name: str, names: set[str]) -> bool:
    if name.endswith((".o", ".a")):
        # An object that was handed over as it is has neither a source nor a record beside it.
        stem = name.rpartition(".")[0]
        if f".{name}.cmd" in names or any(f"{stem}{end}" in names for end in (".c", ".S", ".rs")):
            return True
    return _PRODUCT.search(name) is not None


def _is_copied(mirror: Mirror, relative: str, state: Stamp) -> bool:
    source, target = mirror.source / relative, mirror.root / target_name(mirror, relative)
    try:
        if state.size > MAX_COPY or target.is_symlink():
            return False
        return source.read_bytes() == target.read_bytes()
    except OSError:
        return False


def _copy(mirror: Mirror, relative: str, state: Stamp) -> int:
    source, target = mirror.source / relative, mirror.root / target_name(mirror, relative)
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if state.size > MAX_COPY:
        target.symlink_to(source)
        return 0
    try:
        data = source.read_bytes()
        mode = source.stat().st_mode
    except OSError:
        return 0  # unreadable: Kbuild says so if it is needed
    target.write_bytes(data)
    if mode & 0o111:
        target.chmod(0o755)
    return levels_above(data)


def _add_kbuild_file(mirror: Mirror, only: Path) -> None:
    """For a lone C file: a Kbuild file that names it, and links to what lies beside it."""
    name = target_name(mirror, only.name)
    text = f"obj-m := {name.removesuffix('.c')}.o\n"
    kbuild = mirror.root / KBUILD_NAMES[0]
    if not kbuild.is_file() or kbuild.read_text() != text:
        kbuild.write_text(text)
    names = set(_listdir(mirror.source))
    beside = {
        other
        for other in names
        if not (other.startswith(".") or _LITTER.search(other) or _is_product(other, names))
    }
    beside -= {only.name, name, *KBUILD_NAMES}
    _link_entries(mirror.source, mirror.root, beside, keep={name, kbuild.name})
