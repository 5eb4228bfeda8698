# SPDX-License-Identifier: MIT
"""Devices, bus by bus: what each is, and which driver has it (Documentation/driver-api/driver-model)."""

from __future__ import annotations

import re

from lkm.hardware.names import ACPI, PCI_CLASSES, USB_CLASSES, VIRTIO, find_name, name_class
from lkm.hardware.root import Root
from lkm.hardware.value import Device, Form

# What is no hardware, or told elsewhere.
_NOT_DEVICES = {
    "auxiliary", "clockevents", "clocksource", "container", "cpu", "cxl", "dax", "edac", "edd",
    "event_source", "faux", "gpio", "machinecheck", "mdio_bus", "memory", "memory_tiering", "node", "nvmem",
    "serial-base", "soundwire", "usb-serial", "workqueue",
}  # fmt: skip


def read_devices(root: Root) -> tuple[Device, ...]:
    """The devices of all buses that have an alias or a driver, in the order of buses and names."""
    devices = []
    for bus in root.list("sys/bus"):
        if bus in _NOT_DEVICES:
            continue
        for name in root.list(f"sys/bus/{bus}/devices"):
            place = root.resolve(f"sys/bus/{bus}/devices/{name}")
            device = _read_device(root, bus, name, place) if place else None
            if device is not None:
                devices.append(device)
    return tuple(devices)


def _read_device(root: Root, bus: str, name: str, place: str) -> Device | None:
    alias = root.read(f"{place}/modalias") or ""
    driver_place = root.resolve(f"{place}/driver")
    if not alias and not driver_place:
        return None
    module = root.target(f"{driver_place}/module") if driver_place else ""
    form = Form.NONE
    if driver_place:
        loaded = bool(module) and root.exists(f"sys/module/{module}/initstate")
        form = Form.MODULE if loaded else Form.BUILT_IN
    describe = _DESCRIBE.get(bus, _describe_other)
    ids, kind, title = describe(root, place, alias)
    driver = driver_place.rpartition("/")[2]
    same_as = root.resolve(f"{place}/physical_node") if bus == "acpi" else ""
    return Device(bus, name, place, alias, ids, kind, title, driver, module, form, same_as)


_Said = tuple[str, str, str]  # numbers, kind, title


def _describe_pci(root: Root, place: str, alias: str) -> _Said:
    vendor, product, code = (
        (root.read(f"{place}/{field}") or "").removeprefix("0x") for field in ("vendor", "device", "class")
    )
    return f"{vendor}:{product}", name_class(PCI_CLASSES, code), find_name("pci", vendor, product)


def _describe_usb(root: Root, place: str, alias: str) -> _Said:
    """A USB device, or one of its interfaces (`1-1:1.0`)."""
    interface = root.read(f"{place}/bInterfaceClass")
    whole = place.rpartition("/")[0] if interface is not None else place
    vendor, product = root.read(f"{whole}/idVendor") or "", root.read(f"{whole}/idProduct") or ""
    said = [root.read(f"{whole}/{field}") or "" for field in ("manufacturer", "product")]
    # Many products repeat their vendor's name, as QEMU's do.
    title = said[1] if said[1].startswith(said[0]) or said[0].startswith("Linux ") else " ".join(said).strip()
    code = interface if interface is not None else root.read(f"{place}/bDeviceClass") or ""
    kind = name_class(USB_CLASSES, code) or ("device" if interface is None else "")
    return f"{vendor}:{product}", kind, title or find_name("usb", vendor, product)


def _describe_virtio(root: Root, place: str, alias: str) -> _Said:
    number = root.read_number(f"{place}/device", 0)
    return (
        f"{number:04x}" if number is not None else "",
        VIRTIO.get(number or 0, f"type {number}"),
        "",
    )


def _describe_scsi(root: Root, place: str, alias: str) -> _Said:
    said = (root.read(f"{place}/{field}") or "" for field in ("vendor", "model"))
    return "", "disk" if alias.startswith("scsi:t-0x00") else "device", " ".join(said).strip()


def _describe_acpi(root: Root, place: str, alias: str) -> _Said:
    names = [word for word in alias.split(":")[1:] if word] or [place.rpartition("/")[2].partition(":")[0]]
    return names[0], next((ACPI[one] for one in names if one in ACPI), ""), ""


def _describe_pnp(root: Root, place: str, alias: str) -> _Said:
    """PNP devices have no alias: each of their ids is one, in `id` (drivers/pnp/interface.c)."""
    names = (root.read(f"{place}/id") or "").upper().split()
    return (names or [""])[0], next((ACPI[one] for one in names if one in ACPI), ""), ""


def _describe_other(root: Root, place: str, alias: str) -> _Said:
    said = (root.read(f"{place}/{field}") for field in ("name", "description"))
    title = next((text for text in said if text), "")
    found = re.match(r"of:N([^T]*)T[^C]*C(\S+)", alias)  # device tree: name, type, compatible
    if found:
        return found[2].partition("C")[0], found[1], title
    return "", "", title


_DESCRIBE = {
    "pci": _describe_pci,
    "usb": _describe_usb,
    "virtio": _describe_virtio,
    "scsi": _describe_scsi,
    "acpi": _describe_acpi,
    "pnp": _describe_pnp,
}
