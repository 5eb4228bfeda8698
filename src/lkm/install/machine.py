# SPDX-License-Identifier: MIT
"""How a machine learns of a kernel that came or went: its own hooks, initramfs generator, boot loader."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import MissingError, UsageError
from lkm.install.value import How, Places
from lkm.kernel.layout import read_text
from lkm.kernel.toolchain import reroot
from lkm.process import find_program

_PROGRAMS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
_POSTINST, _POSTRM = "etc/kernel/postinst.d", "etc/kernel/postrm.d"
# kernel-install(8): the first that is there counts; its plugins make what these settings name.
_CONFIGS = ("etc/kernel/install.conf", "run/kernel/install.conf", "usr/lib/kernel/install.conf")
_GENERATOR = re.compile(r"^\s*(?:initrd|uki)_generator=[\"']?(?!none\b)\w", re.MULTILINE)
# Boot loaders' programs that write a menu anew, and the menus they write where there is one already.
_MENUS = ("boot/grub/grub.cfg", "boot/grub2/grub.cfg")


@dataclass(frozen=True, slots=True)
class Machine:
    """A system below `root`, and `how` it is told."""

    root: Path
    how: How

    @property
    def makes_initramfs(self) -> bool:
        """Whether an initramfs is made by its own generator; whoever else is told calls that."""
        return self.how is not How.FILES and _find_generator(self.root) is not None

    def program(self, name: str) -> Path | None:
        """Where a program of that system is, or None."""
        return next((path for place in _PROGRAMS if _runs(path := self.root / place / name)), None)

    def build_install(self, places: Places, *, initramfs: bool) -> list[list[str]]:
        """The commands that make a kernel known whose files lie where they belong.

        `initramfs`: whether it is to have one, ours or the generator's.
        """
        release, image = places.release, places.inside(places.image)
        match self.how:
            case How.FILES:
                return []
            case How.HOOKS:
                # As linux-image packages do in their postinst and postrm; debianutils, installkernel.
                words = ["run-parts", "--exit-on-error", f"--arg={release}", f"--arg={image}"]
                commands = [[*words, f"/{_POSTINST}"]]
            case How.INSTALLKERNEL:
                # scripts/install.sh of the kernel: version, image, map, directory.
                commands = [["installkernel", release, *self._staged(places), "/boot"]]
            case How.KERNEL_INSTALL:
                # Its entries take the initramfs that they are given; Debian's plugin one that is in /boot.
                alone = not initramfs or (self.makes_initramfs and self._has_own_generator())
                given = [] if alone else [places.inside(places.initramfs)]
                made = [] if alone else self._generate(places)
                commands = [*made, ["kernel-install", "add", release, image, *given]]
            case How.TOOLS:
                commands = [*(self._generate(places) if initramfs else []), *self._menu()]
        return [self._inside(command) for command in commands]

    def build_remove(self, places: Places) -> list[list[str]]:
        """The commands that make its going known; its files of `boot` are gone already."""
        release, image = places.release, places.inside(places.image)
        commands: list[list[str]] = []
        match self.how:
            case How.HOOKS | How.INSTALLKERNEL if _has_scripts(self.root / _POSTRM):
                words = ["run-parts", "--exit-on-error", f"--arg={release}", f"--arg={image}"]
                commands = [[*words, f"/{_POSTRM}"]]
            case How.KERNEL_INSTALL:
                commands = [["kernel-install", "remove", release]]
            case How.TOOLS | How.INSTALLKERNEL:
                commands = self._menu()
        return [self._inside(command) for command in commands]

    def _staged(self, places: Places) -> list[str]:
        """Image and map as installkernel is given them: it copies them to where they belong itself."""
        stage = stage_of(places)
        return [places.inside(stage / places.image_name), places.inside(stage / "System.map")]

    def _generate(self, places: Places) -> list[list[str]]:
        release, made = places.release, places.inside(places.initramfs)
        match _find_generator(self.root):
            case "update-initramfs":
                return [["update-initramfs", "-c", "-k", release]]
            case "dracut":
                return [["dracut", "--force", made, release]]
            case "mkinitcpio":
                return [["mkinitcpio", "-k", release, "-g", made]]
        return []

    def _has_own_generator(self) -> bool:
        """Whether kernel-install is set to have initramfs or unified image made by a plugin of its own."""
        config = next((path for place in _CONFIGS if (path := self.root / place).is_file()), None)
        return config is not None and _GENERATOR.search(read_text(config)) is not None

    def _menu(self) -> list[list[str]]:
        menu = next((place for place in _MENUS if (self.root / place).is_file()), None)
        if menu is None:
            return []
        if self.program("update-grub"):
            return [["update-grub"]]
        name = "grub2-mkconfig" if self.program("grub2-mkconfig") else "grub-mkconfig"
        return [[name, "-o", f"/{menu}"]] if self.program(name) else []

    def _inside(self, command: list[str]) -> list[str]:
        """The command as it is started from here: in that system, with its own programs."""
        found = self.program(command[0])
        if found is not None:
            command = ["/" + str(found.relative_to(self.root)), *command[1:]]
        return command if self.root == Path("/") else _enter(self.root, command)


def stage_of(places: Places) -> Path:
    """Where image, map and configuration lie for installkernel to copy them."""
    return places.stage / "boot"


def find_machine(root: Path, via: How | None = None) -> Machine:
    """How the system below `root` is told of kernels; `via`: as asked for.

    Where `root` is not / nobody is told unless asked.  Raises `UsageError` for a way that is not there.
    """
    if via is None and root != Path("/"):
        return Machine(root, How.FILES)
    ways = _find_ways(root)
    if via is not None and via not in ways:
        others = ", ".join(way.value for way in ways)
        raise UsageError(f"{root} has no {_WHAT.get(via, via.value)}", hint=f"it has: {others}")
    return Machine(root, via or ways[0])


def has_way(root: Path, how: How) -> bool:
    """Whether the system below `root` can still be told in that way; nobody is none."""
    return how is not How.FILES and how in _find_ways(root)


_WHAT = {
    How.HOOKS: f"scripts in /{_POSTINST}, or no run-parts to run them",
    How.INSTALLKERNEL: "/sbin/installkernel, or one that is kernel-install",
    How.KERNEL_INSTALL: "kernel-install",
    How.TOOLS: "initramfs generator and no boot loader's program",
}


def _find_ways(root: Path) -> list[How]:
    """All ways that the system has, the one to take first."""
    machine = Machine(root, How.FILES)
    ways = []
    if _has_scripts(root / _POSTINST) and machine.program("run-parts"):
        ways.append(How.HOOKS)
    installkernel = machine.program("installkernel")
    if installkernel and not _is_link_to(installkernel, "kernel-install"):
        ways.append(How.INSTALLKERNEL)
    if machine.program("kernel-install"):
        ways.append(How.KERNEL_INSTALL)
    if _find_generator(root) or machine._menu():
        ways.append(How.TOOLS)
    return [*ways, How.FILES]


def _find_generator(root: Path) -> str | None:
    machine = Machine(root, How.FILES)
    return next(
        (name for name in ("update-initramfs", "dracut", "mkinitcpio") if machine.program(name)), None
    )


def _has_scripts(directory: Path) -> bool:
    try:
        return any(_runs(path) for path in directory.iterdir())
    except OSError:
        return False


def _is_link_to(path: Path, name: str) -> bool:
    """Whether a program is another one by a link (systemd's installkernel copies nothing)."""
    return path.is_symlink() and path.readlink().name == name


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _enter(root: Path, command: list[str]) -> list[str]:
    """The command in the system below `root`: its files to write, a /dev and /proc of its own, no network."""
    bwrap = find_program("bwrap")
    if bwrap is None:
        raise MissingError(
            f"bubblewrap (bwrap) is not on this machine; the programs of {root} are run in it",
            hint="lkm doctor --fix, or apt-get install bubblewrap",
        )
    who = ["--cap-add", "ALL"] if os.geteuid() == 0 else ["--unshare-user", "--uid", "0", "--gid", "0"]
    alone = ["--die-with-parent", "--unshare-pid", "--unshare-net", "--unshare-ipc", *who]
    mounts = ["--bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    environment = ["--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "--chdir", "/"]
    return reroot([str(bwrap), *alone, *mounts, *environment, "--", *command])
