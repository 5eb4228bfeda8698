# SPDX-License-Identifier: MIT
"""What numbers mean: pci.ids and usb.ids where this machine has them, classes of our own where not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

_PLACES = ("/usr/share/hwdata", "/usr/share/misc", "/usr/share", "/var/lib/usbutils")
_LARGEST = 8 << 20

# include/linux/pci_ids.h, PCI_BASE_CLASS_* and PCI_CLASS_*
PCI_CLASSES = {
    "0100": "SCSI", "0101": "IDE", "0104": "RAID", "0106": "SATA", "0108": "NVMe", "01": "storage",
    "0200": "Ethernet", "0280": "wireless", "02": "network", "0300": "VGA", "03": "graphics",
    "0401": "audio", "0403": "audio", "04": "multimedia", "05": "memory", "0600": "host bridge",
    "0601": "ISA bridge", "0604": "PCI bridge", "0680": "bridge", "06": "bridge", "0700": "serial port",
    "07": "communication", "0880": "system", "08": "system", "09": "input", "0b": "processor",
    "0c03": "USB controller", "0c05": "SMBus", "0c": "serial bus", "0d": "wireless", "10": "encryption",
    "11": "signals", "12": "accelerator", "ff": "unassigned",
}  # fmt: skip
# include/uapi/linux/usb/ch9.h, USB_CLASS_*
USB_CLASSES = {
    "01": "audio", "02": "communication", "03": "input", "05": "physical", "06": "camera", "07": "printer",
    "08": "storage", "09": "hub", "0a": "data", "0b": "smart card", "0e": "video", "e0": "wireless",
    "ef": "several functions", "fe": "application", "ff": "vendor's own",
}  # fmt: skip
# include/uapi/linux/virtio_ids.h
VIRTIO = {
    1: "network", 2: "block", 3: "console", 4: "random numbers", 5: "memory balloon", 8: "SCSI",
    9: "9P file system", 16: "graphics", 18: "input", 19: "vsock", 20: "encryption", 23: "IOMMU",
    24: "memory", 25: "sound", 26: "file system", 27: "persistent memory", 34: "I2C", 41: "GPIO",
}  # fmt: skip
# The ACPI and PNP names that are met most (UEFI's registry; drivers/pnp, drivers/acpi).
ACPI = {
    "PNP0000": "interrupt controller", "PNP0100": "timer", "PNP0103": "HPET", "PNP0200": "DMA controller",
    "PNP0303": "keyboard", "PNP0400": "parallel port", "PNP0501": "serial port", "PNP0700": "floppy disks",
    "PNP0A03": "PCI bus", "PNP0A08": "PCI Express bus", "PNP0A06": "bus", "PNP0B00": "clock",
    "PNP0C01": "board", "PNP0C02": "board", "PNP0C09": "embedded controller", "PNP0C0A": "battery",
    "PNP0C0C": "power button", "PNP0C0D": "lid", "PNP0C0E": "sleep button", "PNP0C0F": "interrupt link",
    "PNP0C14": "WMI", "PNP0F13": "mouse", "ACPI0003": "power supply", "ACPI0007": "processor",
    "ACPI0010": "processors", "ACPI0013": "event device", "LNXPWRBN": "power button", "LNXSYBUS": "bus",
    "LNXSYSTM": "system", "LNXCPU": "processor", "LNXTHERM": "thermal zone", "VMGENCTR": "VM generation",
    "QEMU0002": "QEMU's configuration", "AMZNC10C": "VM clock",
}  # fmt: skip


def name_class(table: dict[str, str], code: str) -> str:
    """The class with the hex digits `code`, by all four of them, else by the first two; "" for none."""
    return table.get(code[:4]) or table.get(code[:2]) or ""


def find_name(kind: str, vendor: str, product: str, *, places: Sequence[str] = _PLACES) -> str:
    """Vendor and product of the hex numbers in `pci.ids` or `usb.ids` (`kind`: pci or usb); "" without."""
    block = _vendors(kind, tuple(places)).get(vendor.lower())
    if block is None:
        return ""
    found = re.search(rf"^\t{re.escape(product.lower())}  (.*)$", block, re.MULTILINE)
    company = block.partition("\n")[0]
    return f"{company} {found[1]}" if found else company


@lru_cache(maxsize=8)
def _vendors(kind: str, places: tuple[str, ...]) -> dict[str, str]:
    """Vendor's number to its name and the lines below it."""
    for place in places:
        try:
            with Path(place, f"{kind}.ids").open(encoding="utf-8", errors="replace") as stream:
                text = stream.read(_LARGEST)
        except OSError:
            continue
        blocks = re.split(r"^(?=[0-9a-f]{4}  )", text, flags=re.MULTILINE)
        return {block[:4]: block[6:] for block in blocks if block[4:6] == "  "}
    return {}
