# SPDX-License-Identifier: MIT
"""Which module and option serve a device: of the machine itself, of a kernel's modules, of its Makefiles."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.hardware import Machine
from lkm.hardware.report import build_report
from lkm.hardware.service import Kernel, Option, Service, find_needs, find_services
from lkm.hardware.value import Form
from lkm.kernel import Kernel as BootKernel
from lkm.show.hardware import missing_options, next_command

OPTIONS = {
    "e1000": ["E1000"],
    "snd_hda_intel": ["SND_HDA_INTEL"],
    "i8042": ["SERIO_I8042"],
    "serial": ["A", "B"],
}


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A modules directory whose indexes name a few modules, loadable and built in."""
    (tmp_path / "kernel").mkdir()
    for name in ("e1000", "snd-hda-intel", "button", "virtio_blk", "ext4"):
        (tmp_path / f"kernel/{name}.ko").write_bytes(b"")
    (tmp_path / "modules.builtin").write_text("kernel/i8042.ko\nkernel/8250.ko\nkernel/virtio_pci.ko\n")
    said = b"8250.alias=pnp:dPNP0501*\0i8042.license=GPL\0virtio_pci.alias=pci:v00001AF4d*sv*sd*bc*sc*i*\0"
    (tmp_path / "modules.builtin.modinfo").write_bytes(said)
    aliases = {"pci:v00008086d00002668sv*sd*bc*sc*i*": "snd_hda_intel", "fs_ext4": "ext4"}
    from lkm.modtree.trie import build_trie

    entries = [
        (alias.encode(), number, name.encode()) for number, (alias, name) in enumerate(aliases.items())
    ]
    (tmp_path / "modules.alias.bin").write_bytes(build_trie(entries))
    return tmp_path


def served(machine: Machine, kernel: Kernel) -> dict[str, Service]:
    return {f"{one.device.bus} {one.device.name}": one for one in find_services(machine, kernel)}


def test_with_nothing_known_the_machine_still_tells_the_modules(q35: Machine) -> None:
    services = served(q35, Kernel())
    assert services["pci 0000:00:02.0"].module == "e1000"
    assert services["pci 0000:00:02.0"].option is None
    assert services["pci 0000:00:07.0"].candidates == ()


def test_a_driver_without_a_link_to_its_module_is_found_among_the_loaded(q35: Machine) -> None:
    button = served(q35, Kernel())["acpi LNXPWRBN:00"]
    device = next(one for one in q35.devices if one.name == "LNXPWRBN:00")
    assert (device.form, device.module) == (Form.BUILT_IN, "")  # all that the bus says
    assert (button.device.form, button.module) == (Form.MODULE, "button")


def test_modules_and_options(q35: Machine, modules: Path) -> None:
    kernel = Kernel("test", modules=modules, options=OPTIONS, values={"E1000": "m", "SERIO_I8042": "y"})
    services = served(q35, kernel)
    assert services["pci 0000:00:02.0"].option == Option("E1000", "m", True)
    assert services["pnp 00:00"].module == "i8042"
    assert services["pnp 00:00"].option == Option("SERIO_I8042", "y", True)
    audio = services["pci 0000:00:07.0"]
    (candidate,) = audio.candidates
    assert (candidate.module, candidate.form) == ("snd_hda_intel", Form.MODULE)
    assert candidate.option == Option("SND_HDA_INTEL", "n", True)
    # "serial" is a driver's name here, and some Makefile's object that has nothing to do with it
    assert services["pnp 00:02"].module == "8250" and services["pnp 00:02"].option is None
    # what ACPI says of a device that is on another bus is no device without a driver
    assert services["acpi QEMU0002:00"].candidates == ()


def test_without_sources_a_name_in_the_configuration_is_a_guess(q35: Machine) -> None:
    services = served(q35, Kernel(values={"E1000": "y", "NVME": "n"}))
    assert services["pci 0000:00:02.0"].option == Option("E1000", "y", False)
    assert services["pci 0000:00:06.0"].option is None


