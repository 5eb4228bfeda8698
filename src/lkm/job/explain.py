# SPDX-License-Identifier: MIT
"""Why a load failed, in a sentence from what the kernel said and the file says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from errno import EBUSY, EEXIST, ENOENT, ENOEXEC, EPERM
from pathlib import Path

from lkm.guest import Step
from lkm.kernel import Kernel
from lkm.klog import Record
from lkm.module import Module, read_module

_UNKNOWN = re.compile(r"Unknown symbol (\S+) \(err (-?\d+)\)")


def explain_load(path: Path, step: Step, records: Sequence[Record], *, kernel: Kernel) -> str:
    """A hint, or "" where there is nothing to add to the kernel's own words."""
    module = read_module(path)
    built_for = module.vermagic.split(" ", 1)[0]
    if step.errno in (ENOEXEC, ENOENT) and built_for and built_for != kernel.release:
        return (
            f"{module.name} was built for {built_for}, this kernel is {kernel.release}; "
            f"build it for this one: lkm build --kernel {kernel.name}"
        )
    if step.errno == ENOENT:
        return _explain_symbols(module, records)
    if step.errno in (EEXIST, EBUSY):
        return f"{module.name} may be loaded or built in already: lkm shell, then: cat /proc/modules"
    if step.errno == EPERM:
        return "the kernel does not let modules in: see lockdown and module_blacklist on its command line"
    return ""


def _explain_symbols(module: Module, records: Sequence[Record]) -> str:
    unknown = [match[1] for record in records if (match := _UNKNOWN.search(record.text))]
    if not unknown:
        return ""
    names = ", ".join(dict.fromkeys(unknown))
    if "GPL" not in module.licence:
        return f'{names}: not exported, or exported to GPL modules only; this one says "{module.licence}"'
    return f"{names}: not exported by this kernel, or by a module that is not loaded"
