# SPDX-License-Identifier: MIT
"""Devices to modules to options."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import BadInputError, UsageError
from lkm.kconfig.hardware import (
    Device,
    find_drivers,
    format_lsmod,
    parse_devices,
    parse_lsmod,
    read_devices,
)
from lkm.kconfig.index import Index
from lkm.kconfig.makefiles import find_options, parse_rules
from lkm.kernel import Kernel

NET = "virtio:d00000001v00001AF4"


def test_devices_of_this_machine_and_of_a_file(tmp_path: Path) -> None:
    for name, alias in (("pci0/0:1", "pci:v1"), ("pci0/0:2", "pci:v1"), ("x", "")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "modalias").write_text(f"{alias}\n")
    (device,) = read_devices(tmp_path)
    assert device.alias == "pci:v1"
    text = f"{NET}\n/sys/devices/a/b/modalias:pci:v2\n\nnoise\n{NET}\n"
    assert parse_devices(text, source="f") == [Device(NET), Device("pci:v2", "/sys/devices/a/b")]
    with pytest.raises(BadInputError, match="no line of it is a device's alias"):
        parse_devices("hello\nworld\n", source="f")


def test_lsmod_as_it_is_and_as_proc_has_it() -> None:
    names = ["a", "b_c"]
    assert parse_lsmod(format_lsmod(names), source="f") == names
    assert parse_lsmod("a 16384 1 b_c, Live 0x0\nb_c 1 0 - Live 0x0\n", source="f") == names
    with pytest.raises(UsageError, match="no module's name"):
        parse_lsmod("<html>\n", source="f")


def test_rules_of_a_makefile() -> None:
    text = "obj-$(CONFIG_A) += a.o dir/ b-c.o # x.o\nobj-$(CONFIG_D)\t+= \\\n\td.o\nobj-y += e.o\n"
    text += "a-objs := z.o\n"
    assert list(parse_rules(text)) == [("a", "A"), ("b_c", "A"), ("d", "D"), ("e", "")]


@pytest.mark.fetch
def test_device_module_option(kernel: Kernel, index: Index) -> None:
    assert kernel.modules is not None
    assert find_options(index)["virtio_net"] == ["VIRTIO_NET"]
    devices = [Device(NET), Device("pci:v0000DEADd0000BEEFsv0sd0bc00sc00i00")]
    drivers, without = find_drivers(devices, kernel.modules, index, {"VIRTIO_NET": "m"})
    (driver,) = drivers
    assert (driver.module, driver.option, driver.value, driver.least) == (
        "virtio_net",
        "VIRTIO_NET",
        "m",
        "m",
    )
    assert driver.prompt == "Virtio network driver"
    assert without == devices[1:]
