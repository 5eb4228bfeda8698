# SPDX-License-Identifier: MIT
"""From what is wanted of a guest to a running one: the machine, its template, a clone that answered."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lkm.errors import GuestLostError
from lkm.guest.accelerator import find_accelerator
from lkm.guest.channel import Say
from lkm.guest.machine import Machine
from lkm.guest.qemu import find_qemu
from lkm.guest.template import identity, make_template, start_clone
from lkm.guest.vm import Vm

if TYPE_CHECKING:
    from lkm.kernel import Kernel

RESTORE_TIMEOUT = 20.0  # seconds; a clone answers within a tenth of one on a quiet machine


@dataclass(frozen=True, slots=True)
class Settings:
    """What is wanted of a guest; see `Guest`."""

    kernel: Kernel
    memory: int = 256
    cpus: int = 1
    cmdline: str = ""
    template: bool = True
    accelerator: str | None = None


def find_machine(settings: Settings) -> Machine:
    """The machine that such a guest has here."""
    qemu = find_qemu(settings.kernel.arch)
    accelerator = settings.accelerator or find_accelerator(settings.kernel, qemu)
    return Machine(qemu, accelerator, settings.memory, settings.cpus)


def start_vm(settings: Settings) -> Vm:
    """A guest whose agent has answered.

    A template that does not come to life (damaged, or of another build of QEMU after all) is made
    again, once.
    """
    machine = find_machine(settings)
    kernel, cmdline = settings.kernel, settings.cmdline
    if not settings.template:
        from lkm.guest.boot import boot

        return boot(kernel, machine, "memory-backend-ram", cmdline)
    template = make_template(kernel, machine, cmdline=cmdline)
    for again in (True, False):
        try:
            vm = start_clone(template, machine)
        except FileNotFoundError:  # removed since it was found
            template = make_template(kernel, machine, cmdline=cmdline)
            vm = start_clone(template, machine)
        try:
            if _is_awake(vm):
                return vm
            if not again:
                raise vm.failure("restore the guest")
        except BaseException:
            vm.close()
            raise
        vm.close()
        template = make_template(kernel, machine, cmdline=cmdline, renew=identity(template))
    raise AssertionError("unreachable")


def _is_awake(vm: Vm) -> bool:
    until = time.monotonic() + RESTORE_TIMEOUT
    try:
        while (frame := vm.next_frame(until)) is not None:
            if frame.type == Say.READY:
                return True
    except GuestLostError:
        pass
    return False