def test_of_two_options_for_a_module_the_one_that_is_on() -> None:
    kernel = Kernel(options={"x": ["FIRST", "SECOND"]}, values={"SECOND": "m"})
    assert kernel.find_option("x") == Option("SECOND", "m", True)
    assert Kernel(options={"x": ["FIRST", "SECOND"]}).find_option("x") == Option("FIRST", "", True)


def test_what_the_root_file_system_needs(q35: Machine, modules: Path) -> None:
    mount = next(disk for disk in q35.disks if disk.name == "vda").mounts[0]
    machine = replace(q35, root=mount)
    kernel = Kernel("test", modules=modules, options={"ext4": ["EXT4_FS"]}, values={})
    needs = find_needs(machine, find_services(machine, kernel), kernel)
    assert [need.module for need in needs] == ["ext4", "virtio_blk", "virtio_pci"]
    assert needs[0].option == Option("EXT4_FS", "n", True) and needs[0].form is Form.MODULE
    assert find_needs(q35, (), kernel) == ()  # its root is in memory
    report = build_report(
        machine, Kernel("bare", options={"ext4": ["EXT4_FS"], "virtio_blk": ["B"]}, values={})
    )
    assert missing_options(report) == ["EXT4_FS=y", "B=y"]


def test_a_driver_that_the_known_kernel_has_not_is_found_in_its_sources(q35: Machine, tmp_path: Path) -> None:
    """The machine's kernel has them built in; the one that is asked is a small one of the same sources."""
    built_in = tuple(replace(one, module="", form=Form.BUILT_IN) for one in q35.devices if one.driver)
    machine = replace(q35, devices=built_in, loaded=())
    services = served(
        machine, Kernel(modules=tmp_path, options={**OPTIONS, "virtio_blk": ["VIRTIO_BLK"], "serial": ["A"]})
    )
    assert services["virtio virtio1"].option == Option("VIRTIO_BLK", "", True)
    assert services["pnp 00:02"].option is None


def test_the_next_thing_to_type(q35: Machine, modules: Path) -> None:
    values = {"SND_HDA_INTEL": "n"}
    kernel = Kernel("test", release="6.1", modules=modules, options=OPTIONS, values=values)
    report = build_report(q35, kernel, sources="Linux 6.1's Makefiles")
    assert next_command(report, here=False) == "lkm kernel configure -O DIR set SND_HDA_INTEL=m"
    same = replace(report, running=True)
    assert next_command(same, here=True) == "modprobe -a snd_hda_intel"
    assert next_command(replace(report, sources=""), here=True).endswith("--for-hardware")
    assert next_command(replace(report, sources=""), here=False).endswith("--for-hardware " + q35.source)
    assert next_command(build_report(q35, Kernel()), here=True) == ""


def test_a_real_kernels_modules_are_those_that_modprobe_names(
    q35: Machine, kernel: BootKernel, tmp_path: Path
) -> None:
    assert kernel.modules is not None
    known = Kernel(kernel.name, modules=kernel.modules)
    without = [
        replace(one, driver="", module="", form=Form.NONE, same_as="") for one in q35.devices if one.alias
    ]
    # modprobe needs the indexes of depmod, which a package's modules get only where they are installed
    copy = tmp_path / "lib/modules" / kernel.modules.name
    shutil.copytree(
        kernel.modules, copy, copy_function=os.symlink, ignore=shutil.ignore_patterns("build", "source")
    )
    subprocess.run(["depmod", "-b", str(tmp_path), copy.name], check=True, capture_output=True)
    found = set()
    for service in find_services(replace(q35, devices=tuple(without)), known):
        argv = ["modprobe", "-d", str(tmp_path), "-S", copy.name, "-R", service.device.alias]
        said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
        assert {one.module for one in service.candidates} == set(said), service.device
        found |= set(said)
    assert {"virtio_net", "virtio_blk"} <= found
