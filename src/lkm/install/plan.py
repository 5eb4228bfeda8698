# SPDX-License-Identifier: MIT
"""What installing a kernel at a place takes, decided before anything is written."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lkm import process
from lkm.errors import MissingError, UsageError
from lkm.guest.identity import find_busybox
from lkm.install.initramfs import ROOT_MODULES, can_unpack
from lkm.install.machine import Machine, find_machine
from lkm.install.modules import build_depmod, build_modules_install, has_dependencies, measure_modules
from lkm.install.value import (
    How,
    Manifest,
    Places,
    Request,
    Source,
    Step,
    list_installed,
    read_manifest,
    root_words,
)
from lkm.module import module_name
from lkm.release.space import check_space

_SPARE = 4 << 20  # bytes that are left free
_INITRAMFS = 64 << 20  # bytes of one that a generator makes where there is none yet to go by


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done.

    `old`: on record for the kernel that lies there already; None where there is none or it is not ours.
    `there`: whether any kernel of that release lies there.  `own_initramfs`: whether we make it.
    `tree_size`, `boot_size`: bytes that are needed below `lib/modules` and in `boot`, estimated.
    """

    source: Source
    request: Request
    places: Places
    machine: Machine
    old: Manifest | None
    there: bool
    own_initramfs: bool
    tree_size: int
    boot_size: int

    @property
    def copies(self) -> list[tuple[Path, Path]]:
        """Files of `boot` that are copied: from where, to where."""
        places, source = self.places, self.source
        pairs = ((source.map, places.map), (source.config, places.config), (source.image, places.image))
        return [(start, end) for start, end in pairs if start is not None]

    @property
    def restore(self) -> bool:
        """Whether what lies there is another's, so that uninstalling puts it back."""
        return self.there and (self.old is None or self.old.restore)

    @property
    def commands(self) -> list[list[str]]:
        """What is run when all files are in place."""
        initramfs = self.own_initramfs or (self.request.initramfs and self.machine.makes_initramfs)
        return self.machine.build_install(self.places, initramfs=initramfs)


def make_plan(source: Source, request: Request) -> Plan:
    """What installing `source` as wanted takes.

    Raises `UsageError` where there is no such place, the kernel is for another machine, or another
    kernel of that release is there; `MissingError` where the place cannot be written or has no room.
    """
    root = _check_root(request.root)
    name = "vmlinux" if source.image.name in ("vmlinux", "Image") else "vmlinuz"
    places = Places(root, source.release, name)
    machine = find_machine(root, request.via)
    if root == Path("/") and source.kernel.arch not in ("", os.uname().machine):
        raise UsageError(
            f"{source.kernel.name} is for {source.kernel.arch}, this machine is {os.uname().machine}",
            hint="--root DIR lays it out elsewhere",
        )
    old, there = _find_there(places, source, force=request.force)
    own = request.initramfs and not machine.makes_initramfs and can_unpack(source)
    return Plan(
        source,
        request,
        places,
        machine,
        old,
        there,
        own,
        measure_modules(source, strip=request.strip),
        _measure_boot(source, places, own=own, made=request.initramfs and machine.makes_initramfs),
    )


def _check_root(root: Path) -> Path:
    if not root.exists():
        raise UsageError(f"{root} does not exist", hint=f"mkdir -p {shlex.quote(str(root))}")
    if not root.is_dir():
        raise UsageError(f"{root} is not a directory", hint="--root DIR")
    root = root.resolve()
    if any(letter in str(root) for letter in "%: \t"):  # scripts/Makefile.modinst; make itself
        raise UsageError(
            f"{root}: make modules_install cannot work in a path with a space, a colon or a percent sign",
            hint="--root DIR",
        )
    return root


def check_writable(places: Places) -> None:
    """Raises `MissingError` where the place's directories cannot be written by this user, and says why."""
    for place in (places.boot, places.trees):
        there = _existing(place)
        if os.access(there, os.W_OK | os.X_OK):
            continue
        user = os.geteuid() != 0 and not _is_read_only(there)
        reason = "not as this user" if user else _ask_kernel(there)
        raise MissingError(
            f"cannot write in {there}" + (f": {reason}" if reason else ""),
            hint="sudo, with the same words"
            if user and places.root == Path("/")
            else "another place: --root DIR",
        )


