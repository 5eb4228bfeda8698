# SPDX-License-Identifier: MIT
"""A machine that record.sh wrote down.

`machines/q35`: QEMU 7.2's q35 with Debian's 6.1.0-56-amd64, its modules loaded by the devices' aliases:
VGA, e1000, virtio network without a peer, xHCI with a keyboard and a stick, virtio, NVMe and SATA disks,
HD audio and an i6300ESB watchdog, whose modules were left out; ext4 on the virtio disk at /mnt.
`machines/virt`: its arm64 machine `virt` with a small 6.12 of our own, without PCI, virtio and sysctl.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.hardware import Machine, Root, open_root, read_machine

MACHINES = Path(__file__).parent / "machines"


@pytest.fixture(scope="session")
def q35_root() -> Root:
    return open_root(MACHINES / "q35")


@pytest.fixture(scope="session")
def q35(q35_root: Root) -> Machine:
    return read_machine(q35_root)
