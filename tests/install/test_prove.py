# SPDX-License-Identifier: MIT
"""What lies in a root boots, and a module loads from it by its name; what does not is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from install_roots import put

from lkm.errors import UsageError
from lkm.guest import Guest
from lkm.guest.boot import AGENT
from lkm.install import prove
from lkm.kernel import Kernel

pytestmark = [pytest.mark.fetch, pytest.mark.guest]


def test_image_and_initramfs_boot_and_a_module_loads_by_its_name(laid: Path, built: Kernel) -> None:
    proof = prove(built.release, laid)
    assert proof.ok, proof.why
    assert (proof.release, proof.module, proof.loaded) == (
        built.release,
        "pps_ktimer",
        ("pps_core", "pps_ktimer"),
    )
    assert proof.image == laid / f"boot/vmlinuz-{built.release}" and proof.seconds > 0
    assert proof.initramfs == laid / f"boot/initrd.img-{built.release}" and proof.own_init
    assert proof.by_init == ()


def test_the_init_loads_what_it_is_told_by_name(built: Kernel, root: Path) -> None:
    """By modprobe and depmod's files of its own, in the initramfs; the agent finds them loaded."""
    put(built, root, names=("pps-ktimer",))
    proof = prove(built.release, root, name="pps-ktimer")
    assert proof.ok and proof.by_init == ("pps_core", "pps_ktimer"), proof


def test_modprobe_itself_in_the_guest(laid: Path, built: Kernel) -> None:
    """The laid out tree, copied whole into the guest as /lib/modules, serves the real program."""
    release = built.release
    initramfs = laid / f"boot/initrd.img-{release}"
    with Guest(built, initramfs=initramfs, cmdline=f"init={AGENT}", timeout=60) as guest:
        tree = laid / f"lib/modules/{release}"
        for path in tree.rglob("*"):
            if path.is_file() and not path.is_symlink():
                guest.copy_in(path, f"/lib/modules/{release}/{path.relative_to(tree)}")
        assert guest.run(["/bin/busybox", "modprobe", "pps-ktimer"]).status == 0
        assert [module.name for module in guest.modules()] == ["pps_ktimer", "pps_core"]


def test_a_kernel_that_does_not_boot_is_told(laid: Path, built: Kernel, tmp_path: Path) -> None:
    shutil.copytree(laid, tmp_path / "root", symlinks=True)
    initramfs = tmp_path / f"root/boot/initrd.img-{built.release}"
    initramfs.write_bytes(initramfs.read_bytes()[:4000])
    proof = prove(built.release, tmp_path / "root")
    assert not proof.ok and proof.release == "" and "ended while it booted" in proof.why


def test_modules_of_another_build_are_told(make_kernel: Callable[..., Kernel], tmp_path: Path) -> None:
    kernel = make_kernel(tmp_path / "a")
    for path in (tmp_path / "a").rglob("*.ko"):
        data = path.read_bytes()
        path.write_bytes(data.replace(f"vermagic={kernel.release} ".encode(), b"vermagic=9.9 ".ljust(22)))
    proof = prove(kernel.release, tmp_path / "a")
    assert not proof.ok and proof.release == kernel.release and "cannot be loaded" in proof.why


def test_names_that_are_not_there(laid: Path, built: Kernel) -> None:
    with pytest.raises(UsageError, match="no module 'nothing'"):
        prove(built.release, laid, name="nothing")
    with pytest.raises(UsageError, match=r"no kernel 9\.9 in"):
        prove("9.9", laid)
