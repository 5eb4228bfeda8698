# SPDX-License-Identifier: MIT
"""Processors: /proc/cpuinfo, and /sys/devices/system/cpu (ABI/testing/sysfs-devices-system-cpu)."""

from __future__ import annotations

import os

from lkm.hardware.root import Root
from lkm.hardware.value import Cache, Cpu

_PLACE = "sys/devices/system/cpu"

# Flag of /proc/cpuinfo to what it means for kernel work (arch/x86/include/asm/cpufeatures.h,
# Documentation/arch/arm64/elf_hwcaps.rst).
_NOTABLE = {
    "vmx": "virtualization (Intel VT-x)",
    "svm": "virtualization (AMD-V)",
    "hypervisor": "runs in a virtual machine",
    "lm": "64 bit",
    "nx": "pages that are not executed",
    "smep": "the kernel executes no user page",
    "smap": "the kernel reads no user page by accident",
    "umip": "descriptor tables are hidden from programs",
    "la57": "5-level page tables",
    "pcid": "page tables are switched without flushing",
    "ibt": "indirect branch tracking",
    "user_shstk": "shadow stacks for programs",
    "constant_tsc": "the clock runs evenly",
    "x2apic": "x2APIC",
    "sme": "memory encryption",
    "sev": "encrypted virtual machines",
    "fsrm": "fast short copies",
    "atomics": "atomic instructions (LSE)",
    "paca": "pointer authentication",
    "bti": "branch target identification",
    "mte": "memory tagging",
    "sve": "scalable vectors",
}
# ARM's implementer codes that are often met (MIDR_EL1; arch/arm64/include/asm/cputype.h).
_IMPLEMENTERS = {
    "0x41": "ARM", "0x42": "Broadcom", "0x43": "Cavium", "0x46": "Fujitsu", "0x48": "HiSilicon",
    "0x4e": "NVIDIA", "0x51": "Qualcomm", "0x61": "Apple", "0x6d": "Microsoft", "0xc0": "Ampere",
}  # fmt: skip


def read_cpu(root: Root) -> Cpu:
    """The processors of a machine; what is not said is "" or 0."""
    text = root.read("proc/cpuinfo") or ""
    first, count = _first_processor(text)
    flags = (first.get("flags") or first.get("Features") or "").split()
    names = [name for name in root.list(_PLACE) if name.startswith("cpu") and name[3:].isdigit()]
    online = root.read(f"{_PLACE}/online") or ""
    cores, sockets = set(), set()
    for name in names:
        package = root.read(f"{_PLACE}/{name}/topology/physical_package_id")
        core = root.read(f"{_PLACE}/{name}/topology/core_id")
        if core is not None:
            sockets.add(package)
            # Numbers of cores may come again on another die; who shares a core is told without them.
            siblings = root.read(f"{_PLACE}/{name}/topology/thread_siblings_list")
            cores.add(siblings or f"{package} {core}")
    threads = count_list(online) or count
    return Cpu(
        arch=_arch(root, first, flags),
        model=first.get("model name") or first.get("cpu") or first.get("uarch") or _arm_model(first),
        vendor=first.get("vendor_id", "") or _IMPLEMENTERS.get(first.get("CPU implementer", ""), ""),
        threads=threads,
        cores=len(cores) or threads,
        sockets=len(sockets) or min(1, threads),
        online=online,
        possible=root.read(f"{_PLACE}/possible") or "",
        notable=tuple((flag, _NOTABLE[flag]) for flag in _NOTABLE if flag in flags),
        caches=_read_caches(root),
        weaknesses=tuple(
            (name, root.read(f"{_PLACE}/vulnerabilities/{name}") or "")
            for name in root.list(f"{_PLACE}/vulnerabilities")
        ),
    )


def count_list(text: str) -> int:
    """How many numbers a list of the kernel's has: `0-3,8` has five; 0 for what is no such list."""
    count = 0
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            return 0
        count += max(0, int(last or first) - int(first) + 1)
    return count


def _first_processor(text: str) -> tuple[dict[str, str], int]:
    """The first processor's fields, completed by what stands once for all (arm), and how many there are."""
    fields: dict[str, str] = {}
    count = 0
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if not colon:
            continue
        count += key.strip() == "processor"
        fields.setdefault(key.strip(), value.strip())
    return fields, count


def _arm_model(fields: dict[str, str]) -> str:
    """`ARM, part 0xd08`: names of parts are in no file of the kernel's."""
    implementer = fields.get("CPU implementer", "")
    if not implementer:
        return ""
    return f"{_IMPLEMENTERS.get(implementer, implementer)}, part {fields.get('CPU part', '?')}"


def _arch(root: Root, fields: dict[str, str], flags: list[str]) -> str:
    """As `uname -m` says it; /proc/sys/kernel/arch is there since Linux 6.1."""
    said = root.read("proc/sys/kernel/arch")
    if said:
        return said
    if root.here:
        return os.uname().machine
    if "CPU implementer" in fields:
        return "aarch64" if fields.get("CPU architecture") == "8" else "arm"
    if "flags" in fields:
        return "x86_64" if "lm" in flags else "i686"
    return "riscv64" if "isa" in fields else ""


def _read_caches(root: Root) -> tuple[Cache, ...]:
    place = f"{_PLACE}/cpu0/cache"
    caches = []
    for name in root.list(place):
        level = root.read_number(f"{place}/{name}/level")
        if level is not None:
            kind, size, shared = (
                root.read(f"{place}/{name}/{field}") or "" for field in ("type", "size", "shared_cpu_list")
            )
            caches.append(Cache(level, kind, size, shared))
    return tuple(caches)
