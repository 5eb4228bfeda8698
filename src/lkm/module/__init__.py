# SPDX-License-Identifier: MIT
"""One `.ko`: what it says of itself, read without the kernel it belongs to.

What reads whole modules is imported when it is first used: a modules directory is read without it.
"""

from typing import TYPE_CHECKING

from lkm.module.file import SIZE_LIMIT, SUFFIXES, module_name, open_module, read_module_bytes

if TYPE_CHECKING:
    from lkm.module.read import Module, parse_module, read_module
    from lkm.module.value import Export, Import, Parameter

__all__ = [
    "SIZE_LIMIT",
    "SUFFIXES",
    "Export",
    "Import",
    "Module",
    "Parameter",
    "module_name",
    "open_module",
    "parse_module",
    "read_module",
    "read_module_bytes",
]


def __getattr__(name: str) -> object:
    if name in {"Module", "parse_module", "read_module"}:
        from lkm.module import read

        return getattr(read, name)
    if name in {"Export", "Import", "Parameter"}:
        from lkm.module import value

        return getattr(value, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
