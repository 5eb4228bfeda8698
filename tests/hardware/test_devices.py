# SPDX-License-Identifier: MIT
"""Devices, disks and what programs see of them; names against lspci, devices of a guest, too."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from lkm.guest import Guest
from lkm.hardware import Machine, read_machine
from lkm.hardware.names import find_name
from lkm.hardware.root import Recorded
from lkm.hardware.value import Form, Mount
from lkm.kernel import Kernel
from lkm.process import find_program


def test_each_device_has_its_driver(q35: Machine) -> None:
    drivers = {f"{one.bus} {one.name}": (one.kind, one.driver, one.module, one.form) for one in q35.devices}
    assert drivers["pci 0000:00:02.0"] == ("Ethernet", "e1000", "e1000", Form.MODULE)
    assert drivers["pci 0000:00:04.0"] == ("USB controller", "xhci_hcd", "xhci_pci", Form.MODULE)
    assert drivers["pci 0000:00:07.0"] == ("audio", "", "", Form.NONE)
    assert drivers["usb 1-1:1.0"] == ("input", "usbhid", "usbhid", Form.MODULE)
    assert drivers["virtio virtio1"] == ("block", "virtio_blk", "virtio_blk", Form.MODULE)
    assert drivers["pnp 00:04"] == ("clock", "rtc_cmos", "", Form.BUILT_IN)
    assert drivers["platform i8042"] == ("", "i8042", "", Form.BUILT_IN)
    titles = {one.name: one.title for one in q35.devices}
    assert titles["1-1"] == titles["1-1:1.0"] == "QEMU USB Keyboard"
    assert titles["6:0:0:0"] == "QEMU QEMU HARDDISK"


@pytest.mark.parametrize("loaded", [True, False])
def test_a_driver_that_is_built_in_may_have_a_place_among_the_modules(loaded: bool) -> None:
    record = """lkm hardware 1
L /sys/bus/pci/devices/0000:00:01.0 ../../../devices/pci0000:00/0000:00:01.0
F /sys/devices/pci0000:00/0000:00:01.0/modalias
|pci:v00008086d00001234
L /sys/devices/pci0000:00/0000:00:01.0/driver ../../../bus/pci/drivers/xhci_hcd
L /sys/bus/pci/drivers/xhci_hcd/module ../../../../module/xhci_pci
"""
    record += "F /sys/module/xhci_pci/initstate\n|live\n" if loaded else ""
    (device,) = read_machine(Recorded("file", record)).devices
    assert (device.driver, device.module) == ("xhci_hcd", "xhci_pci")
    assert device.form is (Form.MODULE if loaded else Form.BUILT_IN)


def test_an_acpi_device_that_only_describes_another_says_so(q35: Machine) -> None:
    described = {one.name: one.same_as for one in q35.devices if one.bus == "acpi"}
    assert described["PNP0A08:00"] == "sys/devices/pci0000:00"
    assert described["QEMU0002:00"] == "sys/devices/pci0000:00/QEMU0002:00"


def test_disks(q35: Machine) -> None:
    disks = {one.name: one for one in q35.disks}
    assert {name: disk.transport for name, disk in disks.items()} == {
        "nvme0n1": "nvme",
        "sda": "sata",
        "sdb": "usb",
        "vda": "virtio",
    }
    assert (disks["sda"].model, disks["sda"].size, disks["sda"].rotational) == ("ATA LKMDISK", 16 << 20, True)
    assert disks["sdb"].removable and not disks["nvme0n1"].rotational
    assert disks["vda"].mounts == (Mount("/mnt", "/dev/vda", "ext4"),)
    assert [place.rpartition("/")[2] for place in disks["sda"].drivers] == ["0:0:0:0", "0000:00:1f.2"]


def test_a_combined_disk_needs_what_its_parts_need() -> None:
    record = """lkm hardware 1
