# SPDX-License-Identifier: MIT
"""Building a kernel: how many jobs, what it needs, how far it is, what came of it, and how to do it again."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.compile.record import BuildRecord, read_build_record, read_record_file, record_path

_PLACES = {"record": ("BuildRecord", "read_build_record", "read_record_file", "record_path")}
_PLACE = {name: place for place, names in _PLACES.items() for name in names}

__all__ = ["BuildRecord", "read_build_record", "read_record_file", "record_path"]


def __getattr__(name: str) -> object:
    # Each when it is first used: who lists kernels reads records only.
    if name in _PLACE:
        from importlib import import_module

        return getattr(import_module(f"lkm.compile.{_PLACE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
