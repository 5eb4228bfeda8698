# SPDX-License-Identifier: MIT
"""Firmware: what started the machine, whose it is, and whether it is a virtual one."""

from __future__ import annotations

from lkm.hardware.root import Root
from lkm.hardware.value import Firmware

_DMI = "sys/class/dmi/id"
_TREE = "sys/firmware/devicetree/base"
# drivers/firmware/dmi-id.c; serial numbers and the like are for root alone.
_FIELDS = {
    "sys_vendor": "vendor",
    "product_name": "product",
    "product_version": "product version",
    "board_vendor": "board vendor",
    "board_name": "board",
    "bios_vendor": "firmware vendor",
    "bios_version": "firmware version",
    "bios_date": "firmware date",
    "product_serial": "serial number",
    "board_serial": "board's serial number",
}
# By what DMI says of vendor or product, as systemd-detect-virt and virt-what tell them apart.
_HYPERVISORS = {
    "QEMU": "QEMU", "KVM": "KVM", "VMware": "VMware", "innotek": "VirtualBox", "Xen": "Xen",
    "Microsoft Corporation Virtual": "Hyper-V", "Bochs": "Bochs", "Parallels": "Parallels",
    "Amazon EC2": "Amazon EC2", "Google Compute Engine": "Google Compute Engine", "OpenStack": "OpenStack",
    "BHYVE": "bhyve",
}  # fmt: skip


def read_firmware(root: Root, *, flags: tuple[str, ...] = ()) -> Firmware:
    """Firmware of a machine; `flags`: those of its processor that are notable."""
    fields, denied = [], []
    for name, label in _FIELDS.items():
        text = root.read(f"{_DMI}/{name}")
        if text:
            fields.append((label, text))
        elif f"{_DMI}/{name}" in root.denied:
            denied.append(label)
    for name, label in (("model", "model"), ("compatible", "compatible")):
        data = root.read_bytes(f"{_TREE}/{name}")
        if data:
            words = [word.decode("utf-8", "replace") for word in data.split(b"\0") if word]
            fields.append((label, ", ".join(words)))
    kind = _kind(root, bool(fields))
    return Firmware(
        kind=kind,
        secure_boot=_secure_boot(root) if kind.startswith("UEFI") else "",
        lockdown=_chosen(root.read("sys/kernel/security/lockdown") or ""),
        hypervisor=_hypervisor(root, dict(fields), flags),
        fields=tuple(fields),
        denied=tuple(denied),
    )


def _kind(root: Root, described: bool) -> str:
    if root.exists("sys/firmware/efi"):
        bits = root.read("sys/firmware/efi/fw_platform_size")
        return f"UEFI, {bits} bit" if bits else "UEFI"
    if root.exists(_TREE):
        return "device tree"
    if root.exists(_DMI) and described:
        return "BIOS"
    return "unknown, with ACPI" if root.exists("sys/firmware/acpi") else "unknown"


def _secure_boot(root: Root) -> str:
    """The variable's last byte; the four before it are its attributes (fs/efivarfs)."""
    place = "sys/firmware/efi/efivars"
    for name in root.list(place):
        if name.startswith("SecureBoot-"):
            data = root.read_bytes(f"{place}/{name}")
            if data:
                return "on" if data[-1] == 1 else "off"
    return ""


def _chosen(text: str) -> str:
    """The word in brackets of `[none] integrity confidentiality`."""
    return text.partition("[")[2].partition("]")[0]


def _hypervisor(root: Root, fields: dict[str, str], flags: tuple[str, ...]) -> str:
    kind = root.read("sys/hypervisor/type")
    if kind:
        return kind
    said = " ".join(fields.get(label, "") for label in ("vendor", "product", "firmware vendor", "model"))
    for word, name in _HYPERVISORS.items():
        if word.lower() in said.lower():
            return name
    names = root.list("sys/bus/acpi/devices")
    if any(name.startswith("AMZNC10C") for name in names):
        return "Firecracker"  # its VMClock; Amazon's other machines have DMI and were told by that
    if "dummy-virt" in said or "dummy-virt" in fields.get("compatible", ""):
        return "QEMU"
    return "one that does not say its name" if "hypervisor" in flags else ""
