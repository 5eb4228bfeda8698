# SPDX-License-Identifier: MIT
"""One boot, watched: the host's clock as the processor comes to each place, and what the kernel said.

The machine is stopped at breakpoints in QEMU's gdb stub, which change nothing in the guest's memory.  While
it stands its clock stands too, so only the time it ran counts: QEMU's monitor says when it stopped and went
on (the events STOP and RESUME), however late we hear of it.  What remains: QEMU forgets the code it has
translated at each breakpoint (gdbstub, gdb_vm_state_change: tb_flush), and translates it again; not at a
watchpoint, so the levels are seen as the kernel reads the first entry of each in the table of initcalls.
Only the next two places are watched at a time: code in the page of one runs slowly until it is reached.
"""

from __future__ import annotations

import os
import select
import struct
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.boot.points import Points
from lkm.boot.stages import INITRAMFS, INITRAMFS_END, STAGES
from lkm.errors import GuestLostError, OutOfTimeError
from lkm.guest.agent import build_agent
from lkm.guest.boot import build_initramfs
from lkm.guest.channel import Say
from lkm.guest.ending import find_end
from lkm.guest.gdb.stub import RIP, Stub, connect_stub
from lkm.guest.machine import Machine, build_command_line
from lkm.guest.value import Detail, End, Ending
from lkm.guest.vm import Vm
from lkm.kernel.setup_header import SetupHeader
from lkm.klog import Record, parse_console, parse_kmsg

if TYPE_CHECKING:
    from lkm.kernel import Kernel

_SETUP, _DECOMPRESSOR = 0x10200, 0x100000  # QEMU's hw/i386/x86.c (x86_load_linux), pc-bios/optionrom
NOTHING = frozenset({""})  # `only`: no place at all
_AHEAD = 2  # places watched at a time
_BEFORE_ASIDE = "level rootfs"  # what starts the unpacking of the initramfs
_ANSWER = 10.0  # seconds the monitor may take
_LOOK = 0.02  # seconds between looks at the agent's channel, and the end of the last stage's precision
_FIRMWARE_PORT = 0x402  # where SeaBIOS writes what it does
_DO_NOT_SETTLE = "lkm_clock=first"  # agent.c, settle(): that a better clock is waited for is for templates
_HALTED = b"-- System halted"  # arch/x86/boot/compressed/error.c


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be booted, and on what.  `initramfs`: unpacked before the guest's own, whose /init runs."""

    kernel: Kernel
    image: Path
    machine: Machine
    cmdline: str = ""
    initramfs: Path | None = None
    timeout: float = 120.0


@dataclass(slots=True)
class Watched:
    """What was seen: `marks`: seconds since power-on by the name of the place (`Stage.begins`).

    `ready`: when the agent said so, None where it did not: `ending` says how it ended.  `firmware`: what the
    firmware wrote.  `seconds`: how long it was watched.  `records`: the
    kernel's, of the console alone where it did not come up.  `words`: its command line.
    """

    marks: dict[str, float] = field(default_factory=dict)
    ready: float | None = None
    seconds: float = 0.0
    ending: Ending | None = None
    records: list[Record] = field(default_factory=list)
    firmware: str = ""
    words: str = ""


def watch(
    ask: Ask, points: Points, header: SetupHeader | None, *, more: str = "", only: Collection[str] = ()
) -> Watched:
    """Boots it, with `more` words on the command line; never raises for a kernel that does not come up.

    `only`: the places to watch, of all that are known.  Without `points` and `header` only the end is seen.
    Raises `MissingError` where QEMU cannot be started.
    """
    places = [place for place in find_places(points, header) if not only or place[0] in only]
    seen = Watched()
    words = build_command_line(ask.machine, f"{ask.cmdline} {more} {_DO_NOT_SETTLE}")
    seen.words = words
    with _start(ask, words) as (vm, firmware):
        follow = _Follow(vm, places, seen)
        try:
            follow.run(time.monotonic() + ask.timeout)
        except GuestLostError:
            if vm.killed or (vm.errors() and not follow.began):
                raise vm.failure("boot") from None
            seen.ending = find_end(vm)
        seen.firmware = os.pread(firmware, 1 << 16, 0).decode("utf-8", "replace")
        if seen.ending is not None:
            seen.records = parse_console(vm.console())
    return seen


def find_places(points: Points, header: SetupHeader | None) -> list[tuple[str, int]]:
    """The places to watch in their order; those whose address is not known are left out."""
    own: dict[str, int] = {}
    if header is not None:
        own = {
            "@setup": _SETUP,
            "@decompressor": _DECOMPRESSOR,
            "@entry": points.entry or header.preferred_address,
        }
    (own["@agent"],) = struct.unpack_from("<Q", build_agent().read_bytes(), 24)  # e_entry
    found = [(stage.begins, own.get(stage.begins) or points.address(stage.begins)) for stage in STAGES]
    found += [(name, points.address(name)) for name in (INITRAMFS.begins, INITRAMFS_END)]
    return [(name, address) for name, address in found if address is not None]


