# SPDX-License-Identifier: MIT
"""Taking away an installed kernel: exactly what was laid out, and what was there before goes back."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError, UsageError
from lkm.install.lay import OLD, run_commands, sweep
from lkm.install.machine import Machine, find_machine, has_way
from lkm.install.modules import find_added, is_generated, list_files
from lkm.install.plan import check_writable
from lkm.install.value import (
    DIRECTORIES,
    SCHEMA,
    How,
    Manifest,
    Places,
    Step,
    Uninstalled,
    list_installed,
    read_manifest,
    root_words,
)
from lkm.kernel.layout import list_releases
from lkm.paths import locked_directory
from lkm.release.space import writing


@dataclass(frozen=True, slots=True)
class Removal:
    """What will be taken away: `files` of `boot`, and what goes back to where it was."""

    places: Places
    machine: Machine
    manifest: Manifest
    files: tuple[Path, ...]

    @property
    def generated(self) -> tuple[Path, ...]:
        """Those that the machine's own programs made, and may take away themselves."""
        path = self.places.initramfs
        return (path,) if path in self.files and not self.manifest.boot.get(path.name, "ours") else ()

    @property
    def commands(self) -> list[list[str]]:
        """What is run when the files of `boot` are gone."""
        return self.machine.build_remove(self.places)


def find_installed(name: str, root: Path) -> str:
    """The release of the kernel that is meant: its release, or the name it was installed by.

    Raises `UsageError` where there is none of that name, or several.
    """
    root = root.resolve()
    if "/" not in name and name not in ("", ".", ".."):
        places = Places(root, name)
        if places.tree.is_dir() or places.image.exists():
            return name
    named = [one.release for one in list_installed(root) if name in (one.name, one.name.rpartition(":")[2])]
    resolved = str(Path(name).resolve())
    named = named or [one.release for one in list_installed(root) if one.image.startswith(f"{resolved}/")]
    if len(named) == 1:
        return named[0]
    what = f"'{name}' means several kernels there" if named else f"no kernel '{name}' in {root}"
    raise UsageError(what, hint=suggest_installed(root, near=name))


def suggest_installed(root: Path, *, near: str = "") -> str:
    """What to type where no kernel or a wrong one was named, and which kernels there are below `root`.

    `near`: the name that was given; the kernel whose name comes nearest to it is taken.
    """
    from difflib import get_close_matches

    known = [one.release for one in list_installed(root)]
    if not known:
        return f"lkm kernel install NAME --root {shlex.quote(str(root))}: lkm has installed none there yet"
    others = [name for name in list_releases(root) if name not in known]
    first = next(iter(get_close_matches(near, known, n=1)), known[0])
    return f"lkm kernel uninstall {first}{root_words(root)}; installed by lkm: {', '.join(known)}" + (
        f"; by others: {', '.join(others)}" if others else ""
    )


def plan_removal(release: str, root: Path, *, via: How | None = None, force: bool = False) -> Removal:
    """What uninstalling takes.

    Raises `UsageError` for the running kernel, the only one that a machine has, one that lkm did not
    install, or one whose image was replaced since; none of these with `force`.
    """
    root = root.resolve()
    places = Places(root, release)
    try:
        manifest = read_manifest(places.manifest)
    except BadInputError:
        if not force:
            raise
        manifest = None
    if manifest is None and not force:
        raise UsageError(
            f"{release} in {root} was not installed by lkm",
            hint="remove its package; or --force, which removes its files by their names",
        )
    if manifest is None:
        manifest = _assume(places)
    places = Places(root, release, manifest.image_name)
    if via is None and (root != Path("/") or has_way(root, manifest.how)):
        via = manifest.how  # whoever was told that it came
    machine = find_machine(root, via)
    if not force:
        _check_needed(places, machine)
        _check_same(places, manifest)
    kept = [places.boot / saved for saved in manifest.kept.values()]
    files = [places.boot / name for name in manifest.boot]
    there = [path for path in [*files, *([] if manifest.restore else kept)] if path.exists()]
    return Removal(places, machine, manifest, tuple(there))


def _assume(places: Places) -> Manifest:
    """What is taken away of a kernel that is not on record: all that bears its release."""
    names = [path.name for path in places.files if path.exists()]
    names += [name for name in (f"vmlinux-{places.release}",) if (places.boot / name).exists()]
    files = tuple(list_files(places.tree)) if places.tree.is_dir() else ()
    return Manifest(
        SCHEMA,
        "",
        places.release,
        "",
        "",
        "vmlinuz",
        "",
        How.FILES,
        dict.fromkeys(names, ""),
        files,
        {},
        False,
    )


