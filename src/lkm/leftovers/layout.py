# SPDX-License-Identifier: MIT
"""Where a kernel keeps what: addresses of its variables and offsets in its structures, found out once."""

from __future__ import annotations

import json
import os
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.errors import LkmError
from lkm.paths import cache_dir, make_dir

if TYPE_CHECKING:
    from lkm.kernel import Kernel

_FORMAT = 1
VARIABLES = (
    "__bss_start", "__bss_stop", "__per_cpu_offset", "_edata", "_sdata", "cdev_map", "chrdevs",
    "crypto_alg_list", "cur_orc_ip_table", "cur_orc_table", "debugfs_mount", "delayed_work_timer_fn",
    "file_systems", "hrtimer_bases", "init_net",
    "init_task", "init_top_pgt", "iomem_resource", "ioport_resource", "kprobe_table", "major_names",
    "misc_list", "mod_tree", "modules", "pcpu_chunk_lists", "pcpu_nr_slots", "phys_base", "proc_root",
    "proto_list", "slab_caches", "sysctl_table_root", "sysfs_root", "timer_bases", "workqueues",
    "worker_pool_idr",
)  # fmt: skip
STRUCTURES = (
    "blk_major_name", "cdev", "char_device_struct", "crypto_alg", "ctl_dir", "ctl_node", "ctl_table",
    "ctl_table_header", "ctl_table_root", "ctl_table_set", "delayed_work", "dentry", "file_system_type",
    "hrtimer", "hrtimer_clock_base", "hrtimer_cpu_base", "hrtimer_cpu_base.clock_base", "idr", "kernfs_node",
    "kernfs_root", "kmem_cache", "kobj_map", "kobj_map.probes", "kprobe", "kthread", "list_head",
    "miscdevice", "mod_kallsyms", "module", "module_layout", "module_memory", "net", "net_device",
    "pcpu_chunk", "proc_dir_entry", "proto", "qstr", "rb_node", "rb_root", "rb_root_cached", "resource",
    "task_struct", "timer_base", "timer_list", "timerqueue_head", "timerqueue_node", "vfsmount",
    "work_struct", "worker", "worker_pool", "workqueue_struct", "xa_node", "xarray",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """`addresses` of variables as linked; `members`: by structure, the offset of each member, `""` its size.

    What this kernel has not is not there: who asks for it gets a KeyError, and leaves that out.
    """

    addresses: dict[str, int]
    members: dict[str, dict[str, int]]

    def offset(self, structure: str, member: str) -> int:
        """Bytes from the start of a structure to a member."""
        return self.members[structure][member]

    def has(self, structure: str, member: str) -> bool:
        """Whether this kernel's structure has such a member."""
        return member in self.members.get(structure, ())


def find_layout(kernel: Kernel) -> Layout | None:
    """The layout of `kernel`: kept in the cache, else read from its image; None where that has no types.

    It is about one second's work, once a kernel.
    """
    path = _file(kernel)
    if path is None:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_bytes())
        return Layout(kept["addresses"], kept["members"]) if kept["members"] else None
    try:
        layout = read_layout(kernel)
    except LkmError:
        return None
    with suppress(OSError, LkmError):
        make_dir(path.parent)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(json.dumps({"addresses": layout.addresses, "members": layout.members}))
        part.rename(path)
    return layout if layout.members else None


def read_layout(kernel: Kernel) -> Layout:
    """The layout as the kernel's image has it; without members where it carries no types or no symbols.

    Raises `BadInputError` for a damaged image.
    """
    from lkm.elf import parse_elf
    from lkm.kernel.image import unpack_image
    from lkm.kernel.kallsyms import read_kallsyms
    from lkm.leftovers.types import find_members

    data = unpack_image(kernel.image) if kernel.image else None
    if not data or kernel.arch != "x86_64":
        return Layout({}, {})
    elf = parse_elf(data, name="vmlinux")
    section = elf.find_section(".BTF")
    symbols = read_kallsyms(data) if section is not None else None
    if section is None or not symbols:
        return Layout({}, {})
    members = find_members(elf.read_section(section), STRUCTURES)
    wanted = frozenset(VARIABLES)
    return Layout({one.name: one.address for one in symbols if one.name in wanted}, members)


def _file(kernel: Kernel) -> Path | None:
    if kernel.image is None:
        return None
    try:
        about = kernel.image.stat()
    except OSError:
        return None
    what = f"{_FORMAT} {VARIABLES} {STRUCTURES} {kernel.image.resolve()} {about.st_size} {about.st_mtime_ns}"
    release = re.sub(r"[^\w.+-]", "_", kernel.release)
    return cache_dir() / "leftovers" / f"{release}-{zlib.crc32(what.encode()):08x}.json"
