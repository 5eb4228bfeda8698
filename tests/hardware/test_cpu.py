# SPDX-License-Identifier: MIT
"""Processors, memory and firmware: against lscpu and the system's own words, and of made machines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lkm.hardware import Machine, open_root, read_machine
from lkm.hardware.cpu import count_list
from lkm.hardware.memory import parse_meminfo
from lkm.hardware.root import Recorded

HEAD = "lkm hardware 1\n"
ARM = f"""{HEAD}F /proc/cpuinfo
|processor	: 0
|BogoMIPS	: 125.00
|Features	: fp asimd evtstrm aes atomics paca bti
|CPU implementer	: 0x41
|CPU architecture: 8
|CPU variant	: 0x0
|CPU part	: 0xd08
|CPU revision	: 3
|
|processor	: 1
|Features	: fp asimd evtstrm aes atomics paca bti
X /sys/firmware/devicetree/base/model
| 6c 69 6e 75 78 2c 64 75 6d 6d 79 2d 76 69 72 74 00
X /sys/firmware/devicetree/base/compatible
| 6c 69 6e 75 78 2c 64 75 6d 6d 79 2d 76 69 72 74 00 61 2c 62 00
L /sys/bus/amba/devices/9000000.pl011 ../../../devices/platform/9000000.pl011
F /sys/devices/platform/9000000.pl011/modalias
|of:Npl011T(null)Carm,pl011Carm,primecell
L /sys/devices/platform/9000000.pl011/driver ../../../bus/amba/drivers/uart-pl011
"""


@pytest.mark.parametrize(
    ("text", "count"), [("0-3,8", 5), ("0", 1), ("", 0), ("0-", 0), ("x", 0), ("3-1", 0), ("0-1023", 1024)]
)
def test_lists_of_numbers(text: str, count: int) -> None:
    assert count_list(text) == count


def test_this_machines_processors_are_those_of_lscpu() -> None:
    argv = ["lscpu", "-p=CPU,CORE,SOCKET"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    rows = [line.split(",") for line in said.splitlines() if not line.startswith("#")]
    cpu = read_machine(open_root(Path("/"))).cpu
    assert (cpu.threads, cpu.arch) == (len(rows), os.uname().machine)
    assert cpu.cores == len({(core, socket) for _, core, socket in rows})
    assert cpu.sockets == len({socket for *_, socket in rows})


def test_this_machines_memory_is_that_of_the_system() -> None:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert read_machine(open_root(Path("/"))).memory.total == total
    assert parse_meminfo("MemTotal:  5 kB\nHugePages_Total:   3\nnoise\nX: y kB\n") == {
        "MemTotal": 5120,
        "HugePages_Total": 3,
    }


def test_the_recorded_machine(q35: Machine) -> None:
    cpu, firmware = q35.cpu, q35.firmware
    assert (cpu.arch, cpu.threads, cpu.cores, cpu.sockets) == ("x86_64", 2, 2, 1)
    assert [cache.size for cache in cpu.caches] == ["64K", "64K", "512K", "16384K"]
    assert {"svm", "hypervisor", "la57"} <= {flag for flag, _ in cpu.notable}
    assert dict(cpu.weaknesses)["meltdown"] == "Not affected"
    assert (firmware.kind, firmware.hypervisor, firmware.secure_boot) == ("BIOS", "QEMU", "")
    assert dict(firmware.fields)["firmware vendor"] == "SeaBIOS"
    assert [size >> 20 for _, size in q35.memory.nodes] == [q35.memory.total >> 20]


def test_an_arm_board_with_a_device_tree() -> None:
    machine = read_machine(Recorded("file", ARM))
    assert (machine.cpu.arch, machine.cpu.model, machine.cpu.threads) == ("aarch64", "ARM, part 0xd08", 2)
    assert [flag for flag, _ in machine.cpu.notable] == ["atomics", "paca", "bti"]
    assert machine.firmware.kind == "device tree" and machine.firmware.hypervisor == "QEMU"
    assert dict(machine.firmware.fields)["compatible"] == "linux,dummy-virt, a,b"
    (device,) = machine.devices
    assert (device.bus, device.kind, device.ids, device.driver) == (
        "amba",
        "pl011",
        "arm,pl011",
        "uart-pl011",
    )


def test_a_recorded_arm_machine() -> None:
    machine = read_machine(open_root(Path(__file__).parent / "machines/virt"))
    cpu = machine.cpu
    assert (cpu.arch, cpu.threads, machine.release) == ("aarch64", 2, "6.12.117-arm64")
    assert dict(machine.firmware.fields)["model"] == "linux,dummy-virt"
    drivers = {one.name: one.driver for one in machine.devices}
    assert drivers["9000000.pl011"] == "uart-pl011"
    slots = [one for one in machine.devices if one.ids == "virtio,mmio"]
    assert len(slots) == 32 and {one.driver for one in slots} == {""}


@pytest.mark.parametrize(("byte", "state"), [("01", "on"), ("00", "off")])
def test_secure_boot(byte: str, state: str) -> None:
    variable = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    text = f"{HEAD}F /sys/firmware/efi/fw_platform_size\n|64\nF /sys/kernel/security/lockdown\n"
    text += (
        f"|none [integrity] confidentiality\nX /sys/firmware/efi/efivars/{variable}\n| 06 00 00 00 {byte}\n"
    )
    firmware = read_machine(Recorded("file", text)).firmware
    assert (firmware.kind, firmware.secure_boot, firmware.lockdown) == ("UEFI, 64 bit", state, "integrity")
