# SPDX-License-Identifier: MIT
"""An initramfs of our own: busybox, a short /init, and the modules that a root device may need."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from lkm.errors import MissingError, UsageError
from lkm.guest.identity import find_busybox
from lkm.guest.initramfs import Entry, build_cpio, device, directory, file, link
from lkm.guest.programs import find_libraries
from lkm.install.value import Source
from lkm.kernel.layout import read_text
from lkm.modtree.depmod import run_depmod
from lkm.modtree.plan import Action, Planner
from lkm.modtree.probe import read_probe_config
from lkm.modtree.tree import read_tree
from lkm.module import module_name, read_module_bytes

# What a root device is reached by: buses and controllers, then file systems.  Those that a kernel has as
# modules come with what they need; at boot the devices that are there say which are loaded.
_ROOT_MODULES = """
    virtio_pci virtio_mmio virtio_blk virtio_scsi virtiofs 9pnet_virtio 9p sd_mod sr_mod ahci ata_piix
    ata_generic nvme xhci_pci ehci_pci uhci_hcd uas usb_storage usbhid mmc_block sdhci_pci sdhci_acpi
    hv_storvsc xen_blkfront vmw_pvscsi mptspi megaraid_sas mpt3sas dm_mod md_mod
    ext4 xfs btrfs f2fs vfat isofs squashfs overlay erofs nls_cp437 nls_ascii nls_iso8859_1
"""
ROOT_MODULES = tuple(_ROOT_MODULES.split())
_AT = "lib/modules"


def can_unpack(source: Source) -> bool:
    """Whether the kernel takes an initramfs at all; yes where nothing is known."""
    text = read_text(source.config) if source.config is not None else ""
    return not text or "CONFIG_BLK_DEV_INITRD=y" in text


def build_initramfs(source: Source, tree: Path, names: Sequence[str]) -> bytes:
    """The archive for the kernel whose modules directory is `tree` (not there where it has no modules).

    `names` are always loaded.  The same bytes for the same files; compressed where the kernel unpacks gzip.
    Raises `MissingError` where there is no busybox, `UsageError` for a name the kernel does not have.
    """
    busybox = find_busybox()
    if busybox is None:
        raise MissingError(
            "no busybox on this machine, which an initramfs of lkm's is made of",
            hint="apt-get install busybox-static; or --no-initramfs",
        )
    entries: list[Entry] = [
        *(directory(name) for name in ("proc", "sys", "dev", "run", "sbin")),
        directory("root", 0o700),
        directory("tmp", 0o1777),
        device("dev/console", 5, 1),
        device("dev/null", 1, 3, 0o666),
        device("dev/kmsg", 1, 11),
        file("init", files("lkm.install").joinpath("init.sh").read_bytes(), 0o755),
        file("bin/busybox", busybox.read_bytes(), 0o755),
        link("bin/sh", "busybox"),
        link("sbin/modprobe", "/bin/busybox"),  # what the kernel calls (kernel/module/kmod.c)
        file("etc/lkm-modules", "".join(f"{name}\n" for name in names).encode()),
        *(file(one.target, one.path.read_bytes(), 0o755) for one in find_libraries(busybox)),
        *_pack_modules(source.release, tree, names),
    ]
    data = build_cpio(entries)
    text = read_text(source.config) if source.config is not None else ""
    if "CONFIG_RD_GZIP=y" not in text:
        return data
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: with a gzip header, which then has no time in it
    return packer.compress(data) + packer.flush()


def _pack_modules(release: str, tree: Path, names: Sequence[str]) -> list[Entry]:
    """The modules that a root device may need and those `names`, uncompressed, with depmod's files."""
    place = f"{_AT}/{release}"
    paths = find_needed(tree, names)
    if not paths:
        return []
    entries = []
    with TemporaryDirectory(prefix="lkm-") as work:
        small = Path(work, place)
        for path in paths:
            inside = path.relative_to(tree)
            inside = inside.with_name(f"{inside.name.partition('.ko')[0]}.ko")
            data = read_module_bytes(path)
            (small / inside).parent.mkdir(parents=True, exist_ok=True)
            (small / inside).write_bytes(data)
            entries.append(file(f"{place}/{inside}", data))
        for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            if (tree / name).is_file():
                (small / name).write_bytes((tree / name).read_bytes())
        run_depmod(small, release=release)
        entries += [file(f"{place}/{one.name}", one.read_bytes()) for one in sorted(small.glob("modules.*"))]
    return entries


def find_needed(tree: Path, names: Sequence[str]) -> list[Path]:
    """The files of the modules that a root device may need, and of those `names`, with all these need.

    Raises `UsageError` for one of `names` that the kernel neither has as a module nor built in.
    """
    if not tree.is_dir():
        if names:
            raise UsageError(f"no module '{names[0]}': this kernel has no modules")
        return []
    # What the modules themselves ask for; this machine's modprobe.d is not that of the kernel's root.
    planner = Planner(read_tree(tree, bad=lambda error: None)[0], read_probe_config(tree, []))
    wanted = [name for name in ROOT_MODULES if name in planner.numbers]
    for name in names:
        if not planner.find(module_name(name)):
            raise UsageError(f"no module '{name}' in this kernel", hint="lkm deps --kernel NAME")
    found: dict[Path, None] = {}
    steps = planner.plan([*wanted, *(module_name(name) for name in names)])
    for step in steps:
        if step.action is Action.INSMOD and step.path is not None:
            found[step.path] = None
    return sorted(found)
