# SPDX-License-Identifier: MIT
"""One kernel, and where kernels come from."""

from lkm.kernel.find import add_kernel, find_kernel
from lkm.kernel.image import read_release, unpack_image
from lkm.kernel.stock import list_kernels, remove_kernel
from lkm.kernel.toolchain import toolchain_command
from lkm.kernel.value import Kernel, Origin, Toolchain
from lkm.progress import Progress

__all__ = [
    "Kernel",
    "Origin",
    "Progress",
    "Toolchain",
    "add_kernel",
    "find_kernel",
    "list_kernels",
    "read_release",
    "remove_kernel",
    "toolchain_command",
    "unpack_image",
]
