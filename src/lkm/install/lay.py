# SPDX-License-Identifier: MIT
"""Installing: all is made beside its place first, then renamed; what was there stays until then.

Whatever is killed when, each file of `boot` is whole, the old one or the new one, and what was there of the
same release is complete under its `.old` names before the first is replaced, as installkernel(8) has it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lkm import process
from lkm.errors import MissingError, OutOfTimeError
from lkm.install.initramfs import build_initramfs
from lkm.install.machine import stage_of
from lkm.install.modules import (
    carry_over,
    has_dependencies,
    list_files,
    stage_modules,
    write_dependencies,
)
from lkm.install.plan import Plan, check_room, check_writable, make_plan
from lkm.install.value import (
    DIRECTORIES,
    MANIFEST,
    SCHEMA,
    How,
    Installed,
    Manifest,
    Places,
    Ran,
    list_installed,
    read_manifest,
)
from lkm.paths import locked_directory
from lkm.progress import Progress, Silent
from lkm.release.space import check_space, writing

_HOOK_TIMEOUT = 1800.0
_EXCHANGE = 2  # RENAME_EXCHANGE, include/uapi/linux/fs.h
_AT_FDCWD = -100
OLD = ".old"


def install(
    plan: Plan, *, progress: Progress | None = None, on_line: Callable[[str], None] | None = None
) -> Installed:
    """Does what was planned; one at a time for each place.  `on_line`: what the machine's programs say.

    Raises `MissingError` where the place cannot be written or there is no room, `CommandError` where
    the kernel's make fails: all is then as it was before.  A hook that fails is a result that is not `ok`.
    """
    show = progress or Silent()
    check_writable(plan.places)
    check_room(plan)
    missing = [name for name in DIRECTORIES if not (plan.places.root / name).exists()]
    with locked_directory(plan.places.trees), writing(plan.places.root, place="--root DIR"):
        sweep(plan.places)
        plan = make_plan(plan.source, plan.request)  # another may have been at work until now
        try:
            notes, manifest, same = _stage(plan, show, missing)
            with _uninterrupted():
                _commit(plan, manifest, same=same)
            # installkernel copies from the stage.
            early = plan.machine.how is How.INSTALLKERNEL
            ran = run_commands(plan.commands, on_line=on_line) if early else []
        finally:
            sweep(plan.places)
        ran = ran or run_commands(plan.commands, on_line=on_line)
    places = plan.places
    return Installed(
        all(one.status == 0 for one in ran),
        places.release,
        places.root,
        plan.machine.how,
        tuple(path for path in reversed(places.files) if path.exists()),
        places.tree,
        sum(name.partition(".ko")[1] == ".ko" for name in manifest.modules),
        _size(places, manifest),
        tuple(places.boot / name for name in manifest.kept.values() if (places.boot / name).exists()),
        tuple(ran),
        tuple(notes),
    )


def _stage(plan: Plan, progress: Progress, missing: Sequence[str]) -> tuple[list[str], Manifest, bool]:
    """Makes all that will be put in place, and the record of it; whether `boot` has the same already.

    `missing`: directories that were not there when we came.
    """
    source, places, request = plan.source, plan.places, plan.request
    notes = stage_modules(source, places, strip=request.strip, progress=progress)
    carried = carry_over(places, plan.old) if plan.old is not None else set()
    if carried:
        notes.append(f"{len(carried)} files that others had put into {places.tree} are still there")
        write_dependencies(source, places)
    elif source.has_modules and not has_dependencies(places.staged_tree):
        progress.update("dependency files")
        write_dependencies(source, places)
    places.boot.mkdir(parents=True, exist_ok=True)
    boot: dict[str, str] = {}
    if plan.own_initramfs:
        progress.update("initramfs")
        data = build_initramfs(source, places.staged_tree, request.names)
        check_space(places.boot, len(data), spare=0, hint="another place: --root DIR; --no-initramfs")
        _write(_beside(places.initramfs), data, 0o600)
        boot[places.initramfs.name] = hashlib.sha256(data).hexdigest()
    elif request.initramfs and plan.machine.makes_initramfs:
        boot[places.initramfs.name] = ""
    for start, end in plan.copies:
        progress.update(f"copying {end.name}")
        data = start.read_bytes()
        boot[end.name] = "" if plan.machine.how is How.INSTALLKERNEL else hashlib.sha256(data).hexdigest()
        if plan.machine.how is How.INSTALLKERNEL:
            name = ".config" if end == places.config else end.name.removesuffix(f"-{places.release}")
            stage_of(places).mkdir(exist_ok=True)
            (stage_of(places) / name).write_bytes(data)
        else:
            _write(_beside(end), data, 0o644)
    same = _is_same(plan, boot)
    if same and plan.old is not None:
        then = plan.old.installed[:16].replace("T", " ")
        notes.append(f"the same was installed already, {then} UTC: no .old is kept of it")
    modules = [name for name in list_files(places.staged_tree) if name not in carried]
    inherited = {name for one in list_installed(places.root) for name in one.made}
    manifest = replace(
        _record(plan, boot, modules, same=same),
        made=tuple(name for name in DIRECTORIES if name in missing or name in inherited),
    )
    _write(places.staged_tree / places.manifest.name, manifest.to_json(), 0o644)
    _sync(places.staged_tree)
    return notes, manifest, same


def _is_same(plan: Plan, boot: dict[str, str]) -> bool:
    """Whether lkm laid out the very files of `boot` (SHA-256; "": not known) before, and they are there."""
    there = {path.name: path for path in plan.places.files if path.exists()}
    return (
        plan.old is not None
        and there.keys() == boot.keys()
        and all(hashlib.sha256(path.read_bytes()).hexdigest() == boot[name] for name, path in there.items())
    )


def _record(plan: Plan, boot: dict[str, str], modules: list[str], *, same: bool) -> Manifest:
    places, source = plan.places, plan.source
    if plan.old is not None and (plan.old.restore or same):
        kept = plan.old.kept  # what was there first goes back in the end
    else:
        kept = {path.name: path.name + OLD for path in places.files if path.exists()}
    return Manifest(
        SCHEMA,
        source.kernel.name,
        places.release,
        source.kernel.arch,
        str(source.image),
        places.image_name,
        datetime.now(UTC).isoformat(timespec="seconds"),
        plan.machine.how,
        boot,
        tuple(modules),
        kept,
        plan.restore,
    )


def _commit(plan: Plan, manifest: Manifest, *, same: bool) -> None:
    """Puts all in its place; from here on nothing can fail but the disk itself."""
    places = plan.places
    keep = plan.there and not (plan.old is not None and plan.old.restore)
    for name, saved in manifest.kept.items() if keep and not same else ():
        part = places.boot / f".lkm-new-{saved}"
        os.link(places.boot / name, part)
        part.rename(places.boot / saved)
    aside = places.trees / f"{places.release}{OLD}" if keep and manifest.restore else None
    put_tree(places, aside)
    for path in places.files:
        if _beside(path).exists():
            _beside(path).rename(path)
    _sync(places.boot)
    _sync(places.trees)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Whoever wants us to end waits for the end of the block: some renamings, a few milliseconds."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def put_tree(places: Places, aside: Path | None) -> None:
    """Puts the staged modules directory in place; what was there goes `aside`, or is removed."""
    if not places.tree.exists():
        places.staged_tree.rename(places.tree)
        return
    if aside is not None and aside.exists():
        shutil.rmtree(aside)
    _exchange(places.staged_tree, places.tree)
    if aside is not None:
        places.staged_tree.rename(aside)


def _exchange(one: Path, two: Path) -> None:
    """Two names change what they stand for, at once where the file system can (renameat2(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    rename = getattr(libc, "renameat2", None)
    if rename is not None and rename(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(two), _EXCHANGE) == 0:
        return
    gone = two.with_name(f".lkm-gone-{two.name}")
    two.rename(gone)
    one.rename(two)
    gone.rename(one)


def sweep(places: Places) -> None:
    """Removes what a killed installation of this release left; called with the lock held."""
    gone = places.trees / f".lkm-gone-{places.release}"
    if gone.exists() and not places.tree.exists():
        gone.rename(places.tree)
    aside = places.trees / f"{places.release}{OLD}"
    if places.staged_tree.is_dir() and not (places.staged_tree / MANIFEST).exists() and not aside.exists():
        # Another's, whose place was just taken; or one of ours that was only begun.
        manifest = read_manifest(places.manifest)
        if manifest is not None and manifest.restore:
            places.staged_tree.rename(aside)
    for place in (places.stage, gone):
        shutil.rmtree(place, ignore_errors=True)
    _sweep_boot(places)


def _sweep_boot(places: Places) -> None:
    for path in places.files:
        _beside(path).unlink(missing_ok=True)
        path.with_name(f".lkm-new-{path.name}{OLD}").unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".lkm-new-{path.name}")


def _write(path: Path, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fchmod(fd, mode)
        os.fsync(fd)


def _sync(directory: Path) -> None:
    """All that was written on its file system is on the disk (syncfs(2))."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        ctypes.CDLL(None).syncfs(fd)
    finally:
        os.close(fd)


def run_commands(commands: list[list[str]], *, on_line: Callable[[str], None] | None = None) -> list[Ran]:
    """Runs the machine's programs, in order, until one fails."""
    ran: list[Ran] = []
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin", "LC_ALL": "C"}
    for argv in commands:
        try:
            result = process.run_lines(argv, env=env, on_line=on_line, timeout=_HOOK_TIMEOUT)
            ran.append(Ran(tuple(argv), result.status, result.stdout))
        except (MissingError, OutOfTimeError) as error:
            ran.append(Ran(tuple(argv), error.status, error.message))
        if ran[-1].status:
            break
    return ran


def _size(places: Places, manifest: Manifest) -> int:
    paths = [places.tree / name for name in manifest.modules]
    paths += [path for path in places.files if path.exists()]
    return sum(path.lstat().st_size for path in paths if not path.is_symlink())
