# SPDX-License-Identifier: MIT
"""What installing a kernel is made of: what is wanted, what lies where, what is on record."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from lkm.errors import BadInputError
from lkm.kernel.value import Kernel

SCHEMA = 1
MANIFEST = ".lkm-install.json"  # in lib/modules/RELEASE
DIRECTORIES = ("boot", "lib/modules", "lib")  # of a root; an inner one before the one around it


class How(StrEnum):
    """Who makes an installed kernel known to a machine: its initramfs, its boot loader."""

    FILES = "files"  # nobody: files only, with an initramfs of our own
    HOOKS = "hooks"  # the scripts of /etc/kernel/postinst.d, as Debian's kernel packages do
    INSTALLKERNEL = "installkernel"  # /sbin/installkernel, as `make install` does
    KERNEL_INSTALL = "kernel-install"  # systemd's
    TOOLS = "tools"  # an initramfs generator and a boot loader's own program, one after the other


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    `root`: the directory that is to hold `boot` and `lib/modules`.  `strip`: without debug information
    (`INSTALL_MOD_STRIP=1`).  `initramfs`: whether there is to be one.  `names`: modules that it always
    loads.  `via`: by whom the machine is told (None: as it has it; files only where `root` is not `/`).
    `force`: over a kernel of the same release that came from elsewhere, which is kept aside.
    """

    root: Path
    strip: bool = False
    initramfs: bool = True
    names: tuple[str, ...] = ()
    via: How | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A kernel with all that is to be installed of it.

    `map`, `config`: None where it has none.  `build`: the build directory whose `make modules_install`
    lays out the modules; else `tree` is the modules directory to copy; both None for a kernel without
    loadable modules.  `modules`: the module files.  `has_modules`: whether it can load any.
    `words`: make's own (`ARCH`, `CROSS_COMPILE`, …).
    """

    kernel: Kernel
    image: Path
    map: Path | None
    config: Path | None
    build: Path | None
    tree: Path | None
    modules: tuple[Path, ...]
    has_modules: bool
    words: tuple[str, ...]

    @property
    def release(self) -> str:
        """As `uname -r`."""
        return self.kernel.release


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a kernel lie below `root`."""

    root: Path
    release: str
    image_name: str = "vmlinuz"

    @property
    def boot(self) -> Path:
        """The directory of images."""
        return self.root / "boot"

    @property
    def image(self) -> Path:
        """The image."""
        return self.boot / f"{self.image_name}-{self.release}"

    @property
    def map(self) -> Path:
        """The symbol map."""
        return self.boot / f"System.map-{self.release}"

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.boot / f"config-{self.release}"

    @property
    def initramfs(self) -> Path:
        """The initramfs."""
        return self.boot / f"initrd.img-{self.release}"

    @property
    def trees(self) -> Path:
        """The directory of modules directories."""
        return self.root / "lib/modules"

    @property
    def tree(self) -> Path:
        """The modules directory."""
        return self.trees / self.release

    @property
    def stage(self) -> Path:
        """Where all is made before it is put in place: another name in the same file system."""
        return self.trees / f".lkm-new-{self.release}"

    @property
    def staged_tree(self) -> Path:
        """The modules directory in the making."""
        return self.stage / "lib/modules" / self.release

    @property
    def manifest(self) -> Path:
        """What was laid out."""
        return self.tree / MANIFEST

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of `boot`, in the order they are put in place: the image comes last."""
        return (self.initramfs, self.map, self.config, self.image)

    def inside(self, path: Path) -> str:
        """A path as it is seen in the machine whose root is `root`."""
        return "/" + str(path.relative_to(self.root))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was laid out for one kernel, so that exactly that can be taken away again.

    `name`: of the kernel.  `image`: where its image came from.  `installed`: ISO 8601, UTC.  `how`: who
    told the machine.  `boot`: names in `boot`, with the SHA-256 of those that we wrote ("" for those made
    by others).  `modules`: paths in the modules directory.  `kept`: what lay at a place before, by name;
    `restore`: whether it goes back there.  `made`: directories below the root that were not there before
    lkm installed its first kernel; they go with its last one, where they are empty then.
    """

    schema: int
    name: str
    release: str
    arch: str
    image: str
    image_name: str
    installed: str
    how: How
    boot: dict[str, str]
    modules: tuple[str, ...]
    kept: dict[str, str]
    restore: bool
    made: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """The file's bytes."""
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


def read_manifest(path: Path) -> Manifest | None:
    """The manifest of an installed kernel, None where there is none.

    Raises `BadInputError` where it is damaged, or names a file outside its directories.
    """
    try:
        text = path.read_bytes()
    except OSError:
        return None
    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']}, this lkm knows {SCHEMA}")
        data["how"] = How(data["how"])
        data["modules"] = tuple(data["modules"])
        data["made"] = tuple(data.get("made", ()))
        manifest = Manifest(**data)
        kept = [*manifest.kept, *manifest.kept.values()]
        if any("/" in name or name in ("", ".", "..") for name in (*manifest.boot, *kept)):
            raise ValueError("it names a file outside boot")
        if any(name.startswith("/") or ".." in name.split("/") for name in manifest.modules):
            raise ValueError("it names a file outside the modules directory")
        if not set(manifest.made) <= set(DIRECTORIES):
            raise ValueError("it names another directory than those of kernels")
        if manifest.release != path.parent.name:
            raise ValueError(f"it is of {manifest.release}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        which = f"{path.parent.name}{root_words(path.parents[3])}"
        raise BadInputError(
            f"{path}: damaged: {error}", hint=f"lkm kernel uninstall --force {which} removes by name"
        ) from error
    return manifest


def root_words(root: Path) -> str:
    """` --root DIR` to end a command with that is for `root`; "" for the machine itself."""
    return "" if root.resolve() == Path("/") else f" --root {shlex.quote(str(root))}"


def list_installed(root: Path) -> list[Manifest]:
    """The kernels that lkm installed below `root`, damaged records left out."""
    found = []
    for path in sorted((root / "lib/modules").glob(f"*/{MANIFEST}")):
        with suppress(BadInputError):
            manifest = read_manifest(path)
            found += [manifest] if manifest is not None else []
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an installation or its undoing, for a person; `argv` where it is a command."""

    what: str
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ran:
    """A command of the machine's that was run: `status` as a shell counts it, `said` all it wrote."""

    argv: tuple[str, ...]
    status: int
    said: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What came of it.

    `ok`: whether the machine's own programs all did their work.  `files`: what lies in `boot` now.
    `modules`: how many there are.  `size`: bytes laid out.  `kept`: what was there before and is kept.
    """

    ok: bool
    release: str
    root: Path
    how: How
    files: tuple[Path, ...]
    tree: Path
    modules: int
    size: int
    kept: tuple[Path, ...]
    ran: tuple[Ran, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """What was taken away: `removed` files, bytes `freed`; `left`: what others had put there, and stays."""

    ok: bool
    release: str
    root: Path
    removed: int
    freed: int
    restored: tuple[Path, ...]
    left: tuple[Path, ...]
    ran: tuple[Ran, ...]
