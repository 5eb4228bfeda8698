# SPDX-License-Identifier: MIT
"""What this machine has and lacks for lkm, each with the command that mends it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lkm import paths, process
from lkm.errors import LkmError
from lkm.guest import list_templates
from lkm.guest.accelerator import recall_accelerator
from lkm.guest.qemu import find_qemu
from lkm.kernel import find_kernel, list_kernels
from lkm.kernel.distribution import can_fetch
from lkm.kernel.facts import parse_facts
from lkm.kernel.layout import read_text
from lkm.kernel.toolchain import find_cage_problem
from lkm.requirements import install_command, is_met, read_requirements

GIB = 1 << 30
# What makes a kernel report a module's mistakes where they happen (docs/debug-kernel.md).
_DETECTORS = {"KASAN": "KASAN", "PROVE_LOCKING": "lockdep", "DEBUG_KMEMLEAK": "kmemleak"}


class State(StrEnum):
    """How much a finding matters."""

    GOOD = "good"
    NOTE = "note"  # works, with less
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is for, and the command that mends it (empty: none needed or known)."""

    name: str
    state: State
    text: str
    purpose: str = ""
    fix: tuple[str, ...] = ()


def examine(*, stage: str = "run") -> list[Finding]:
    """Looks at the machine; starts nothing but `bwrap … true`, changes nothing."""
    debugger = [_gdb()] if stage == "run" else []  # the tests need it
    machine = [_cache(), _memory(), examine_kvm(), _cage(), _fetching()]
    return [*_programs(stage), *debugger, *machine, _kernel(), _debug_kernel()]


def _programs(stage: str) -> list[Finding]:
    stages = {"run"} if stage == "run" else {"run", "test"}
    rows = [row for row in read_requirements() if row.stage in stages]
    missing = [row for row in rows if not is_met(row)]
    findings = []
    for row in rows:
        name = row.probe.partition(":")[2]
        if row in missing:
            fix = install_command([row]) or ()
            findings.append(Finding(name, State.MISSING, "not found", row.purpose, tuple(fix)))
        else:
            found = process.find_program(name) if row.probe.startswith("cmd:") else None
            findings.append(Finding(name, State.GOOD, str(found or "found"), row.purpose))
    return findings


def _gdb() -> Finding:
    row = next(row for row in read_requirements() if row.probe == "cmd:gdb")
    found = process.find_program("gdb")
    if found is not None:
        return Finding("gdb", State.GOOD, str(found), row.purpose)
    fix = install_command([row]) or ()
    return Finding("gdb", State.NOTE, "not found; nothing else needs it", row.purpose, tuple(fix))


def _cache() -> Finding:
    place, purpose = paths.cache_dir(), "kernels, saved guests, builds"
    existing = next(one for one in (place, *place.parents) if one.exists())
    if not os.access(existing, os.W_OK):
        fix = "export LKM_CACHE=/some/writable/directory"
        return Finding("cache", State.MISSING, f"{place} cannot be written; {fix}", purpose)
    free = shutil.disk_usage(existing).free
    state = State.GOOD if free > 2 * GIB else State.NOTE
    templates = sum(template.size for template in list_templates())
    text = f"{place}: {free / GIB:.1f} GiB free, saved guests take {templates / GIB:.2f} GiB"
    return Finding("cache", state, text, purpose, ("lkm", "doctor", "--clear") if state is State.NOTE else ())


def _memory() -> Finding:
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    state = State.GOOD if free > GIB else State.NOTE
    return Finding("memory", state, f"{free / GIB:.1f} GiB available", "guests (256 MiB each at most)")


def examine_kvm() -> Finding:
    """Whether guests run with KVM here, as far as it is known without starting one."""
    purpose = "faster guests; without it they are emulated"
    device = Path("/dev/kvm")
    if not device.exists():
        return Finding("kvm", State.NOTE, "no /dev/kvm: guests are emulated", purpose)
    if not os.access(device, os.R_OK | os.W_OK):
        return Finding("kvm", State.NOTE, "/dev/kvm is there, but not for this user (group kvm)", purpose)
    try:
        known = recall_accelerator(find_qemu(os.uname().machine))
    except LkmError:
        known = ""
    if known == "tcg":
        return Finding("kvm", State.NOTE, "/dev/kvm is there, but no kernel boots with it here", purpose)
    text = "kernels boot with it" if known else "/dev/kvm is there; the first guest shows whether it works"
    return Finding("kvm", State.GOOD, text, purpose)


def _cage() -> Finding:
    purpose = "the compilers of kernels that this machine's own cannot build for"
    problem = find_cage_problem()
    if problem:
        return Finding("cage", State.NOTE, problem, purpose)
    return Finding("cage", State.GOOD, "bubblewrap works", purpose)


def _fetching() -> Finding:
    purpose = "distribution kernels, and the compilers they bring"
    problem = can_fetch()
    if problem is not None:
        fix = f"; {problem.hint}" if problem.hint else ""
        return Finding("fetching", State.NOTE, f"{problem.message}{fix}", purpose)
    return Finding("fetching", State.GOOD, "through apt, with its verification", purpose)


def _kernel() -> Finding:
    try:
        kernel = find_kernel(None, fetch=False)
    except LkmError as error:
        fix = ("lkm", "kernel", "add", "debian")
        return Finding("kernel", State.NOTE, f"none yet: {error.message}", "guests and builds", fix)
    return Finding(
        "kernel", State.GOOD, f"{kernel.name} ({kernel.release})", "the default for guests and builds"
    )


def _debug_kernel() -> Finding:
    purpose = "memory errors, lock mistakes and leaks, reported where they happen"
    kernels = list_kernels()
    with suppress(LkmError):
        kernels.append(find_kernel(None, fetch=False))  # LKM_KERNEL or lkm.toml may name a build directory
    for kernel in kernels:
        if kernel.config is not None and kernel.can_boot:
            facts = parse_facts(read_text(kernel.config))
            if found := [name for option, name in _DETECTORS.items() if facts[option]]:
                return Finding("debug kernel", State.GOOD, f"{kernel.name}: {', '.join(found)}", purpose)
    text = "no kernel here has KASAN, lockdep or kmemleak; building one takes 3 GiB: docs/debug-kernel.md"
    fix = ("lkm", "kernel", "build", "6.12", "--preset", "debug")
    return Finding("debug kernel", State.NOTE, text, purpose, fix)
