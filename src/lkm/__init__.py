# SPDX-License-Identifier: MIT
"""The workbench for Linux loadable kernel modules.

    import lkm
    kernel = lkm.find_kernel("debian:6.1")
    built = lkm.build("examples/hello", kernel=kernel)
    with lkm.Guest(kernel) as guest:
        with guest.loaded(built.modules[0], month="December", day=31) as module:
            assert "31 December" in module.log.text

The public names are those in `__all__`; each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lkm.version import VERSION as __version__  # noqa: N811 - the name that packages give it

if TYPE_CHECKING:
    from lkm.boot import Boot, boot_kernel
    from lkm.decode import Decoded, decode_log
    from lkm.errors import (
        BadInputError,
        GuestLostError,
        LkmError,
        MissingError,
        OutOfTimeError,
        UsageError,
    )
    from lkm.guest import Detail, Ending, Guest, GuestEnded, LoadError, Standby
    from lkm.job import Job, Listener, Outcome, RunResult, run
    from lkm.kbuild import Built, Diagnostic, new_module
    from lkm.kbuild.build import build
    from lkm.kernel import Kernel, Toolchain, add_kernel, find_kernel, list_kernels, remove_kernel
    from lkm.klog import Record
    from lkm.module import Module, read_module
    from lkm.release import Policy, Verification, get_sources, verify_file, verify_tree
    from lkm.verdict import Verdict, check

_WHERE = {
    "boot": ("Boot", "boot_kernel"),
    "decode": ("Decoded", "decode_log"),
    "errors": (
        "BadInputError",
        "GuestLostError",
        "LkmError",
        "MissingError",
        "OutOfTimeError",
        "UsageError",
    ),
    "guest": ("Detail", "Ending", "Guest", "GuestEnded", "LoadError", "Standby"),
    "kbuild": ("Built", "Diagnostic", "build", "new_module"),
    "kernel": ("Kernel", "Toolchain", "add_kernel", "find_kernel", "list_kernels", "remove_kernel"),
    "klog": ("Record",),
    "module": ("Module", "read_module"),
    "release": ("Policy", "Verification", "get_sources", "verify_file", "verify_tree"),
    "verdict": ("Verdict", "check"),
    "job": ("Job", "Listener", "Outcome", "RunResult", "run"),
}
_PLACE = {name: place for place, names in _WHERE.items() for name in names}

__all__ = [
    "BadInputError",
    "Boot",
    "Built",
    "Decoded",
    "Detail",
    "Diagnostic",
    "Ending",
    "Guest",
    "GuestEnded",
    "GuestLostError",
    "Job",
    "Kernel",
    "Listener",
    "LkmError",
    "LoadError",
    "MissingError",
    "Module",
    "OutOfTimeError",
    "Outcome",
    "Policy",
    "Record",
    "RunResult",
    "Standby",
    "Toolchain",
    "UsageError",
    "Verdict",
    "Verification",
    "__version__",
    "add_kernel",
    "boot_kernel",
    "build",
    "check",
    "decode_log",
    "find_kernel",
    "get_sources",
    "list_kernels",
    "new_module",
    "read_module",
    "remove_kernel",
    "run",
    "verify_file",
    "verify_tree",
]


def __getattr__(name: str) -> object:
    place = _PLACE.get(name)
    if place is None:
        raise AttributeError(f"module 'lkm' has no attribute '{name}'")
    return getattr(import_module(f"lkm.{place}"), name)
