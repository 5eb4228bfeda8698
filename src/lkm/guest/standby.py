# SPDX-License-Identifier: MIT
"""Standbys: clones restored, warmed up and paused ahead of time, so that a run starts at once."""

from __future__ import annotations

import struct
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lkm.errors import LkmError
from lkm.guest.channel import Ask
from lkm.guest.guest import Guest
from lkm.guest.session import Session
from lkm.guest.start import Settings, start_vm
from lkm.guest.vm import Vm
from lkm.kernel.find import given_kernel
from lkm.klog import Record

if TYPE_CHECKING:
    from lkm.kernel import Kernel

# Small modules without dependencies, devices or messages, that most distributions have.
_WARM = ("crc7", "crc8", "ts_kmp", "ts_fsm", "cordic", "libcrc32c")
_PATIENCE = 10.0  # seconds for a step of warming up


class Standby:
    """A guest of `kernel` made ready ahead: `start` (or `with`), then `take` gives it away, once.

    What it was warmed up with is one of the kernel's own modules, loaded and unloaded again: QEMU has then
    translated the kernel's code for that.  The guest's log starts after it; an oops may name it as the
    module unloaded last.
    """

    def __init__(
        self,
        kernel: Kernel | str | None = None,
        *,
        memory: int = 256,
        cpus: int = 1,
        cmdline: str = "",
        accelerator: str | None = None,
    ) -> None:
        self.kernel = kernel = given_kernel(kernel)
        self._settings = Settings(kernel, memory, cpus, cmdline, True, accelerator)
        self._vm: Vm | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        """Whether it waits to be taken."""
        return self._vm is not None and self._vm.alive

    def start(self) -> None:
        """Makes it ready; raises what `Guest.start` raises."""
        if self._vm is not None:
            return
        vm = start_vm(self._settings)
        try:
            _warm_up(Session(vm, _PATIENCE, None), self.kernel)
            vm.qmp.call("stop")
        except BaseException:
            vm.close()
            raise
        self._vm = vm

    def take(self, *, timeout: float = 30.0, on_record: Callable[[Record], None] | None = None) -> Guest:
        """The guest, running; it is the caller's to close.  Made now where it was not ready.

        `timeout` and `on_record` are those of `Guest`.
        """
        self.start()
        vm, self._vm = self._vm, None
        assert vm is not None
        while vm.channel.take() is not None:
            pass
        vm.forget_console()
        vm.channel.wake()
        vm.qmp.send("cont")
        guest = Guest(
            self.kernel,
            memory=self._settings.memory,
            cpus=self._settings.cpus,
            cmdline=self._settings.cmdline,
            accelerator=vm.machine.accelerator,
            timeout=timeout,
            on_record=on_record,
        )
        guest.adopt(Session(vm, timeout, on_record))
        return guest

    def close(self) -> None:
        """Ends it where nobody took it."""
        if self._vm is not None:
            self._vm.close()
            self._vm = None


def _warm_up(session: Session, kernel: Kernel) -> None:
    image = _find_warm(kernel)
    if image is not None:
        name, data = image
        session.call(Ask.LOAD, struct.pack("<II", 1, 0) + bytes(8), data)
        session.call(Ask.PARAMETERS, name.encode() + b"\0")
        session.call(Ask.UNLOAD, struct.pack("<II", 0, 0), name.encode() + b"\0")
    session.call(Ask.PING)


def _find_warm(kernel: Kernel) -> tuple[str, bytes] | None:
    from lkm.modtree import find_module
    from lkm.module.file import read_module_bytes

    if kernel.modules is None:
        return None
    for name in _WARM:
        path = find_module(kernel.modules, name)
        if path is not None:
            try:
                return name, read_module_bytes(path)
            except LkmError:
                continue
    return None
