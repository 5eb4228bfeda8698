# SPDX-License-Identifier: MIT
"""What is registered with a guest's kernel, read from its memory: one function for each kind of thing.

Each yields names.  One whose variable or member this kernel has not raises KeyError: not looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from lkm.leftovers.layout import Layout
from lkm.leftovers.memory import Memory, Unreadable
from lkm.leftovers.value import Kind
from lkm.leftovers.walk import walk_chain, walk_list, walk_tree

Source = Callable[[Memory, Layout], Iterator[str]]

_DIRECTORY = 0o040000
_KTHREAD, _WQ_WORKER = 0x200000, 0x20  # include/linux/sched.h
_DEEPEST = 16


def read_proc(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc without processes and /proc/sys (fs/proc/generic.c: `proc_root`, and the network's own tree)."""
    yield from _proc_below(memory, layout, layout.addresses["proc_root"], "/proc", 0)
    net = memory.u64(layout.addresses["init_net"] + layout.offset("net", "proc_net"))
    if net:
        yield from _proc_below(memory, layout, net, "/proc/net", 0)


def _proc_below(memory: Memory, layout: Layout, entry: int, path: str, depth: int) -> Iterator[str]:
    place = layout.members["proc_dir_entry"]
    node_at, name_at, mode_at, subdir_at = (place[one] for one in ("subdir_node", "name", "mode", "subdir"))
    for node in walk_tree(memory, entry + subdir_at):
        one = node - node_at
        name = f"{path}/{memory.text(memory.u64(one + name_at))}"
        yield name
        if memory.u32(one + mode_at) & 0o170000 == _DIRECTORY and depth < _DEEPEST:
            yield from _proc_below(memory, layout, one, name, depth + 1)


