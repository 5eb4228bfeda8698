# SPDX-License-Identifier: MIT
"""Which accelerator works on this machine: a real boot decides, once.

`/dev/kvm` can be there, open, create a virtual machine, and still never get a kernel through its early
boot (nested virtualisation); nothing short of booting one tells.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.errors import LkmError
from lkm.guest.identity import file_identity
from lkm.guest.machine import Machine
from lkm.guest.memory import recall, remember
from lkm.guest.qemu import Qemu

if TYPE_CHECKING:
    from lkm.kernel import Kernel

PROBE_TIMEOUT = 6.0  # seconds; with KVM a kernel is up within one
_KVM = Path("/dev/kvm")
_KVM_CREATE_VM = 0xAE01  # include/uapi/linux/kvm.h


def find_accelerator(kernel: Kernel, qemu: Qemu) -> str:
    """`kvm` where booting `kernel` with it works within seconds, else `tcg`; remembered for this host.

    The answer holds until the machine boots again, and for this processor, host kernel and QEMU.
    """
    if kernel.arch != os.uname().machine or not os.access(_KVM, os.R_OK | os.W_OK):
        return "tcg"
    known = recall_accelerator(qemu)
    if known:
        return known
    if not _opens():
        return "tcg"
    accelerator = "kvm" if _boots(kernel, qemu) else "tcg"
    remember("accelerator", _key(qemu), {"accelerator": accelerator})
    return accelerator


def recall_accelerator(qemu: Qemu) -> str:
    """What was found for this host, or "" where nothing was tried yet."""
    known = recall("accelerator", _key(qemu))
    return str(known["accelerator"]) if known is not None else ""


def _key(qemu: Qemu) -> str:
    return json.dumps([_boot_id(), _processor(), os.uname().release, file_identity(qemu.path)])


def _opens() -> bool:
    """Whether a virtual machine can be created at all: tells most machines without KVM at once."""
    try:
        device = os.open(_KVM, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(device, _KVM_CREATE_VM, 0))
        return True
    except OSError:
        return False
    finally:
        os.close(device)


def _boots(kernel: Kernel, qemu: Qemu) -> bool:
    from lkm.guest.boot import start_boot

    machine = Machine(qemu, "kvm", 256, 1)
    try:
        with start_boot(kernel, machine, "memory-backend-ram", timeout=PROBE_TIMEOUT):
            return True
    except LkmError:
        return False


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
