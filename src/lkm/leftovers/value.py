# SPDX-License-Identifier: MIT
"""What a module can leave behind, as values, and what forgot it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is still there after unloading."""

    TIMER = "timer"
    HIGH_RESOLUTION_TIMER = "high-resolution-timer"
    DELAYED_WORK = "delayed-work"
    WORK = "work"
    KERNEL_THREAD = "kernel-thread"
    KPROBE = "kprobe"
    INTERRUPT = "interrupt"
    PROC = "proc"
    SYSCTL = "sysctl"
    SYSFS = "sysfs"
    DEBUGFS = "debugfs"
    DEVICE_NUMBER = "device-number"
    CHARACTER_DEVICE = "character-device"
    BLOCK_DEVICE = "block-device"
    MISC_DEVICE = "misc-device"
    NETWORK_DEVICE = "network-device"
    PROTOCOL = "protocol"
    FILESYSTEM = "filesystem"
    WORKQUEUE = "workqueue"
    IO_PORTS = "io-ports"
    IO_MEMORY = "io-memory"
    CIPHER = "cipher"
    SLAB_CACHE = "slab-cache"
    REFERENCE = "reference"
    POINTER = "pointer"


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing still there after unloading.

    `name`: the kernel's name for it (`/proc/hello`, `hello_tick`).  `cause`: what usually forgot it, the
    call that is missing; "" where none is known.  `detail`: more about it, or "".
    """

    kind: Kind
    name: str
    detail: str = ""

    @property
    def cause(self) -> str:
        """The call that undoes it and is missing in the exit function."""
        return _SAID[self.kind][1]

    @property
    def text(self) -> str:
        """One plain sentence: what is still there, and what is missing in the module."""
        said, call = _SAID[self.kind]
        text = said.format(name=self.name)
        more = f" ({self.detail})" if self.detail else ""
        return f"{text}{more}: {call} is missing in the exit function" if call else f"{text}{more}"


_SAID = {
    Kind.TIMER: (
        "the timer with {name}() is still pending",
        "timer_delete_sync() (del_timer_sync() before 6.2)",
    ),
    Kind.HIGH_RESOLUTION_TIMER: ("the hrtimer with {name}() is still pending", "hrtimer_cancel()"),
    Kind.DELAYED_WORK: ("the delayed work {name}() still waits for its time", "cancel_delayed_work_sync()"),
    Kind.WORK: ("the work {name}() is still queued or running", "cancel_work_sync()"),
    Kind.KERNEL_THREAD: ("the kernel thread {name} still runs", "kthread_stop()"),
    Kind.KPROBE: ("the probe on {name} is still there", "unregister_kprobe()"),
    Kind.INTERRUPT: ("the handler of interrupt {name} is still there", "free_irq()"),
    Kind.PROC: ("{name} is still there", "proc_remove() or remove_proc_entry()"),
    Kind.SYSCTL: ("{name} is still there", "unregister_sysctl_table()"),
    Kind.SYSFS: (
        "{name} is still there",
        "what undoes its registration (device_destroy(), kobject_put(), …)",
    ),
    Kind.DEBUGFS: ("{name} is still there", "debugfs_remove()"),
    Kind.DEVICE_NUMBER: ("the device number {name} is still taken", "unregister_chrdev_region()"),
    Kind.CHARACTER_DEVICE: ("the character device {name} is still there", "cdev_del()"),
    Kind.BLOCK_DEVICE: ("the block device number {name} is still taken", "unregister_blkdev()"),
    Kind.MISC_DEVICE: ("the misc device {name} is still there", "misc_deregister()"),
    Kind.NETWORK_DEVICE: ("the network device {name} is still there", "unregister_netdev()"),
    Kind.PROTOCOL: ("the network protocol {name} is still there", "proto_unregister()"),
    Kind.FILESYSTEM: ("the filesystem {name} is still there", "unregister_filesystem()"),
    Kind.WORKQUEUE: ("the workqueue {name} is still there", "destroy_workqueue()"),
    Kind.IO_PORTS: ("the I/O ports {name} are still taken", "release_region()"),
    Kind.IO_MEMORY: ("the I/O memory {name} is still taken", "release_mem_region()"),
    Kind.CIPHER: ("the algorithm {name} is still there", "crypto_unregister_alg() or its like"),
    Kind.SLAB_CACHE: ("the slab cache {name} is still there", "kmem_cache_destroy()"),
    Kind.REFERENCE: ("a reference to the module {name} was not given back", "module_put() or symbol_put()"),
    Kind.POINTER: ("the kernel's {name} still points into the module", "what undoes its registration"),
}