def _check_needed(places: Places, machine: Machine) -> None:
    if places.root == Path("/") and places.release == os.uname().release:
        raise UsageError(
            f"{places.release} is the running kernel: its modules would be gone",
            hint="boot another one first",
        )
    is_system = places.root == Path("/") or machine.how is not How.FILES
    others = [name for name in list_releases(places.root) if name != places.release and _boots(places, name)]
    if is_system and not others:
        raise UsageError(
            f"{places.release} is the only kernel in {places.boot}: nothing would be left to boot",
            hint="install another one first",
        )


def _boots(places: Places, release: str) -> bool:
    return any((places.boot / f"{name}-{release}").exists() for name in ("vmlinuz", "vmlinux"))


def _check_same(places: Places, manifest: Manifest) -> None:
    digest = manifest.boot.get(places.image.name)
    if not digest or not places.image.is_file():
        return
    if hashlib.sha256(places.image.read_bytes()).hexdigest() != digest:
        raise UsageError(
            f"{places.image} is not the one that lkm installed: somebody replaced it",
            hint="--force removes it",
        )


def describe_removal(removal: Removal) -> Iterator[Step]:
    """The steps in the order they are done."""
    places = removal.places
    for path in reversed(removal.files):
        if path not in removal.generated:
            yield Step(f"remove {path}")
    if removal.manifest.restore:
        for name, saved in removal.manifest.kept.items():
            yield Step(f"put {places.boot / name} back, from {saved}")
    for argv in removal.commands:
        yield Step(f"by {removal.machine.how.value}", tuple(argv))
    for path in removal.generated:
        yield Step(f"remove {path}, if it is still there")
    yield Step(f"remove what was laid out of {places.tree}")


def uninstall(removal: Removal, *, on_line: Callable[[str], None] | None = None) -> Uninstalled:
    """Takes the kernel away; when it is broken off, doing it again goes on.

    The image goes first, so that no boot loader offers half a kernel, and the record last.  Raises as
    `install`.
    """
    places, manifest = removal.places, removal.manifest
    check_writable(places)
    restored: list[Path] = []
    with locked_directory(places.trees), writing(places.root, place="--root DIR"):
        sweep(places)
        freed = sum(path.stat().st_size for path in removal.files if path.exists())
        for path in reversed(removal.files):
            if path not in removal.generated:
                path.unlink(missing_ok=True)
        if manifest.restore:
            for name, saved in reversed(manifest.kept.items()):
                if (places.boot / saved).exists():
                    (places.boot / saved).rename(places.boot / name)
                    restored.append(places.boot / name)
        ran = run_commands(removal.commands, on_line=on_line)
        for path in removal.generated:
            path.unlink(missing_ok=True)
        count, size = _remove_tree(places, manifest)
        before = places.trees / f"{places.release}{OLD}"
        if manifest.restore and before.is_dir() and not places.tree.exists():
            before.rename(places.tree)
            restored.append(places.tree)
        for name in DIRECTORIES if places.root != Path("/") else ():
            if name in manifest.made:
                with suppress(OSError):  # others have something in it
                    (places.root / name).rmdir()
    left = (
        ()
        if restored or not places.tree.is_dir()
        else tuple(places.tree / one for one in list_files(places.tree))
    )
    return Uninstalled(
        all(one.status == 0 for one in ran),
        places.release,
        places.root,
        len(removal.files) + count,
        freed + size,
        tuple(restored),
        left,
        tuple(ran),
    )


def _remove_tree(places: Places, manifest: Manifest) -> tuple[int, int]:
    """Removes the modules that were laid out, the directories they leave empty, and the record at last."""
    tree = places.tree
    added = find_added(tree, manifest) if tree.is_dir() else []
    if not added:
        # All of it is ours: at once for whoever looks for it, and swept where we are killed half way.
        files = list_files(tree) if tree.is_dir() else []
        size = sum((tree / name).lstat().st_size for name in files)
        if tree.is_dir():
            places.stage.mkdir(exist_ok=True)
            tree.rename(places.stage / "gone")
            shutil.rmtree(places.stage, ignore_errors=True)
        return len(files), size
    count = size = 0
    generated = [name for name in list_files(tree) if is_generated(name) and name != places.manifest.name]
    for name in [*manifest.modules, *generated, places.manifest.name]:
        with suppress(FileNotFoundError):
            size += (tree / name).lstat().st_size
            (tree / name).unlink()
            count += 1
    for directory in sorted((path for path in tree.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):
            directory.rmdir()
    return count, size
