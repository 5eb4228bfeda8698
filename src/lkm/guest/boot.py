# SPDX-License-Identifier: MIT
"""Booting a guest: the kernel's image, the initramfs, and the wait for the agent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lkm import process
from lkm.errors import BadInputError, GuestLostError
from lkm.guest.agent import build_agent
from lkm.guest.channel import Say
from lkm.guest.identity import find_busybox, find_image
from lkm.guest.initramfs import Entry, build_cpio, device, directory, file, link
from lkm.guest.machine import Machine, build_command_line
from lkm.guest.vm import Vm
from lkm.kernel.image import has_pvh_entry, unpack_image
from lkm.klog import log_text, parse_console

if TYPE_CHECKING:
    from lkm.kernel import Kernel

# For kernels without devtmpfs; others hide them behind it.  Documentation/admin-guide/devices.txt
_DEVICES = (
    ("console", (5, 1), 0o600),
    ("null", (1, 3), 0o666),
    ("mem", (1, 1), 0o600),
    ("kmsg", (1, 11), 0o600),
    ("urandom", (1, 9), 0o666),
    ("ptmx", (5, 2), 0o666),
)

BOOT_TIMEOUT = 120.0  # seconds; a big kernel under plain emulation on a busy machine


AGENT = "/lkm/agent"  # where the agent is in an initramfs that is not ours


def add_agent(initramfs: Path) -> bytes:
    """An initramfs of another's with the agent in it, as `AGENT`.

    The kernel unpacks one archive after another (Documentation/driver-api/early-userspace/buffer-format.rst);
    each begins at a multiple of four.
    """
    data = initramfs.read_bytes()
    agent = file(AGENT, build_agent().read_bytes(), 0o755)
    return data + bytes(-len(data) % 512) + build_cpio([agent])


def build_initramfs() -> bytes:
    """The guest's first file system: the agent as /init, busybox and its names where there is one."""
    entries: list[Entry] = [
        file("init", build_agent().read_bytes(), 0o755),
        *(directory(name) for name in ("proc", "sys", "dev", "run", "etc", "lib", "lib64", "usr/bin")),
        directory("tmp", 0o1777),
        directory("root", 0o700),
        *(device(f"dev/{name}", *number, mode) for name, number, mode in _DEVICES),
        file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        file("etc/group", b"root:x:0:\n"),
        file("etc/profile", b"export PS1='\\w # '\n"),
    ]
    busybox = find_busybox()
    if busybox is not None:
        entries.append(file("bin/busybox", busybox.read_bytes(), 0o755))
        for name in process.run([busybox, "--list"], timeout=20).stdout.split():
            entries.append(link(f"bin/{name}", "busybox"))
    return build_cpio(entries)


@contextmanager
def start_boot(
    kernel: Kernel,
    machine: Machine,
    memory: str,
    cmdline: str = "",
    *,
    fds: Sequence[int] = (),
    timeout: float = BOOT_TIMEOUT,
    saved: bool = False,
) -> Iterator[Vm]:
    """Boots `kernel` and gives the guest once its agent is ready; ends it with the block.

    `memory` describes QEMU's memory backend, `fds` are open files it is told of there.  `saved`: it will be
    a template, so that it comes to rest first.  Raises `BadInputError` where the kernel does not get as far
    as the agent, with the console's last lines.
    """
    vm = boot(kernel, machine, memory, cmdline, fds=fds, timeout=timeout, saved=saved)
    try:
        yield vm
    finally:
        vm.close()


def boot(
    kernel: Kernel,
    machine: Machine,
    memory: str,
    cmdline: str = "",
    *,
    fds: Sequence[int] = (),
    timeout: float = BOOT_TIMEOUT,
    initramfs: Path | None = None,
    saved: bool = False,
) -> Vm:
    """As `start_boot`; the caller closes it.

    `initramfs`: boots with this one in place of our own; `cmdline` must lead to `AGENT` in it.
    """
    image = find_image(kernel)
    words = build_command_line(machine, cmdline, saved=saved)
    with (
        _memory_file("lkm-initramfs", add_agent(initramfs) if initramfs else build_initramfs()) as first,
        # With an initramfs given, all is as a boot loader would have it: the image is not unpacked here.
        _boot_image(image, whole=initramfs is not None) as (kernel_fd, path),
    ):
        more = ["-kernel", path, "-initrd", f"/proc/self/fd/{first}", "-append", words]
        inherited = [*fds, first, *([kernel_fd] if kernel_fd is not None else [])]
        vm = Vm(machine, memory, *more, fds=inherited)
    try:
        vm.channel.wake()
        _wait_ready(vm, kernel, timeout)
    except BaseException:
        vm.close()
        raise
    return vm


@contextmanager
def _memory_file(name: str, data: bytes) -> Iterator[int]:
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _boot_image(image: Path, *, whole: bool = False) -> Iterator[tuple[int | None, str]]:
    """What `-kernel` is given: vmlinux, unpacked here so that no guest has to; or the image (`whole`)."""
    data = unpack_image(image) if not whole else None
    if data is None or not has_pvh_entry(data):
        yield None, str(image)
        return
    with _memory_file("lkm-vmlinux", data) as fd:
        yield fd, f"/proc/self/fd/{fd}"


def _wait_ready(vm: Vm, kernel: Kernel, timeout: float) -> None:
    until = time.monotonic() + timeout
    try:
        while True:
            frame = vm.next_frame(until)
            if frame is None:
                what = f"did not boot within {timeout:g} s"
                break
            if frame.type == Say.READY:
                return
    except GuestLostError:
        if not vm.console() or vm.errors() or vm.killed:
            raise vm.failure("start") from None
        what = "ended while it booted"
    last = log_text(parse_console(vm.console())[-8:]).rstrip()
    raise BadInputError(
        f"the guest of {kernel.name} {what}\n{last}", hint="lkm run --memory 1024; or another --kernel"
    )