F /proc/self/mountinfo
|21 1 254:0 / / rw - ext4 /dev/mapper/a\\040b rw
|22 1 0:30 / /home rw - btrfs /dev/sda2 rw
F /proc/swaps
|Filename Type Size Used Priority
|/dev/sda3 partition 100 0 -2
L /sys/block/dm-0 ../devices/virtual/block/dm-0
L /sys/block/sda ../devices/pci/1/block/sda
L /sys/block/dm-0/slaves/sda1 ../../../../../devices/pci/1/block/sda/sda1
L /sys/class/block/sda1 ../../devices/pci/1/block/sda/sda1
L /sys/devices/pci/1/driver ../../../bus/pci/drivers/ahci
F /sys/devices/virtual/block/dm-0/dev
|254:0
F /sys/devices/virtual/block/dm-0/size
|8
F /sys/devices/pci/1/block/sda/size
|16
F /sys/devices/pci/1/block/sda/sda1/partition
|1
F /sys/devices/pci/1/block/sda/sda2/partition
|2
F /sys/devices/pci/1/block/sda/sda3/partition
|3
"""
    machine = read_machine(Recorded("file", record))
    combined, disk = machine.disks
    assert combined.mounts == (Mount("/", "/dev/mapper/a b", "ext4"),) and machine.root == combined.mounts[0]
    assert combined.drivers == disk.drivers == ("sys/devices/pci/1",)
    assert [mount.where for mount in disk.mounts] == ["/home", "swap"]


def test_nodes(q35: Machine) -> None:
    nodes = {one.name: one for one in q35.nodes}
    assert nodes["eth0"].device.endswith("0000:00:02.0") and nodes["lo"].device == ""
    assert nodes["input5"].text == "QEMU QEMU USB Keyboard"
    assert nodes["card0"].kind == "graphics" and nodes["watchdog0"].device.endswith("iTCO_wdt.1.auto")


def test_names_are_those_of_lspci(tmp_path: Path) -> None:
    # The list that lspci is given, by both: two vendors, one device of each known.
    listed = "# comment\n1234  First\n\tabcd  One thing\n\t\t0001 0002  Sub\n"
    listed += "8086  Second\n\t100e  Card\nC 02  Net\n"
    (tmp_path / "pci.ids").write_text(listed)
    numbers = {"1234:abcd": "First One thing", "8086:100e": "Second Card", "8086:ffff": "Second"}
    for code, name in numbers.items():
        vendor, _, product = code.partition(":")
        assert find_name("pci", vendor, product, places=(str(tmp_path),)) == name
        dump = f"00:00.0 0200: {code}\n" + "".join(
            f"{row:02x}: " + " ".join(["00"] * 16) + "\n" for row in range(0, 64, 16)
        )
        raw = bytes.fromhex(vendor)[::-1] + bytes.fromhex(product)[::-1]
        dump = dump.replace("00: " + " ".join(["00"] * 4), "00: " + raw.hex(" "), 1)
        (tmp_path / "dump").write_text(dump)
        argv = ["lspci", "-F", str(tmp_path / "dump"), "-i", str(tmp_path / "pci.ids")]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        assert f": {name}" in said
    assert find_name("pci", "9999", "0000", places=(str(tmp_path),)) == ""
    assert find_name("pci", "1234", "abcd", places=("/nonexistent",)) == ""


@pytest.mark.guest
def test_a_guests_devices_are_those_that_lspci_sees_there(kernel: Kernel) -> None:
    lspci = find_program("lspci")
    assert lspci is not None, "pciutils (lkm doctor --tests)"
    with Guest(kernel) as guest:
        guest.copy_in(Path(str(files("lkm.hardware").joinpath("record.sh"))), "/record.sh")
        machine = read_machine(Recorded("guest", guest.run("sh /record.sh", timeout=120).stdout))
        said = guest.run([guest.copy_program(lspci), "-D", "-n", "-k"]).stdout
        release = guest.run("uname -r").stdout.strip()
    seen: dict[str, tuple[str, str]] = {}
    for block in re.split(r"\n(?=\S)", said.strip()):
        slot, _, ids = block.split("\n")[0].split()[:3]
        driver = re.search(r"Kernel driver in use: (\S+)", block)
        seen[slot] = (ids, driver[1] if driver else "")
    ours = {one.name: (one.ids, one.driver) for one in machine.devices if one.bus == "pci"}
    assert ours == seen and seen
    assert machine.release == release == kernel.release
    assert (machine.firmware.kind, machine.firmware.hypervisor) == ("BIOS", "QEMU")
