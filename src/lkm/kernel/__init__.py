# SPDX-License-Identifier: MIT
"""One kernel, and where kernels come from."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.kernel.find import add_kernel, find_kernel
    from lkm.kernel.image import read_release, unpack_image
    from lkm.kernel.stock import list_kernels, remove_kernel
    from lkm.kernel.toolchain import toolchain_command
    from lkm.kernel.value import Kernel, Origin, Toolchain
    from lkm.progress import Progress

_PLACES = {
    "lkm.kernel.find": ("add_kernel", "find_kernel"),
    "lkm.kernel.image": ("read_release", "unpack_image"),
    "lkm.kernel.stock": ("list_kernels", "remove_kernel"),
    "lkm.kernel.toolchain": ("toolchain_command",),
    "lkm.kernel.value": ("Kernel", "Origin", "Toolchain"),
    "lkm.progress": ("Progress",),
}
_PLACE = {name: place for place, names in _PLACES.items() for name in names}

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


def __getattr__(name: str) -> object:
    # Each when it is first used: what configures a kernel needs none that is there.
    if name in _PLACE:
        from importlib import import_module

        return getattr(import_module(_PLACE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
