# SPDX-License-Identifier: MIT
"""How a guest ended: asked of QEMU, of the console, and of the kernel by an NMI."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lkm.errors import LkmError
from lkm.guest.value import Detail, End, Ending
from lkm.guest.vm import Vm

if TYPE_CHECKING:
    from lkm.guest.hang import Processor

_PANIC = re.compile(
    rb"^(?:<\d+>)?\[[^]]*\](?:\[[^]]*\])? Kernel panic - not syncing: (.*?)\r?$", re.MULTILINE
)
# kernel/panic.c, arch/x86/kernel/dumpstack.c (oops_end), mm/oom_kill.c; the rest are the module's own words.
_PANIC_DETAILS = (
    ("Fatal exception", Detail.OOPS),
    ("System is deadlocked on memory", Detail.OUT_OF_MEMORY),
    ("Out of memory", Detail.OUT_OF_MEMORY),
)
# kernel/reboot.c, and what it leaves running where the machine cannot do it (machine_halt always).
_STOPPED = ((b"reboot: System halted", Detail.HALTED), (b"reboot: Power down", Detail.OFF))
_TAIL = 65536  # bytes of the console in which its last words are looked for
_LOOKS = 12  # at processors whose interrupts seem off: so many times by chance in a handler is never
_LOOK_APART = 0.007  # seconds; no multiple of a tick
# Seconds that QEMU ran while it was looked at: on a busy host many looks may see one and the same moment.
_LOOKED_AT = 0.08
_LOOK_LIMIT = 0.6
_STOPS = 10  # times that a guest which prints is stopped, to meet it amidst a line


def find_end(vm: Vm) -> Ending:
    """How the guest of `vm` ended whose QEMU is about to end, or makes no sense any more; it is killed."""
    vm.wait(0.5)
    vm.kill()  # where its channel makes no sense it may still run
    vm.qmp.drain()
    reasons = {event["data"].get("reason") for event in vm.qmp.events if event["event"] == "SHUTDOWN"}
    if not reasons & {"guest-reset", "guest-shutdown", "guest-panic"}:
        return Ending(End.GUEST_LOST, words=vm.errors())
    tail = vm.console(max(vm.console_size - _TAIL, 0))
    panics = _PANIC.findall(tail)
    if panics:
        words = panics[-1].decode("utf-8", "replace").strip()
        detail = next((one for begin, one in _PANIC_DETAILS if words.startswith(begin)), Detail.NONE)
        return Ending(End.PANIC, detail, words=words)
    if "guest-reset" not in reasons:
        return Ending(End.POWERED_OFF, Detail.OFF)
    if vm.triple_fault:
        return Ending(End.POWERED_OFF, Detail.TRIPLE_FAULT)
    if vm.machine.accelerator == "tcg" or b"reboot: Restarting system" in tail:
        return Ending(End.POWERED_OFF, Detail.RESTARTED)
    return Ending(End.POWERED_OFF, Detail.RESET)


def find_stop(vm: Vm) -> Ending | None:
    """Whether the kernel of `vm` has stopped its machine for good and left it on: its last word is that."""
    tail = vm.console(max(vm.console_size - 256, 0)).rstrip()
    last = tail[tail.rfind(b"\n") + 1 :]
    return next((Ending(End.POWERED_OFF, detail) for words, detail in _STOPPED if last.endswith(words)), None)


def look_at_processors(vm: Vm) -> list[list[Processor]]:
    """The processors, some times over; once where none has its interrupts off."""
    from lkm.guest.hang import is_deaf, parse_registers

    moments: list[list[Processor]] = []
    began = vm.ran
    until = time.monotonic() + _LOOK_LIMIT
    with suppress(LkmError):
        while len(moments) < _LOOKS or vm.ran - began < _LOOKED_AT:
            left = until - time.monotonic()
            if left <= 0:
                break
            moments.append(parse_registers(vm.qmp.tell("info registers -a", timeout=left)))
            if not is_deaf(moments):
                break
            time.sleep(_LOOK_APART)
    return moments


def interrupt(vm: Vm, until: float, *, prints: bool = False) -> None:
    """Makes a kernel that hangs say where (an NMI, at which it panics), and ends it.

    It has until `until` for that.  `prints`: its log grows.
    """
    with suppress(LkmError):
        if vm.alive:
            if prints:
                _stop_amidst_a_line(vm)
            vm.qmp.send("inject-nmi")
            vm.qmp.send("cont")
            until = max(until, time.monotonic() + 0.1)
            while not vm.wait(_LOOK_APART):
                if time.monotonic() > until:
                    break
    vm.kill()


def _stop_amidst_a_line(vm: Vm) -> None:
    """Stops a guest that prints where the console is in the middle of a line, if that is met.

    What an NMI says is lost where it meets a record that is being written: nobody reads beyond that one
    (kernel/printk/printk_ringbuffer.c).  While the console shows a line, its record has been written.
    """
    for _ in range(_STOPS):
        vm.qmp.call("stop", timeout=_LOOK_LIMIT)
        if vm.console(max(vm.console_size - 1, 0)) != b"\n":
            return
        vm.qmp.call("cont", timeout=_LOOK_LIMIT)
