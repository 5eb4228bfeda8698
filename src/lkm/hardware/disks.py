# SPDX-License-Identifier: MIT
"""Disks: /sys/block, what is mounted of them, and which drivers stand between them and the bus."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lkm.hardware.root import Root
from lkm.hardware.value import Disk, Mount

_SECTOR = 512  # /sys/block/*/size counts these, whatever the disk's own sectors are (block/genhd.c)
_IN_MEMORY = ("loop", "ram", "zram", "fd")
_TRANSPORTS = (
    ("/usb", "usb"), ("/nvme", "nvme"), ("/virtio", "virtio"), ("/ata", "sata"), ("/mmc", "mmc"),
    ("/host", "scsi"),
)  # fmt: skip


def read_disks(root: Root) -> tuple[Disk, ...]:
    """The block devices that hold something."""
    mounts = read_mounts(root)
    disks = []
    for name in root.list("sys/block"):
        place = root.resolve(f"sys/block/{name}")
        size = (root.read_number(f"{place}/size") or 0) * _SECTOR
        own = tuple(_mounts_of(root, name, place, mounts))
        if size == 0 or (name.startswith(_IN_MEMORY) and not own):
            continue
        model = root.read(f"{place}/device/model") or ""
        vendor = root.read(f"{place}/device/vendor") or ""
        disks.append(
            Disk(
                name=name,
                size=size,
                model=f"{vendor} {model}".strip() if not vendor.startswith("0x") else model,
                transport=next((word for part, word in _TRANSPORTS if part in place), ""),
                rotational=root.read(f"{place}/queue/rotational") == "1",
                removable=root.read(f"{place}/removable") == "1",
                read_only=root.read(f"{place}/ro") == "1",
                drivers=tuple(dict.fromkeys(_chain(root, name))),
                mounts=own,
            )
        )
    return tuple(disks)


def read_mounts(root: Root) -> list[tuple[str, Mount]]:
    """(device number `8:1`, mount) of all file systems, and the swap places (filesystems/proc.rst)."""
    found = []
    for line in (root.read("proc/self/mountinfo") or "").splitlines():
        before, dash, after = line.partition(" - ")
        fields, last = before.split(), after.split()
        if dash and len(fields) >= 5 and len(last) >= 2:
            found.append((fields[2], Mount(_unescape(fields[4]), _unescape(last[1]), last[0])))
    for line in (root.read("proc/swaps") or "").splitlines()[1:]:
        words = line.split()
        if words:
            found.append(("", Mount("swap", _unescape(words[0]), "swap")))
    return found


def find_root(root: Root) -> Mount | None:
    """What is mounted at `/`, the last one that was; None where it cannot be told."""
    return next((mount for _, mount in reversed(read_mounts(root)) if mount.where == "/"), None)


def _unescape(text: str) -> str:
    """Blanks and the like are octal in /proc (fs/seq_file.c, mangle_path)."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _mounts_of(root: Root, name: str, place: str, mounts: list[tuple[str, Mount]]) -> Iterator[Mount]:
    """Those of the disk or a part of it, by number, else by name: some (btrfs) have a number of their own."""
    parts = [part for part in root.list(place) if root.exists(f"{place}/{part}/partition")]
    numbers = {root.read(f"{place}/dev")} | {root.read(f"{place}/{part}/dev") for part in parts}
    names = {f"/dev/{one}" for one in (name, *parts)}
    for number, mount in mounts:
        if (number and number in numbers) or mount.source in names:
            yield mount


def _chain(root: Root, name: str, depth: int = 0) -> Iterator[str]:
    """The places of the devices with a driver, from the disk up to its bus; of its parts, if combined."""
    place = root.resolve(f"sys/block/{name}") or root.resolve(f"sys/class/block/{name}")
    if root.exists(f"{place}/partition"):
        place = place.rpartition("/")[0]
    while place.count("/") > 1:
        if root.exists(f"{place}/driver"):
            yield place
        place = place.rpartition("/")[0]
    if depth < 8:
        for part in root.list(f"sys/block/{name}/slaves"):
            yield from _chain(root, part, depth + 1)
