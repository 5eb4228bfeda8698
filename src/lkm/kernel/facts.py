# SPDX-License-Identifier: MIT
"""What a kernel's configuration says to whoever writes a module for it."""

from __future__ import annotations

import re

_LINE = re.compile(r"^(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)$", re.MULTILINE)

# Option: what it means for a module, in words.
FACTS = {
    "MODVERSIONS": "symbol versions (CRCs) are checked when a module is loaded",
    "MODULE_SIG": "module signatures are looked at",
    "MODULE_SIG_FORCE": "unsigned modules are refused",
    "MODULE_FORCE_LOAD": "a module may be loaded by force",
    "MODULE_UNLOAD": "modules can be unloaded",
    "DEBUG_INFO_BTF_MODULES": "modules carry type information (BTF)",
    "PREEMPT": "the kernel itself is preemptible",
    "PREEMPT_RT": "real time",
    "SMP": "several processors",
    "KASAN": "memory errors are detected",
    "KFENCE": "some memory errors are detected, by sampling",
    "UBSAN": "undefined behaviour is detected",
    "DEBUG_KMEMLEAK": "forgotten memory is found (kmemleak)",
    "PROVE_LOCKING": "lock order is checked (lockdep)",
    "DEBUG_ATOMIC_SLEEP": "sleeping where one must not is detected",
    "DEBUG_KERNEL": "debugging help",
    "DYNAMIC_DEBUG": "pr_debug() can be switched on at run time",
    "KPROBES": "probes in running code",
    "FUNCTION_TRACER": "function tracing",
    "LIVEPATCH": "live patching",
    "RUST": "modules in Rust",
}


def parse_facts(config: str) -> dict[str, bool]:
    """The options of `FACTS` in the text of a .config: whether each is on (y or m)."""
    values = {match[1]: match[2] for match in _LINE.finditer(config) if match[1] in FACTS}
    return {name: values.get(name) in ("y", "m") for name in FACTS}
