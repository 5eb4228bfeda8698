# SPDX-License-Identifier: MIT
"""Building a kernel: how many jobs, what it needs, how far it is, what came of it, and how to do it again."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.compile.build import build_kernel
    from lkm.compile.record import BuildRecord, read_build_record, read_record_file, record_path
    from lkm.compile.value import KernelBuilt, Request

_PLACES = {
    "build": ("build_kernel",),
    "record": ("BuildRecord", "read_build_record", "read_record_file", "record_path"),
    "value": ("KernelBuilt", "Request"),
}
_PLACE = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [
    "BuildRecord", "KernelBuilt", "Request", "build_kernel",
    "read_build_record", "read_record_file", "record_path",
]  # fmt: skip


def __getattr__(name: str) -> object:
    # Each when it is first used: who lists kernels reads records only.
    if name in _PLACE:
        from importlib import import_module

        return getattr(import_module(f"lkm.compile.{_PLACE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
