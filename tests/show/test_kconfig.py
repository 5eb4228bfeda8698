# SPDX-License-Identifier: MIT
"""Configurations as a person sees them: in the columns there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.kconfig.configuration import Configured
from lkm.kconfig.dotconfig import Change, Setting
from lkm.kconfig.expression import Part
from lkm.kconfig.hardware import Device, Driver
from lkm.kconfig.why import Why
from lkm.show.kconfig import format_configured, format_hardware, format_why

CHANGES = tuple(Change(f"OPTION_{number}", "n", "y") for number in range(40))
MADE = Configured(
    Path("/o/.config"), "6.12.9", "x86", (), 400, (Setting("A", "y"),), (), (), CHANGES, CHANGES, (), ()
)


def driver(bus: str, name: str, module: str, *, prompt: str = "What it is") -> Driver:
    device = Device(f"{bus}:v00001AF4", f"/sys/devices/{name}")
    return Driver(device, module, False, module.upper(), "n", "m", prompt)


def test_what_follows_from_a_presets_own_start_is_one_line() -> None:
    lines = list(format_configured(MADE, lambda _: "", every=False, brief=True))
    assert lines[1:] == ["asked for: 1, came about: 1, others that follow: 40 (--all)"]
    assert len(list(format_configured(MADE, lambda _: "", every=True, brief=True))) == 42
    assert "OPTION_0" in "\n".join(format_configured(MADE, lambda _: "", every=False))


@pytest.mark.parametrize("width", [80, 120])
def test_devices_in_order_and_those_that_are_alike_in_a_row(width: int) -> None:
    drivers = [driver("virtio", "virtio1", "vmw_vsock_virtio_transport", prompt="long " * 30)]
    drivers += [driver("pci", f"0000:00:0{number}.0", "virtio_pci") for number in (3, 1, 2)]
    lines = list(format_hardware(drivers, [], {"EXT4_FS": "n"}, base="defconfig", width=width))
    assert max(map(len, lines)) <= width
    assert [line.split("  ")[0] for line in lines[1:3]] == ["pci:0000:00:01.0 ×3", "virtio:virtio1"]
    assert "option, in defconfig" in lines[0] and "VMW_VSOCK_VIRTIO_TRANSPORT=n" in lines[2]
    assert ("What it is" in lines[1]) == (width == 120)
    assert lines[-1] == "to come to /, built in or in the initramfs: EXT4_FS=n"


def test_a_long_dependency_goes_on_in_the_next_line() -> None:
    names = [f"HAVE_SOMETHING_{number}" for number in range(12)]
    part = Part(" || ".join(names), "y", True, tuple((name, "n") for name in names))
    short = Part("SYSFS", "y", True, (("SYSFS", "y"),))
    why = Why("A", "bool", "n", "a", "", (), (), (part, short), (), (), (), (), (), None)
    lines = list(format_why(why, lambda _: "", every=False, width=80))
    assert max(map(len, lines)) <= 80
    assert "  + SYSFS  (y)" in lines
    joined = " ".join(line.strip() for line in lines)
    assert all(f"{name}=n" in joined for name in names) and part.text in joined
