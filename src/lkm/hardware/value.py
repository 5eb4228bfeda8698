# SPDX-License-Identifier: MIT
"""What a machine has, as values; sizes in bytes; "" and None: not said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How a driver is there."""

    MODULE = "module"
    BUILT_IN = "built in"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Cache:
    """A processor's cache: `level` 1 to 4, `kind` Data, Instruction or Unified, whose it is (`0-1`)."""

    level: int
    kind: str
    size: str
    shared: str


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processors; `online` and `possible` as the kernel lists them (`0-3`).

    `notable`: what matters for kernel work, flag to meaning.  `weaknesses`: name to what the kernel does.
    """

    arch: str
    model: str
    vendor: str
    threads: int
    cores: int
    sockets: int
    online: str
    possible: str
    notable: tuple[tuple[str, str], ...]
    caches: tuple[Cache, ...]
    weaknesses: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory; `nodes`: NUMA nodes with their sizes; huge pages that are set aside, and the size of one."""

    total: int
    available: int
    swap: int
    swap_free: int
    nodes: tuple[tuple[str, int], ...]
    huge_pages: int
    huge_page: int
    transparent: str


@dataclass(frozen=True, slots=True)
class Firmware:
    """What started the machine: `kind` UEFI, BIOS, device tree or unknown; `secure_boot` on, off or "".

    `fields`: what DMI or the device tree says, label to text.  `denied`: fields that only root may read.
    """

    kind: str
    secure_boot: str
    lockdown: str
    hypervisor: str
    fields: tuple[tuple[str, str], ...]
    denied: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """A device on a bus: `place` below /sys, its alias, its numbers (`8086:100e`), what kind and which it is.

    `driver`: the name on the bus, "" without.  `module`: what the driver is part of, "" where not known.
    `same_as`: the place of the device that this one only describes (what ACPI says of a PCI or platform one).
    """

    bus: str
    name: str
    place: str
    alias: str
    ids: str
    kind: str
    title: str
    driver: str
    module: str
    form: Form
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a file system of a disk or a part of it is mounted."""

    where: str
    source: str
    type: str


@dataclass(frozen=True, slots=True)
class Disk:
    """A block device: `transport` nvme, usb, sata, scsi, virtio, mmc or "".

    `drivers`: the devices that it needs, from itself to the bus, by their places below /sys.
    """

    name: str
    size: int
    model: str
    transport: str
    rotational: bool
    removable: bool
    read_only: bool
    drivers: tuple[str, ...]
    mounts: tuple[Mount, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """What programs see of a device: a network interface, an input device, a screen, a sound card.

    `device`: the place below /sys of the device with the driver; "" for what is only in the kernel.
    """

    kind: str
    name: str
    text: str
    device: str


@dataclass(frozen=True, slots=True)
class Machine:
    """All of it; `release` is the running kernel's, `loaded` its modules."""

    source: str
    release: str
    loaded: tuple[str, ...]
    cpu: Cpu
    memory: Memory
    firmware: Firmware
    devices: tuple[Device, ...]
    disks: tuple[Disk, ...]
    nodes: tuple[Node, ...]
    root: Mount | None
