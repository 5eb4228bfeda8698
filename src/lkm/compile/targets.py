# SPDX-License-Identifier: MIT
"""Targets of make that name directories and files: whether they can be, and what was meant else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.errors import UsageError

if TYPE_CHECKING:
    from lkm.compile.value import KernelBuilt

# Targets of make that are typed, of `make help` (top Makefile, arch/x86/Makefile, scripts/Makefile.package).
TARGETS = (
    "all", "vmlinux", "modules", "bzImage", "zImage", "Image", "Image.gz", "prepare", "modules_prepare",
    "headers", "headers_install", "dtbs", "bindeb-pkg", "deb-pkg", "binrpm-pkg", "rpm-pkg", "dir-pkg",
    "tar-pkg", "targz-pkg", "tarxz-pkg", "isoimage", "compile_commands.json", "scripts_gdb", "kernelrelease",
    "image_name", "clean", "mrproper", "distclean", "coccicheck", "cscope", "tags", "nsdeps", "savedefconfig",
)  # fmt: skip
# Of which make says itself what is done there (top Makefile); no directories of Kbuild's.
_OTHERS = ("tools", "scripts", "Documentation")
# The endings Kbuild makes one file by (single-targets of the top Makefile).
_ENDINGS = ("a", "i", "ko", "lds", "ll", "lst", "mod", "o", "rsi", "s")
_SOURCES = (".c", ".S", ".rs")
# KCFLAGS, W: a variable without its value.  TAGS is a target.
_VARIABLE = re.compile(r"(?!TAGS$)[A-Z][A-Z0-9_]*|CONFIG_\w+")


def settle_targets(tree: Path, build: Path, targets: Iterable[str]) -> tuple[str, ...]:
    """The targets with each directory as Kbuild names it: `kernel/irq/` for `kernel/irq`, too.

    Of a directory without the slash make finds that it is there, and makes nothing; one that is not there it
    makes, empty (top Makefile, scripts/Makefile.build: unknown-single).  Raises `UsageError` where the
    sources have no such directory.
    """
    settled = []
    for target in targets:
        name = target.rstrip("/")
        there = (tree / name).is_dir()
        slash = target.endswith("/")
        plain = name.partition("/")[0] not in _OTHERS
        if not there and (slash or ("/" in name and (build / name).is_dir())):
            near = find_near_path(tree, f"{name}/")
            raise UsageError(
                f"{target}: no such directory in the sources, {tree}",
                hint=f"lkm kernel build -O {build} {near or _nearest_parent(tree, name)}".rstrip(),
            )
        settled.append(f"{name}/" if slash or (there and plain and _has_rules(tree / name)) else target)
    return tuple(settled)


def find_unknown(built: KernelBuilt) -> str:
    """The target that was asked for and that make does not know; "" where it knows them all."""
    said = [item.text for item in built.errors]
    known = (target for target in built.record.targets if f"No rule to make target '{target}'" in said)
    return next(known, "")


def find_near_target(tree: Path, target: str) -> str:
    """The target of make, or the variable, that was meant; "" where nothing is near.

    A file's that is `target` itself where its source is there: no option that is on builds it then.
    """
    if "/" not in target:
        same = [name for name in TARGETS if name.lower() == target.lower()]
        if near := same or get_close_matches(target, TARGETS, n=1):
            return near[0]
        if _VARIABLE.fullmatch(target):
            return f"{target}=VALUE"
    return find_near_path(tree, target)


def find_near_path(tree: Path, target: str) -> str:
    """The directory (`kernel/irq/`) or file to be made (`kernel/irq/manage.o`) with a name like `target`."""
    *parents, name = target.split("/")
    place = tree
    for parent in parents:
        near = _near(parent, (one.name for one in _list(place) if one.is_dir()))
        if not near:
            return ""
        place = place / near
    start = "".join(f"{part}/" for part in place.relative_to(tree).parts)
    if not name:
        return start
    directories = (one.name for one in _list(place) if one.is_dir() and _has_rules(one))
    if "." not in name and (near := _near(name, directories)):
        return f"{start}{near}/"
    stem, _, ending = name.rpartition(".") if "." in name else (name, "", "o")
    stems = {one.stem for one in _list(place) if one.suffix in _SOURCES}
    ending = (get_close_matches(ending, _ENDINGS, n=1, cutoff=0.5) or ["o"])[0]
    if near := _near(stem, stems):
        return f"{start}{near}.{ending}"
    if not parents:  # fork.o: where its source is
        found = sorted(path for depth in ("*/", "*/*/") for path in tree.glob(f"{depth}{stem}.c"))
        found = [path for path in found if path.relative_to(tree).parts[0] not in _OTHERS]
        return f"{found[0].relative_to(tree).with_suffix('')}.{ending}" if found else ""
    return ""


def find_option(tree: Path, target: str) -> str:
    """The option that builds `kernel/irq/timings.o`, by its directory's Makefile; "" where it says none."""
    place, stem = (tree / target).parent, Path(target).stem
    rule = re.compile(rf"-\$\(CONFIG_(\w+)\)[ \t]*[:+]?=[^#\n]*(?<![\w-]){re.escape(stem)}\.o\b")
    for name in ("Makefile", "Kbuild"):
        try:
            text = (place / name).read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
        except OSError:
            continue
        if match := rule.search(text):
            return match[1]
    return ""


def find_empty(build: Path, targets: Sequence[str]) -> list[str]:
    """The directories among `targets` in which nothing was ever made."""
    return [
        target
        for target in targets
        if target.endswith("/") and next((build / target).rglob("*.o"), None) is None
    ]


def _has_rules(place: Path) -> bool:
    return (place / "Makefile").is_file() or (place / "Kbuild").is_file()


def _list(place: Path) -> list[Path]:
    try:
        return sorted(place.iterdir())
    except OSError:
        return []


def _near(name: str, names: Iterable[str]) -> str:
    """`name` itself where it is among `names`, else the one that is most like it."""
    known = list(names)
    return name if name in known else next(iter(get_close_matches(name, known, n=1)), "")


def _nearest_parent(tree: Path, name: str) -> str:
    """The directory above that is there, as a target."""
    above = next((str(one) for one in Path(name).parents if (tree / one).is_dir()), ".")
    return f"{above}/" if above != "." else ""
