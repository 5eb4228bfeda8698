# SPDX-License-Identifier: MIT
"""How a guest ended, from what it left behind: QEMU's events and the serial console."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from lkm.errors import LkmError
from lkm.guest.value import End
from lkm.guest.vm import Vm
from lkm.klog import Record, parse_console

_SAY_WHERE = 5.0  # seconds a hanging kernel gets to print where it hangs


def find_end(vm: Vm, known: End | None) -> End:
    """How the guest of `vm` ended; a hanging one (`known`) is made to say where, and ended."""
    if known is End.HANG:
        with suppress(LkmError):
            vm.qmp.send("inject-nmi")
            vm.wait(_SAY_WHERE)
        vm.kill()
        return End.HANG
    vm.wait(2)
    vm.qmp.drain()
    reasons = [event["data"].get("reason") for event in vm.qmp.events if event["event"] == "SHUTDOWN"]
    if "guest-reset" in reasons or "guest-shutdown" in reasons or "guest-panic" in reasons:
        return End.PANIC if b"Kernel panic - not syncing" in vm.console() else End.POWERED_OFF
    return End.GUEST_LOST


def last_words(vm: Vm, known: Iterable[Record]) -> tuple[Record, ...]:
    """What the console showed and the agent did not report."""
    seen = {_mark(record) for record in known}
    return tuple(record for record in parse_console(vm.console()) if _mark(record) not in seen)


def _mark(record: Record) -> tuple[int, str]:
    # The console's time stamps have microseconds, as /dev/kmsg's have.
    return round(record.seconds * 1e6), record.text.partition("\n")[0].rstrip()
