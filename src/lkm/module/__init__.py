# SPDX-License-Identifier: MIT
"""One `.ko`: what it says of itself, read without the kernel it belongs to."""

from lkm.module.file import SIZE_LIMIT, SUFFIXES, module_name, open_module, read_module_bytes
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
