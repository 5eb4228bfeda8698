# SPDX-License-Identifier: MIT
"""From what is wanted of a guest to a running one: the machine, its template, a clone that answered."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lkm.errors import GuestLostError, MissingError, UsageError
from lkm.guest.accelerator import find_accelerator
from lkm.guest.channel import Say
from lkm.guest.machine import Machine
from lkm.guest.qemu import find_qemu
from lkm.guest.template import Template, identity, make_template, ready_template, start_clone
from lkm.guest.vm import Vm

if TYPE_CHECKING:
    from pathlib import Path

    from lkm.kernel import Kernel

_ARCH = "x86_64"  # what the agent is written for
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
    initramfs: Path | None = None


def find_machine(settings: Settings) -> Machine:
    """The machine that such a guest has here; raises `UsageError` for a kernel of another kind."""
    kernel = settings.kernel
    if kernel.arch not in ("", _ARCH):
        raise UsageError(
            f"{kernel.name} is for {kernel.arch}; guests are {_ARCH}", hint="lkm kernel list shows which boot"
        )
    qemu = find_qemu(settings.kernel.arch)
    accelerator = settings.accelerator or find_accelerator(settings.kernel, qemu)
    return Machine(qemu, accelerator, settings.memory, settings.cpus)


class Clone:
    """A clone on its way: QEMU started, its agent not heard yet."""

    def __init__(self, template: Template, machine: Machine) -> None:
        self.template = template
        self.machine = machine
        self.vm = start_clone(template, machine)


def begin_clone(settings: Settings) -> Clone | None:
    """Starts a clone and waits for nothing; None where no template is ready."""
    if not settings.template:
        return None
    machine = find_machine(settings)
    template = ready_template(settings.kernel, machine, cmdline=settings.cmdline)
    with suppress(FileNotFoundError):  # removed since it was found
        return Clone(template, machine) if template is not None else None
    return None


def prepare_template(settings: Settings) -> None:
    """Makes the template of a guest where there is none."""
    make_template(settings.kernel, find_machine(settings), cmdline=settings.cmdline)


def start_vm(settings: Settings, begun: Clone | None = None) -> Vm:
    """A guest whose agent has answered; `begun` is a clone of these settings that is on its way.

    A template that does not come to life (damaged, or of another build of QEMU after all) is made
    again, once.
    """
    kernel, cmdline = settings.kernel, settings.cmdline
    if not settings.template:
        from lkm.guest.boot import boot

        return boot(
            kernel, find_machine(settings), "memory-backend-ram", cmdline, initramfs=settings.initramfs
        )
    clone = begun or _make_clone(settings)
    if _is_awake(clone.vm):
        return clone.vm
    clone.vm.close()
    clone = _make_clone(settings, renew=identity(clone.template))
    if _is_awake(clone.vm):
        return clone.vm
    failure = clone.vm.failure("restore the guest")
    clone.vm.close()
    raise failure


def _make_clone(settings: Settings, *, renew: str = "") -> Clone:
    machine = find_machine(settings)
    for _ in range(2):
        template = make_template(settings.kernel, machine, cmdline=settings.cmdline, renew=renew)
        with suppress(FileNotFoundError):  # removed since it was found
            return Clone(template, machine)
    raise MissingError(f"{template.path}: removed as soon as it is made", hint="lkm run --cold")


def _is_awake(vm: Vm) -> bool:
    """Waits for the agent's first words; closes the guest where the wait is broken off."""
    until = time.monotonic() + RESTORE_TIMEOUT
    try:
        while (frame := vm.next_frame(until)) is not None:
            if frame.type == Say.READY:
                return True
    except GuestLostError:
        pass
    except BaseException:
        vm.close()
        raise
    return False
