# SPDX-License-Identifier: MIT
"""The proof of an installed kernel: what lies in `boot` boots, and a module loads by its name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lkm.errors import BadInputError, LkmError, UsageError
from lkm.guest import Guest, GuestEnded
from lkm.guest.boot import AGENT
from lkm.install.value import Places, read_manifest
from lkm.kernel.layout import find_in_root, read_text
from lkm.kernel.value import Origin
from lkm.modtree.lookup import Lookup
from lkm.module import module_name, read_module_bytes

_TRIES = 8
INIT_LOADED = "/etc/lkm-loaded"  # init.sh: the modules it had loaded when it went on
# Where modules lie that need no device; of a driver's many say that there is none.
_SOFT = ("kernel/fs/", "kernel/lib/", "kernel/crypto/", "kernel/net/", "kernel/")


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen.

    `release`: as the booted kernel gave it.  `own_init`: whether the initramfs's own /init ran (else it was
    unpacked only); `by_init`: what that loaded.  `seconds`: from the kernel's start to the guest's first
    word, by its own clock.  `module`: the one that was asked for by name, "" for none; `loaded`: what that
    loaded, in order.  `why`: what was not as it should be, "" for nothing.
    """

    ok: bool
    release: str
    image: Path
    initramfs: Path | None
    own_init: bool
    by_init: tuple[str, ...] = ()
    seconds: float = 0.0
    module: str = ""
    loaded: tuple[str, ...] = ()
    why: str = ""


def prove(
    release: str,
    root: Path,
    *,
    name: str = "",
    memory: int = 512,
    timeout: float = 120.0,
) -> Proof:
    """Boots image and initramfs of `root`/boot in a guest and loads a module by name from `root`/lib/modules.

    `name`: which (default: one that needs another, where there is such a one).  The initramfs of ours runs
    its own /init, which hands over to the guest's agent; one that a generator made has no root device to go
    on to, so that it is unpacked and its /init is not run.  A kernel that does not come up is a `Proof` that
    is not `ok`.  Raises `UsageError` for a name that is not there, `MissingError` without QEMU.
    """
    root = root.resolve()
    places = Places(root, release)
    kernel = find_in_root(root, release, name=f"{root}: {release}", origin=Origin.DIRECTORY).kernel
    if kernel.image is None:
        raise UsageError(f"no kernel {release} in {root}/boot", hint="lkm kernel install NAME --root DIR")
    initramfs = places.initramfs if places.initramfs.is_file() else None
    manifest = read_manifest(places.manifest)
    own = initramfs is not None and manifest is not None and bool(manifest.boot.get(initramfs.name))
    tree = places.tree if kernel.modules is not None else None
    candidates = _choose(tree, name) if tree is not None else []
    if name and not candidates:
        raise UsageError(f"no module '{name}' in {places.tree}", hint=f"lkm plan --kernel {root} NAME")
    cmdline = f"init={AGENT}" if own else f"rdinit={AGENT}" if initramfs else ""
    guest = Guest(
        kernel, memory=memory, cmdline=cmdline, template=False, timeout=timeout, initramfs=initramfs
    )
    seen = Proof(False, "", kernel.image, initramfs, own)
    try:
        with guest:
            return _look(guest, seen, release, tree, candidates)
    except (BadInputError, GuestEnded) as error:
        return replace(seen, why=error.message)


def _look(guest: Guest, seen: Proof, release: str, tree: Path | None, names: list[str]) -> Proof:
    booted = guest.copy_out("/proc/sys/kernel/osrelease").decode().strip()
    seconds = float(guest.copy_out("/proc/uptime").split()[0])
    by_init: tuple[str, ...] = ()
    if seen.own_init:
        by_init = tuple(reversed(guest.copy_out(INIT_LOADED).decode().split()))
    seen = replace(seen, release=booted, seconds=seconds, by_init=by_init)
    if booted != release:
        return replace(seen, why=f"it says that it is {booted}")
    if tree is None or not names:
        return replace(seen, ok=True)
    module, loaded, why = _load_by_name(guest, tree, names)
    return replace(seen, ok=not why, module=module, loaded=loaded, why=why)


def _choose(tree: Path, name: str) -> list[str]:
    """The modules to ask for by name, the first that does will do: those that need another come first."""
    if name:
        return [name] if Lookup(tree).find(name) else []
    rows = []
    for line in read_text(tree / "modules.dep", 64 << 20).splitlines():
        path, _, needs = line.partition(":")
        where = next((rank for rank, start in enumerate(_SOFT) if path.startswith(start)), len(_SOFT))
        count = len(needs.split())
        rows.append((where if count else where + 10, not 0 < count < 3, count, path))
    rows.sort()
    return [module_name(path) for *_, path in rows[:_TRIES]]


def _load_by_name(guest: Guest, tree: Path, names: list[str]) -> tuple[str, tuple[str, ...], str]:
    """As modprobe does: what the name needs by the dependency files, each once, then itself."""
    why = ""
    for name in names:
        loaded: list[str] = []
        try:
            why = _load_one(guest, tree, name, loaded)
        except LkmError as error:
            why = error.message
        if not why:
            return name, tuple(loaded), ""
        if len(names) == 1 or not guest.alive or guest.oopsed:
            break
    return name, tuple(loaded), why


def _load_one(guest: Guest, tree: Path, name: str, loaded: list[str]) -> str:
    for found in Lookup(tree).find(name):
        if found.path is None:
            continue
        for path in _needed(tree, found.path):
            one = module_name(path.name)
            if one in (there.name for there in guest.modules()):
                continue
            step = guest.load(read_module_bytes(path))
            if not step.ok:
                return f"{one} cannot be loaded: {step.error}"
            loaded.append(one)
    return ""


def _needed(tree: Path, path: Path) -> list[Path]:
    """What a module needs by `modules.dep`, in the order to load, itself last; modprobe reads the same."""
    start = f"{path.relative_to(tree)}:"
    for line in read_text(tree / "modules.dep", 64 << 20).splitlines():
        if line.startswith(start):
            return [tree / one for one in reversed(line.removeprefix(start).split())] + [path]
    raise BadInputError(f"{tree}/modules.dep does not know {path.name}", hint="lkm depmod")