def _is_read_only(directory: Path) -> bool:
    return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)


def _ask_kernel(directory: Path) -> str:
    """Why no file can be made in it, in the kernel's words; open(2) with O_TMPFILE leaves none behind."""
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return error.strerror or ""
    return ""


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _find_there(places: Places, source: Source, *, force: bool) -> tuple[Manifest | None, bool]:
    """What is on record for the kernel of that release there, and whether there is any."""
    old = read_manifest(places.manifest)
    there = places.tree.is_dir() or places.image.exists()
    if old is None and there and not force:
        found = places.image if places.image.exists() else places.tree
        raise UsageError(
            f"a kernel {places.release} is there already, which lkm did not install: {found}",
            hint="build with another CONFIG_LOCALVERSION; or --force, which keeps the other as .old",
        )
    if old is not None and old.name != source.kernel.name and old.image != str(source.image) and not force:
        raise UsageError(
            f"another kernel {places.release} is there already: {old.name}, installed {old.installed[:10]}",
            hint=f"lkm kernel uninstall {places.release}{root_words(places.root)}; or --force",
        )
    return old, there


def check_room(plan: Plan) -> None:
    """Raises `MissingError` where there is less room than is needed; asks each file system once."""
    trees, boot = _existing(plan.places.trees), _existing(plan.places.boot)
    hints = [] if plan.request.strip else ["--strip"]
    if list_installed(plan.places.root):
        hints = [f"lkm kernel uninstall RELEASE{root_words(plan.places.root)}", *hints]
    hint = "; ".join([*hints, "another place: --root DIR"])
    if trees.stat().st_dev == boot.stat().st_dev:
        check_space(trees, plan.tree_size + plan.boot_size, spare=_SPARE, hint=hint)
        return
    check_space(boot, plan.boot_size, spare=_SPARE, hint=hint)
    check_space(trees, plan.tree_size, spare=_SPARE, hint=hint)


def _measure_boot(source: Source, places: Places, *, own: bool, made: bool) -> int:
    total = sum(path.stat().st_size for path in (source.image, source.map, source.config) if path is not None)
    if own:
        busybox = find_busybox()
        total += busybox.stat().st_size if busybox is not None else 0
        names = set(ROOT_MODULES)
        total += sum(
            path.stat().st_size * (1 if path.suffix == ".ko" else 4)
            for path in source.modules
            if module_name(path.name) in names
        )
        total += 1 << 20
    elif made:
        sizes = [path.stat().st_size for path in places.boot.glob("initr*") if path.is_file()]
        total += 2 * max(sizes, default=_INITRAMFS // 2)  # the old one stays until the new one is whole
    return total


def describe_plan(plan: Plan) -> Iterator[Step]:
    """The steps in the order they are done; those with `argv` are run as they stand here."""
    source, places = plan.source, plan.places
    if source.build is not None and source.has_modules:
        argv = build_modules_install(source, places, strip=plan.request.strip)
        yield Step(f"{len(source.modules)} modules, by the kernel's own make", tuple(argv))
    elif source.tree is not None:
        yield Step(f"copy {source.tree} to {places.staged_tree}: {len(source.modules)} modules")
        if process.find_program("depmod") and not has_dependencies(source.tree):
            yield Step("dependency files", tuple(build_depmod(source, places)))
    if plan.own_initramfs:
        always = f", {' '.join(plan.request.names)}" if plan.request.names else ""
        yield Step(f"make {places.initramfs}: busybox, modules of root devices{always}")
    if plan.there:
        yield Step(
            f"keep what is there of {places.release} in {places.boot} as .old, where it is not the same"
        )
    yield Step(f"put {places.tree} in place")
    if plan.machine.how is not How.INSTALLKERNEL:
        for start, end in plan.copies:
            yield Step(f"put {end} in place, from {start}")
    for argv in plan.commands:
        yield Step(f"by {plan.machine.how.value}", tuple(argv))
