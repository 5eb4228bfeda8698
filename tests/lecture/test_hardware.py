# SPDX-License-Identifier: MIT
"""The lecture's "if you need to know more about your hardware": each program it names, and who says the same.

lscpu, lspci, lsusb, dmidecode, hdparm, /proc/cpuinfo, /proc/meminfo; then what they are asked for: the
options that a kernel for this machine needs.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from kernel_sources import fetch_tree

from lkm.cli import run_command
from lkm.kernel import Kernel

MACHINE = str(Path(__file__).parents[1] / "hardware/machines/q35")


@pytest.fixture(scope="module")
def sources() -> Path:
    """The Kconfig files and Makefiles of a real kernel."""
    return fetch_tree()


def test_what_each_of_the_programs_would_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--hardware", "--from", MACHINE, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    machine = said["machine"]
    devices = {one["device"]["name"]: one["device"] for one in said["services"]}
    assert machine["cpu"]["model"] == "QEMU TCG CPU version 2.5+"  # lscpu, /proc/cpuinfo
    assert machine["memory"]["total"] == 466096 << 10  # /proc/meminfo
    assert devices["0000:00:02.0"]["ids"] == "8086:100e"  # lspci -n
    assert devices["1-1"]["title"] == "QEMU USB Keyboard"  # lsusb
    assert dict(machine["firmware"]["fields"])["firmware vendor"] == "SeaBIOS"  # dmidecode
    assert machine["disks"][1]["model"] == "ATA LKMDISK"  # hdparm -I


def test_this_machines_programs_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["doctor", "--hardware", "--json"]) == 0
    machine = json.loads(capsys.readouterr().out)["machine"]
    lscpu = subprocess.run(["lscpu", "-J"], capture_output=True, text=True, check=True).stdout
    fields = {one["field"].rstrip(":"): one["data"] for one in json.loads(lscpu)["lscpu"]}
    assert (machine["cpu"]["arch"], str(machine["cpu"]["threads"])) == (
        fields["Architecture"],
        fields["CPU(s)"],
    )
    with Path("/proc/meminfo").open() as stream:
        assert machine["memory"]["total"] == int(stream.readline().split()[1]) << 10


@pytest.mark.fetch
def test_from_the_devices_to_the_options(
    sources: Path, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "doctor",
        "--hardware",
        "--from",
        MACHINE,
        "--tree",
        str(sources),
        "--kernel",
        kernel.name,
        "--json",
    ]
    assert run_command(words) == 0
    said = json.loads(capsys.readouterr().out)
    options = {
        one["device"]["name"]: (one["option"]["name"], one["option"]["sure"])
        for one in said["services"]
        if one["option"] is not None
    }
    assert options["0000:00:02.0"] == ("E1000", True)
    assert options["0000:00:04.0"] == ("USB_XHCI_PCI", True)
    assert options["0000:00:1f.2"] == ("SATA_AHCI", True)
    assert options["0:0:0:0"] == ("BLK_DEV_SD", True)
    assert options["serio1"] == ("MOUSE_PS2", True)
    assert run_command(["kernel", "configure", "--tree", str(sources), "--kernel", kernel.name,
                        "--for-hardware", MACHINE, "--json"]) == 0  # fmt: skip
    drivers = {one["module"]: one["option"] for one in json.loads(capsys.readouterr().out)["drivers"]}
    assert drivers["virtio_net"] == "VIRTIO_NET" and drivers["virtio_blk"] == "VIRTIO_BLK"
