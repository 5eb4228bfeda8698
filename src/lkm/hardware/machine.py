# SPDX-License-Identifier: MIT
"""The whole machine."""

from __future__ import annotations

from lkm.hardware.cpu import read_cpu
from lkm.hardware.devices import read_devices
from lkm.hardware.disks import find_root, read_disks
from lkm.hardware.firmware import read_firmware
from lkm.hardware.memory import read_memory
from lkm.hardware.nodes import read_nodes
from lkm.hardware.root import Root
from lkm.hardware.value import Machine


def read_machine(root: Root) -> Machine:
    """All that /sys and /proc say; reads only, needs no rights, and never fails for what is not there."""
    cpu = read_cpu(root)
    return Machine(
        source=root.name,
        release=_read_release(root),
        # Built-in ones may be below /sys/module, too, but only what was loaded has a state.
        loaded=tuple(name for name in root.list("sys/module") if root.exists(f"sys/module/{name}/initstate")),
        cpu=cpu,
        memory=read_memory(root),
        firmware=read_firmware(root, flags=tuple(flag for flag, _ in cpu.notable)),
        devices=read_devices(root),
        disks=read_disks(root),
        nodes=read_nodes(root),
        root=find_root(root),
    )


def _read_release(root: Root) -> str:
    """As `uname -r` says it; /proc/version says it, too, where the kernel has no sysctl."""
    words = (root.read("proc/version") or "").split()  # "Linux version 6.12.1 (builder@host) ..."
    return root.read("proc/sys/kernel/osrelease") or (words[2] if len(words) > 2 else "")