def read_sysctl(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/sys: directories, and the first entry of each table (fs/proc/proc_sysctl.c)."""
    root = layout.addresses["sysctl_table_root"] + layout.offset("ctl_table_root", "default_set")
    yield from _sysctl_below(memory, layout, root + layout.offset("ctl_table_set", "dir"), "/proc/sys")


def _sysctl_below(memory: Memory, layout: Layout, directory: int, path: str, depth: int = 0) -> Iterator[str]:
    node_at, header_at = layout.offset("ctl_node", "node"), layout.offset("ctl_node", "header")
    table_at, mode_at = layout.offset("ctl_table_header", "ctl_table"), layout.offset("ctl_table", "mode")
    seen = set()
    for at in walk_tree(memory, directory + layout.offset("ctl_dir", "root")):
        header = memory.u64(at - node_at + header_at)
        if header in seen:
            continue
        seen.add(header)
        row = memory.u64(header + table_at)
        text = memory.u64(row)
        if not text:
            continue
        name = f"{path}/{memory.text(text)}"
        yield name
        if memory.u32(row + mode_at) & 0o170000 == _DIRECTORY and depth < _DEEPEST:
            yield from _sysctl_below(memory, layout, header, name, depth + 1)


def read_debugfs(memory: Memory, layout: Layout) -> Iterator[str]:
    """The first two levels of debugfs (fs/debugfs/inode.c: `debugfs_mount`)."""
    mount = memory.u64(layout.addresses["debugfs_mount"])
    if not mount:
        return
    root = memory.u64(mount + layout.offset("vfsmount", "mnt_root"))
    for name, entry in _dentries(memory, layout, root):
        yield f"/sys/kernel/debug/{name}"
        for below, _ in _dentries(memory, layout, entry):
            yield f"/sys/kernel/debug/{name}/{below}"


def _dentries(memory: Memory, layout: Layout, parent: int) -> Iterator[tuple[str, int]]:
    place = layout.members["dentry"]
    text_at = (place["d_name"] if "d_name" in place else place["__d_name"]) + layout.offset("qstr", "name")
    if "d_subdirs" in place:  # up to 6.7
        found = walk_list(memory, parent + place["d_subdirs"], place["d_child"])
    else:
        found = (
            one - place["d_sib"] for one in walk_chain(memory, memory.u64(parent + place["d_children"]), 0)
        )
    for entry in found:
        # Without an inode it is a name that is known not to be there; unhashed, it was taken away.
        if memory.u64(entry + place["d_inode"]) and memory.u64(entry + place["d_hash"] + 8):
            yield memory.text(memory.u64(entry + text_at)), entry


def read_device_numbers(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/devices, character devices (fs/char_dev.c: `chrdevs`)."""
    place = layout.members["char_device_struct"]
    for head in _words(memory, layout.addresses["chrdevs"], 255):
        for one in walk_chain(memory, head, place["next"]):
            major, first, count = struct.unpack("<IIi", memory.read(one + place["major"], 12))
            last = f"-{first + count - 1}" if count > 1 else ""
            yield f"{major}:{first}{last} '{memory.text(one + place['name'], 64)}'"


def read_cdevs(memory: Memory, layout: Layout) -> Iterator[str]:
    """What was added by cdev_add() (fs/char_dev.c: `cdev_map`)."""
    place = layout.members["kobj_map.probes"]
    for head in _words(memory, memory.u64(layout.addresses["cdev_map"]), 255):
        for one in walk_chain(memory, head, place["next"]):
            device = memory.u32(one + place["dev"])
            if memory.u64(one + place["data"]):
                yield f"{device >> 20}:{device & 0xFFFFF}"


def read_block_numbers(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/devices, block devices (block/genhd.c: `major_names`)."""
    place = layout.members["blk_major_name"]
    for head in _words(memory, layout.addresses["major_names"], 255):
        for one in walk_chain(memory, head, place["next"]):
            yield f"{memory.u32(one + place['major'])} '{memory.text(one + place['name'], 16)}'"


def read_misc_devices(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/misc (drivers/char/misc.c: `misc_list`)."""
    place = layout.members["miscdevice"]
    for one in walk_list(memory, layout.addresses["misc_list"], place["list"]):
        yield memory.text(memory.u64(one + place["name"]))


def read_filesystems(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/filesystems (fs/filesystems.c: `file_systems`)."""
    place = layout.members["file_system_type"]
    head = layout.addresses["file_systems"]
    link = place["next"] if "next" in place else place["list"]
    at = memory.u64(head)
    inside = 0 if "next" in place else link  # a list links its links, a chain what they lie in
    for _ in range(1000):
        if at in (0, head):
            return
        yield memory.text(memory.u64(at - inside + place["name"]))
        at = memory.u64(at - inside + link)


def read_threads(memory: Memory, layout: Layout) -> Iterator[str]:
    """Kernel threads, but those that serve work queues, which come and go: `comm (pid 12)`."""
    for task in walk_tasks(memory, layout):
        flags = memory.u32(task + layout.offset("task_struct", "flags"))
        if flags & _KTHREAD and not flags & _WQ_WORKER:
            yield thread_name(memory, layout, task)


def walk_tasks(memory: Memory, layout: Layout) -> Iterator[int]:
    """All processes' `struct task_struct` (kernel/fork.c, from `init_task`)."""
    tasks = layout.offset("task_struct", "tasks")
    yield from walk_list(memory, layout.addresses["init_task"] + tasks, tasks)


def thread_name(memory: Memory, layout: Layout, task: int) -> str:
    """`comm (pid 12)`."""
    comm = memory.text(task + layout.offset("task_struct", "comm"), 16)
    return f"{comm} (pid {memory.u32(task + layout.offset('task_struct', 'pid'))})"


def read_net_devices(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/net/dev (include/net/net_namespace.h: `init_net.dev_base_head`)."""
    place = layout.members["net_device"]
    head = layout.addresses["init_net"] + layout.offset("net", "dev_base_head")
    for one in walk_list(memory, head, place["dev_list"]):
        yield memory.text(one + place["name"], 16)


def read_protocols(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/net/protocols (net/core/sock.c: `proto_list`)."""
    place = layout.members["proto"]
    for one in walk_list(memory, layout.addresses["proto_list"], place["node"]):
        yield memory.text(one + place["name"], 32)


def read_workqueues(memory: Memory, layout: Layout) -> Iterator[str]:
    """kernel/workqueue.c: `workqueues`."""
    place = layout.members["workqueue_struct"]
    for one in walk_list(memory, layout.addresses["workqueues"], place["list"]):
        yield memory.text(one + place["name"], 32)


def read_ports(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/ioports (kernel/resource.c: `ioport_resource`)."""
    yield from _resources(memory, layout, layout.addresses["ioport_resource"], 4)


def read_io_memory(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/iomem (kernel/resource.c: `iomem_resource`)."""
    yield from _resources(memory, layout, layout.addresses["iomem_resource"], 8)


def _resources(memory: Memory, layout: Layout, root: int, digits: int) -> Iterator[str]:
    place = layout.members["resource"]
    waiting = [memory.u64(root + place["child"])]
    for _ in range(5000):
        if not waiting:
            return
        one = waiting.pop()
        if not one:
            continue
        low, high = memory.u64(one + place["start"]), memory.u64(one + place["end"])
        name = memory.u64(one + place["name"])
        try:
            text = memory.text(name) if name else ""
        except Unreadable:  # the name lay in the module
            text = "?"
        yield f"{low:0{digits}x}-{high:0{digits}x} '{text}'"
        waiting += (memory.u64(one + place["sibling"]), memory.u64(one + place["child"]))


def read_ciphers(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/crypto (crypto/api.c: `crypto_alg_list`)."""
    place = layout.members["crypto_alg"]
    for one in walk_list(memory, layout.addresses["crypto_alg_list"], place["cra_list"]):
        yield memory.text(one + place["cra_driver_name"], 128)


def read_slab_caches(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/slabinfo (mm/slab_common.c: `slab_caches`)."""
    place = layout.members["kmem_cache"]
    for one in walk_list(memory, layout.addresses["slab_caches"], place["list"]):
        yield memory.text(memory.u64(one + place["name"]))


def read_references(memory: Memory, layout: Layout) -> Iterator[str]:
    """/proc/modules: each module with how often it is used."""
    place = layout.members["module"]
    for one in walk_list(memory, layout.addresses["modules"], place["list"]):
        count = memory.u32(one + place["refcnt"]) - 1  # MODULE_REF_BASE, which loading takes
        yield f"{memory.text(one + place['name'], 56)} {count}"


def _words(memory: Memory, address: int, count: int) -> Iterator[int]:
    """The pointers in an array that are not null."""
    for word in struct.unpack(f"<{count}Q", memory.read(address, 8 * count)):
        if word:
            yield word


SOURCES: dict[Kind, Source] = {
    Kind.PROC: read_proc,
    Kind.SYSCTL: read_sysctl,
    Kind.DEBUGFS: read_debugfs,
    Kind.DEVICE_NUMBER: read_device_numbers,
    Kind.CHARACTER_DEVICE: read_cdevs,
    Kind.BLOCK_DEVICE: read_block_numbers,
    Kind.MISC_DEVICE: read_misc_devices,
    Kind.FILESYSTEM: read_filesystems,
    Kind.KERNEL_THREAD: read_threads,
    Kind.NETWORK_DEVICE: read_net_devices,
    Kind.PROTOCOL: read_protocols,
    Kind.WORKQUEUE: read_workqueues,
    Kind.IO_PORTS: read_ports,
    Kind.IO_MEMORY: read_io_memory,
    Kind.CIPHER: read_ciphers,
    Kind.SLAB_CACHE: read_slab_caches,
    Kind.REFERENCE: read_references,
}