@contextmanager
def _start(ask: Ask, words: str) -> Iterator[tuple[Vm, int]]:
    """A machine that is switched on and stands before its first instruction."""
    packed = ask.initramfs.read_bytes() if ask.initramfs is not None else b""
    initramfs = os.memfd_create("lkm-initramfs", os.MFD_CLOEXEC)
    firmware = os.memfd_create("lkm-firmware", os.MFD_CLOEXEC)
    try:
        with open(initramfs, "wb", closefd=False) as stream:
            # The kernel unpacks one archive after the other; a later file takes an earlier one's place.
            stream.write(packed + bytes(-len(packed) % 4) + build_initramfs())
        more = ["-S", "-kernel", str(ask.image), "-initrd", f"/proc/self/fd/{initramfs}", "-append", words]
        more += ["-chardev", f"file,id=firmware,path=/proc/self/fd/{firmware}"]
        more += ["-device", f"isa-debugcon,iobase={_FIRMWARE_PORT:#x},chardev=firmware"]
        vm = Vm(ask.machine, "memory-backend-ram", *more, fds=[initramfs, firmware])
        try:
            yield vm, firmware
        finally:
            vm.close()
    finally:
        os.close(initramfs)
        os.close(firmware)


class _Follow:
    """Goes with a boot from place to place."""

    def __init__(self, vm: Vm, places: Sequence[tuple[str, int]], seen: Watched) -> None:
        self._vm = vm
        self._seen = seen
        aside = (INITRAMFS.begins, INITRAMFS_END)
        self._queue = [place for place in places if place[0] not in aside]
        self._aside = {name: address for name, address in places if name in aside}
        if not any(name == _BEFORE_ASIDE for name, _ in places) and aside[0] in self._aside:
            self._queue.insert(0, (aside[0], self._aside.pop(aside[0])))
        self._set: list[tuple[str, int]] = []  # the places watched now
        self._ran = 0.0  # seconds, up to the last stop
        self._resumed = 0.0  # when it went on, by QEMU's clock
        self._events = 0  # of the monitor's, that were looked at
        self.began = False

    def run(self, until: float) -> None:
        """Lets it boot until it is ready, ended, or time is up."""
        self._vm.channel.wake()
        try:
            stub = Stub(connect_stub(self._vm.qmp))
        except (GuestLostError, OutOfTimeError):
            raise self._vm.failure("start") from None
        try:
            self._look_ahead(stub)
            self.began = True
            stub.run()
            self._resumed = self._event("RESUME")
            while self._seen.ready is None:
                if time.monotonic() >= until:
                    self._seen.ending = Ending(End.HANG)
                    return
                if not self._set:
                    self._listen(time.monotonic() + 0.5)
                else:
                    self._go(stub)
                if self._vm.console().rstrip().endswith(_HALTED):
                    self._seen.ending = Ending(End.POWERED_OFF, Detail.HALTED)
                    return
        finally:
            self._seen.seconds = self._ran + time.time() - self._resumed if self._resumed else 0.0
            stub.close()

    def _go(self, stub: Stub) -> None:
        """To the next place, or for a little while."""
        try:
            stub.wait_stop(time.monotonic() + _LOOK)
        except OutOfTimeError:
            self._listen(0.0)
            return
        self._ran += self._event("STOP") - self._resumed
        # In 16-bit code the register counts from the segment's beginning: it is none of the others then.
        at = stub.watched if stub.watched is not None else stub.register(RIP)
        name, address = next((one for one in self._set if one[1] == at), self._set[0])
        self._seen.marks[name] = self._ran
        self._reached(stub, name, address)
        self._look_ahead(stub)
        if self._set:
            stub.run()
        else:
            stub.detach()
        self._resumed = self._event("RESUME")

    def _event(self, name: str) -> float:
        """When the next such event was, which has come or will at once, in seconds since 1970."""
        until = time.monotonic() + _ANSWER
        while time.monotonic() < until:
            for event in self._vm.qmp.events[self._events :]:
                self._events += 1
                if event["event"] == name:
                    stamp = event["timestamp"]
                    return float(stamp["seconds"]) + float(stamp["microseconds"]) / 1e6
            select.select([self._vm.qmp], [], [], 0.1)
            self._vm.qmp.receive()
        raise OutOfTimeError("QEMU's monitor does not answer")

    def _reached(self, stub: Stub, name: str, address: int) -> None:
        """Takes the breakpoint out, and those of places that were passed by."""
        _place(stub, (name, address), there=False)
        self._set.remove((name, address))
        if name in (INITRAMFS.begins, INITRAMFS_END):
            self._add_aside(stub, INITRAMFS_END)
            return
        order = [stage.begins for stage in STAGES]
        for other in [*self._set]:
            if other[0] in order and order.index(other[0]) < order.index(name):
                _place(stub, other, there=False)
                self._set.remove(other)
        if name == _BEFORE_ASIDE:
            self._add_aside(stub, INITRAMFS.begins)

    def _add_aside(self, stub: Stub, name: str) -> None:
        address = self._aside.pop(name, None)
        if address is not None:
            stub.set_breakpoint(address)
            self._set.append((name, address))

    def _look_ahead(self, stub: Stub) -> None:
        watched = sum(1 for name, _ in self._set if name not in (INITRAMFS.begins, INITRAMFS_END))
        while watched < _AHEAD and self._queue:
            place = self._queue.pop(0)
            if any(place[1] == address for _, address in self._set):
                continue
            _place(stub, place)
            self._set.append(place)
            watched += 1

    def _listen(self, until: float) -> None:
        """Takes what the agent has said."""
        while (frame := self._vm.next_frame(until)) is not None:
            if frame.type == Say.LOG:
                with suppress(ValueError):
                    self._seen.records.append(parse_kmsg(frame.body))
            elif frame.type == Say.READY:
                self._seen.ready = self._ran + time.time() - self._resumed
                return


def _place(stub: Stub, place: tuple[str, int], *, there: bool = True) -> None:
    """Has the guest stop there, or not any more: at a function, or as a level's first entry is read."""
    if place[0].startswith("level "):
        stub.set_watchpoint(place[1], there=there)
    else:
        stub.set_breakpoint(place[1], there=there)
