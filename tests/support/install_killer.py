# SPDX-License-Identifier: MIT
"""Kills an installation before its changes to the disk, one after the other, and looks what is left.

A process of its own (it forks): `python install_killer.py MODE WORK FIRST SECOND RELEASE`.  FIRST and SECOND
are roots with a kernel RELEASE each, of different bytes.  Prints what was not as it should be, a line each.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from install_roots import put, read_tree

from lkm.install import plan_removal, uninstall
from lkm.install.value import MANIFEST, Places
from lkm.kernel import Kernel, Origin
from lkm.kernel.layout import find_in_root

_CHANGES = {
    "os.rename", "os.link", "os.symlink", "os.mkdir", "os.remove", "os.rmdir", "os.chmod",
    "ctypes.call_function",
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
NAMES = ("pps-ktimer",)  # so that the initramfs has modules, which differ
OTHER = {"boot/vmlinuz-1.0-other": b"image", "boot/initrd.img-1.0-other": b"initramfs"}


def run_killed(job: Callable[[], object], place: Path, step: int) -> int:
    """Does `job` in a process that is killed before its change number `step`; its status (-9: killed)."""
    child = os.fork()
    if child == 0:
        count = 0

        def look(event: str, args: tuple[object, ...]) -> None:
            nonlocal count
            if event == "open":
                is_change = bool(isinstance(args[2], int) and args[2] & _WRITES)
            else:
                is_change = event in _CHANGES
            path = os.fsdecode(args[0]) if args and isinstance(args[0], str | bytes | os.PathLike) else ""
            if is_change and (not path.startswith("/") or path.startswith(str(place))):
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        try:
            job()
        except BaseException as error:
            print(f"step {step}: {type(error).__name__}: {error}", flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Scene:
    """A root with another kernel, and what the two kernels look like when they lie there."""

    def __init__(self, work: Path, first: Kernel, second: Kernel) -> None:
        self.root = work / "root"
        self.first, self.second = first, second
        self.places = Places(self.root, first.release)
        self.looks: list[dict[str, bytes]] = []
        for kernel in (second, first):
            self.clean()
            put(kernel, self.root, names=NAMES)
            self.looks.insert(0, read_tree(self.root))
        self.start = self.root.rename(work / "start")

    def begin(self) -> None:
        """The first kernel lies there, installed."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.start, self.root, symlinks=True)

    def clean(self) -> None:
        """The other kernel alone lies there."""
        shutil.rmtree(self.root, ignore_errors=True)
        for name, data in OTHER.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def install(self) -> None:
        """The second kernel, over what is there."""
        put(self.second, self.root, force=True, names=NAMES)

    def remove(self) -> None:
        """The kernel of this release goes."""
        uninstall(plan_removal(self.first.release, self.root))

    def problems(self) -> Iterator[str]:
        """What would keep a kernel from booting that could be booted before."""
        now = read_tree(self.root)
        for name, data in OTHER.items():
            if now.get(name) != data:
                yield f"{name} of the other kernel is not as it was"
        release = self.first.release
        names = [f"boot/{one}-{release}" for one in ("vmlinuz", "initrd.img", "config", "System.map")]
        for name in names:
            if now.get(name) not in (self.looks[0][name], self.looks[1][name]):
                yield f"{name} is neither the old one nor the new one"
        pairs = [tuple(now.get(f"{name}{end}") for name in names[:2]) for end in ("", ".old")]
        whole = [tuple(look[name] for name in names[:2]) for look in self.looks]
        if not any(pair in whole for pair in pairs):
            yield "no image with its own initramfs"
        start = f"lib/modules/{release}/"
        modules = {name: data for name, data in now.items() if name.startswith(start)}
        if modules not in [
            {name: data for name, data in look.items() if name.startswith(start)} for look in self.looks
        ]:
            yield "the modules are neither the old ones nor the new ones"

    def is_only_begun(self, step: int) -> bool:
        """Whether nothing but the stage was touched: then every third step will do, and what follows is
        looked at now and then."""
        staged = (self.places.stage / "lib/modules" / self.first.release / MANIFEST).exists()
        return self.places.stage.exists() and not staged and step % 7 > 0

    def leftovers(self) -> list[str]:
        return [name for name in read_tree(self.root) if "/.lkm-" in name]


def drive_again(scene: Scene) -> Iterator[str]:
    """A kernel of the same release is installed over one of lkm's."""

    def mend() -> Iterator[str]:
        scene.install()
        now = {name: data for name, data in read_tree(scene.root).items() if not name.endswith(".old")}
        if now != scene.looks[1] or scene.leftovers():
            yield f"installing again does not end in the new kernel: {scene.leftovers()}"

    yield from kill_each(scene, scene.install, mend, installs=True)


def drive_foreign(scene: Scene) -> Iterator[str]:
    """A kernel is installed over one from elsewhere, by force; all of that one comes back in the end."""
    (scene.start / scene.places.manifest.relative_to(scene.root)).unlink()
    before = read_tree(scene.start)

    def mend() -> Iterator[str]:
        scene.install()
        scene.remove()
        if read_tree(scene.root) != before:
            yield f"not all came back: {set(before) ^ set(read_tree(scene.root))}"

    yield from kill_each(scene, scene.install, mend, installs=True)


def drive_remove(scene: Scene) -> Iterator[str]:
    """A kernel is uninstalled."""

    def mend() -> Iterator[str]:
        if scene.places.tree.exists():
            scene.remove()
        put(scene.second, scene.root)  # sweeps, too
        scene.remove()
        if read_tree(scene.root) != OTHER:
            yield f"left: {set(read_tree(scene.root)) ^ set(OTHER)}"

    yield from kill_each(scene, scene.remove, mend, installs=False)


def kill_each(
    scene: Scene, job: Callable[[], None], mend: Callable[[], Iterator[str]], *, installs: bool
) -> Iterator[str]:
    """`job` is killed before its first change, its second…, until it comes to its end.

    `mend` goes on after each kill and tells what is wrong then.  `installs`: a kernel must be bootable before
    that, too.
    """
    step, status, least = 0, -9, 20 if installs else 5
    while status == -9:
        step += 1
        scene.begin()
        status = run_killed(job, scene.root, step)
        yield from (f"step {step}: {what}" for what in (scene.problems() if installs else ()))
        if installs and scene.is_only_begun(step):
            step += 2
            continue
        yield from (f"step {step}: {what}" for what in mend())
    yield from () if step > least and status == 0 else (f"only {step} steps, status {status}",)


def main() -> None:
    mode, work, first, second, release = sys.argv[1:]
    kernels = [
        find_in_root(Path(place), release, name=place, origin=Origin.DIRECTORY).kernel
        for place in (first, second)
    ]
    drive = {"again": drive_again, "foreign": drive_foreign, "remove": drive_remove}[mode]
    for problem in drive(Scene(Path(work), *kernels)):
        print(problem, flush=True)


if __name__ == "__main__":
    main()
