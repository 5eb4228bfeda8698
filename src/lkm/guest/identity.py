# SPDX-License-Identifier: MIT
"""What tells the files that a guest is made of from other versions of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lkm.errors import BadInputError
from lkm.kernel.own import find_unbuilt
from lkm.process import find_program

if TYPE_CHECKING:
    from lkm.kernel import Kernel


def file_identity(path: Path) -> list[str | int]:
    """Path, size and time of change."""
    about = path.stat()
    return [str(path.resolve()), about.st_size, about.st_mtime_ns]


def boot_identity(kernel: Kernel) -> dict[str, list[str | int] | None]:
    """That of the files that a boot of `kernel` is made of."""
    busybox = find_busybox()
    return {
        "image": file_identity(find_image(kernel)),
        "busybox": file_identity(busybox) if busybox else None,
    }


def find_busybox() -> Path | None:
    """The machine's busybox, which is the guest's shell and tools; None where there is none."""
    return find_program("busybox")


def find_image(kernel: Kernel) -> Path:
    """The kernel's image; raises `BadInputError` where it has none."""
    if kernel.image is None or not kernel.image.is_file():
        unbuilt = find_unbuilt(kernel.build, kernel.name) if kernel.build is not None else None
        where = f" ({kernel.image} is not there)" if kernel.image else ""
        raise unbuilt or BadInputError(f"{kernel.name} has no image to boot{where}", hint="lkm kernel list")
    return kernel.image
