# SPDX-License-Identifier: MIT
"""The initramfs of our own finds a root file system on a disk, and hands over to what is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from install_roots import put

from lkm.guest.identity import find_busybox
from lkm.guest.qemu import find_qemu
from lkm.install.value import Places
from lkm.kernel import Kernel
from lkm.process import find_program

pytestmark = [pytest.mark.fetch, pytest.mark.guest, pytest.mark.slow]
INIT = """#!/bin/busybox sh
/bin/busybox echo "root: $(/bin/busybox grep ' / ' /proc/mounts)"
/bin/busybox modprobe erofs && /bin/busybox grep '^erofs ' /proc/modules
/bin/busybox poweroff -f
"""


def test_an_installed_root_boots_from_its_own_disk(kernel: Kernel, root: Path) -> None:
    """Its driver by the device's alias, its file system mounted; there, modprobe by name from lib/modules."""
    put(kernel, root)
    for place in ("bin", "sbin", "proc", "sys", "dev"):
        (root / place).mkdir()
    busybox, mke2fs = find_busybox(), find_program("mke2fs")
    assert busybox is not None and mke2fs is not None
    shutil.copy(busybox, root / "bin/busybox")
    (root / "sbin/init").write_text(INIT)
    (root / "sbin/init").chmod(0o755)
    disk = root.parent / "disk.img"
    subprocess.run([mke2fs, "-q", "-L", "lkmroot", "-d", root, disk, "300M"], check=True, capture_output=True)
    places = Places(root, kernel.release)
    argv = [
        *find_qemu(kernel.arch).argv, "-no-reboot", "-m", "512", "-cpu", "max", "-serial", "stdio",
        "-drive", f"file={disk},if=virtio,format=raw", "-kernel", str(places.image),
        "-initrd", str(places.initramfs), "-append", "console=ttyS0 quiet panic=-1 root=LABEL=lkmroot rw",
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    assert "root: /dev/vda / ext" in done.stdout and "\nerofs " in done.stdout, done.stdout
