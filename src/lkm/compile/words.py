# SPDX-License-Identifier: MIT
"""The words and the environment make gets: the same bytes twice, and ccache where it is there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from lkm import process
from lkm.kconfig.tree import Tree, find_llvm, make_environment
from lkm.paths import cache_dir, make_dir
from lkm.release.record import Record, read_record

# mkdebian writes the time of day into the changelog; dpkg-buildpackage has read it then, its hooks may
# write.  Kbuild squeezes runs of spaces here ($(strip)), so that the line is told by its day's first letter.
_FIX_DATE = "sed -i 's/\\(> *\\)[A-Z].*/\\1{date}/' debian/changelog"


def find_date(tree: Tree) -> datetime:
    """When the sources were made: SOURCE_DATE_EPOCH, when the release was signed, or the Makefile's time."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdigit():
        return datetime.fromtimestamp(int(epoch), UTC)
    record = read_record(tree.path)
    if record is not None and record.signed:
        try:
            return datetime.fromisoformat(record.signed).astimezone(UTC)
        except ValueError:
            pass
    return datetime.fromtimestamp(int((tree.path / "Makefile").stat().st_mtime), UTC)


def reproducible_words(tree: Tree, build: Path, config: Mapping[str, str]) -> dict[str, str]:
    """What would otherwise differ from build to build (Documentation/kbuild/reproducible-builds.rst).

    Debug information names the build directory; it is called `.` there, so that the name does not count.
    """
    words = {
        "KBUILD_BUILD_TIMESTAMP": find_date(tree).strftime("%a %b %e %H:%M:%S UTC %Y"),
        "KBUILD_BUILD_USER": "lkm",
        "KBUILD_BUILD_HOST": "lkm",
        "KBUILD_BUILD_VERSION": "1",
    }
    if config.get("DEBUG_INFO") == "y":
        words["KCFLAGS"] = words["KAFLAGS"] = f"-fdebug-prefix-map={build}=."
    return words


def packaging_words(tree: Tree, targets: Sequence[str]) -> dict[str, str]:
    """What would differ from one build of Debian packages to the next: version, dates, the distribution.

    Without KDEB_PKGVERSION each has a higher number (scripts/build-version), the kernel's too, which is then
    linked again.  `-d`: what is needed was looked for; older Kbuild would want it as packages.
    """
    if not any("deb-pkg" in target for target in targets):
        return {}
    date = find_date(tree)
    fix = _FIX_DATE.format(date=format_datetime(date))
    return {
        "KDEB_PKGVERSION": f"{tree.version}-1",
        "KDEB_CHANGELOG_DIST": "unstable",
        "SOURCE_DATE_EPOCH": str(int(date.timestamp())),
        "DPKG_FLAGS": f'-d --hook-init="{fix}"',
    }


def merge_words(*sets: Mapping[str, str]) -> dict[str, str]:
    """All of them, later ones win; compiler flags are put together."""
    merged: dict[str, str] = {}
    for words in sets:
        for name, value in words.items():
            both = name in ("KCFLAGS", "KAFLAGS") and merged.get(name)
            merged[name] = f"{merged[name]} {value}" if both else value
    return merged


def find_compilers(words: Mapping[str, str]) -> tuple[str, str]:
    """The programs that compile the kernel and its tools for this machine, by make's words."""
    llvm = find_llvm(words)
    if llvm is not None:
        clang = f"{llvm[0]}clang{llvm[1]}"
        return words.get("CC", clang), words.get("HOSTCC", clang)
    return words.get("CC", f"{words.get('CROSS_COMPILE', '')}gcc"), words.get("HOSTCC", "gcc")


def find_ccache(words: Mapping[str, str]) -> Path | None:
    """ccache, where it is there and the compiler is not given with words of its own."""
    found = process.find_program("ccache")
    plain = all(re.fullmatch(r"[\w.+-]+", name) for name in find_compilers(words))
    return found if found is not None and plain and not os.environ.get("CCACHE_DISABLE") else None


def build_environment(words: Mapping[str, str], ccache: Path | None) -> dict[str, str]:
    """make's environment; with `ccache`, it stands in for the compilers under their own names.

    So the command lines that Kbuild keeps are the same with and without it, and nothing is made again by
    someone who runs make there by hand.
    """
    environment = make_environment()
    if ccache is None:
        return environment
    place = make_dir(cache_dir() / "ccache")
    for name in set(find_compilers(words)):
        link = place / name
        if not link.is_symlink() or link.readlink() != ccache:
            part = place / f".{name}.{os.getpid()}"
            part.symlink_to(ccache)
            part.replace(link)
    kept = {name: value for name, value in os.environ.items() if name.startswith("CCACHE_")}
    if "XDG_CACHE_HOME" in os.environ:  # where ccache keeps its files
        kept["XDG_CACHE_HOME"] = os.environ["XDG_CACHE_HOME"]
    return {**environment, **kept, "PATH": f"{place}:{environment['PATH']}"}


def describe_record(record: Record | None) -> dict[str, str | bool] | None:
    """The sources' record as a build's record has it."""
    if record is None:
        return None
    return {name: getattr(record, name) for name in record.__dataclass_fields__}
