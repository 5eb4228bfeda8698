# SPDX-License-Identifier: MIT
"""A modules directory (`lib/modules/RELEASE`): its modules, and the order to load them in."""

from lkm.modtree.builtin import built_in_modules, read_built_in_information
from lkm.modtree.find import find_module, iter_module_files
from lkm.modtree.order import load_order

__all__ = ["built_in_modules", "find_module", "iter_module_files", "load_order", "read_built_in_information"]
