# SPDX-License-Identifier: MIT
"""Making a template: a boot, and what it left in memory and devices written down."""

from __future__ import annotations

import errno
import os
import select
import time
from io import FileIO
from pathlib import Path

from lkm.errors import MissingError, OutOfTimeError
from lkm.guest.boot import start_boot
from lkm.guest.machine import Machine
from lkm.guest.template import data_ranges
from lkm.guest.vm import Vm
from lkm.kernel import Kernel

_PIECE = 65536  # bytes that are a hole in `mem` where all of them are zero
_SAVE_TIMEOUT = 30.0  # seconds; it takes 15 ms


def boot_and_save(kernel: Kernel, machine: Machine, cmdline: str, part: Path) -> None:
    """Boots in memory that is ours alone, then writes it out: faster than booting in a file, and a full disk
    is an error here and not a signal there."""
    memory = os.memfd_create("lkm-mem", os.MFD_CLOEXEC)
    try:
        words = f"memory-backend-file,mem-path=/proc/self/fd/{memory},share=on"
        with start_boot(kernel, machine, words, cmdline, fds=[memory], saved=True) as vm:
            (part / "state").write_bytes(save(vm))  # it stands still from here on, and is killed
        _copy_sparse(memory, part / "mem")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MissingError(
                "no space left on the disk for a saved guest", hint="df -h; lkm doctor"
            ) from error
        raise
    finally:
        os.close(memory)


def _copy_sparse(source: int, target: Path) -> None:
    """Copies what is not zero."""
    size = os.fstat(source).st_size
    zeros = bytes(_PIECE)
    with target.open("xb", buffering=0) as stream:
        stream.truncate(size)
        for start, end in data_ranges(source, size):
            for at in range(start, end, _PIECE):
                piece = os.pread(source, min(_PIECE, end - at), at)
                if piece != zeros:
                    os.pwrite(stream.fileno(), piece, at)


def save(vm: Vm) -> bytes:
    """The devices' state of a running guest, which is stopped; its memory stays in its file.

    Through a pipe: QEMU's `fd:` is meant for pipes and sockets, `file:` is there since 8.2 only, and `exec:`
    is a shell, which the sandbox forbids.
    """
    capability = {"capability": "x-ignore-shared", "state": True}
    vm.qmp.call("migrate-set-capabilities", capabilities=[capability])
    ours, theirs = os.pipe()
    # No `stop` before: the state would say `paused`, and a clone would have to be told to go on.
    vm.qmp.call("getfd", fd=theirs, fdname="state")
    os.close(theirs)
    with FileIO(ours) as stream:
        vm.qmp.call("migrate", uri="fd:state")
        state = _read_all(stream, time.monotonic() + _SAVE_TIMEOUT)
    until = time.monotonic() + _SAVE_TIMEOUT
    while (status := vm.qmp.call("query-migrate").get("status")) != "completed":
        if status == "failed" or time.monotonic() > until:
            raise MissingError(f"QEMU could not save the guest: {vm.errors()}", hint="lkm doctor")
        time.sleep(0.002)
    return state


def _read_all(stream: FileIO, until: float) -> bytes:
    data = bytearray()
    while select.select([stream], [], [], max(until - time.monotonic(), 0))[0]:
        piece = stream.read(1 << 20)
        if not piece:
            return bytes(data)
        data += piece
    raise OutOfTimeError(f"QEMU did not save the guest within {_SAVE_TIMEOUT:g} s")
