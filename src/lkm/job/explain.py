# SPDX-License-Identifier: MIT
"""Why a load failed, in a sentence from what the kernel said and the file says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from errno import EBUSY, EEXIST, ENOENT, ENOEXEC, EPERM, errorcode
from pathlib import Path

from lkm.guest import Step
from lkm.kernel import Kernel
from lkm.klog import Record
from lkm.module import Module, read_module

_INFO = 6  # KERN_INFO
# What the kernel says of any module from outside its own tree; no reason to refuse one.
_TAINT = re.compile("taint")
_REPORTS = ("BUG: ", "kernel BUG at ", "divide error: ", "general protection fault", "invalid opcode: ")
_PLACE = re.compile(r"\bRIP: [0-9a-f]{4}:(\S+\+0x\S+(?: \[\w+\])?)")
_UNKNOWN = re.compile(r"Unknown symbol (\S+) \(err (-?\d+)\)")


def explain_load(path: Path, step: Step, records: Sequence[Record], *, kernel: Kernel) -> str:
    """A hint, or "" where there is nothing to add to the kernel's own words."""
    module = read_module(path)
    built_for = module.vermagic.split(" ", 1)[0]
    if step.errno in (ENOEXEC, ENOENT) and built_for and built_for != kernel.release:
        return (
            f"{module.name} was built for {built_for}, this kernel is {kernel.release}; "
            f"build it for this one, or run it there: lkm run --kernel {built_for} {path.name}"
        )
    if step.errno == ENOENT:
        return _explain_symbols(module, records)
    if step.errno in (EEXIST, EBUSY):
        return f"{module.name} may be loaded or built in already: lkm shell, then: cat /proc/modules"
    if step.errno == EPERM:
        return "the kernel does not let modules in: see lockdown and module_blacklist on its command line"
    if any("invalid for parameter" in record.text or "too large" in record.text for record in records):
        return f"what each parameter takes: lkm params {path}"
    said = [record for record in records if record.text.startswith((f"{module.name}: ", "module "))]
    if step.errno and all(_TAINT.search(record.text) for record in said if record.level < _INFO):
        name = errorcode.get(step.errno, str(step.errno))
        return f"the kernel itself had nothing against {module.name}: its init function returned -{name}"
    return ""


def explain_oops(records: Sequence[Record]) -> str:
    """What the kernel said went wrong and where, from its report; "" where there is none."""
    what = next((record.text for record in records if record.text.startswith(_REPORTS)), "")
    where = next((match[1] for record in records if (match := _PLACE.search(record.text))), "")
    return f"{what}, in {where}" if what and where else what


def _explain_symbols(module: Module, records: Sequence[Record]) -> str:
    unknown = [match[1] for record in records if (match := _UNKNOWN.search(record.text))]
    if not unknown:
        return ""
    names = ", ".join(dict.fromkeys(unknown))
    if "GPL" not in module.licence:
        return f'{names}: not exported, or exported to GPL modules only; this one says "{module.licence}"'
    return f"{names}: not exported by this kernel, or by a module that is not loaded"
