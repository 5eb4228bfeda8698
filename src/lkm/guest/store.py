# SPDX-License-Identifier: MIT
"""The templates in the cache: listed, removed, kept within a bound."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from lkm.guest.identity import file_identity
from lkm.guest.template import IN_USE, Template, find_template, templates_dir
from lkm.kernel import Kernel

BOUND = 4 << 30  # bytes that all templates together may take on disk


def list_templates() -> list[Template]:
    """The templates in the cache, the one used last first."""
    found = []
    for meta in templates_dir().glob("*/meta.json"):
        template = find_template(meta.parent)
        if template is not None:
            found.append(template)
    return sorted(found, key=lambda template: template.used, reverse=True)


def find_templates(kernel: Kernel) -> list[Template]:
    """The templates of `kernel`, made under its name or from its image; of images it had before, too."""
    image = str(kernel.image.resolve()) if kernel.image is not None else ""
    return [
        template
        for template in list_templates()
        if (template.kernel, template.release) == (kernel.name, kernel.release)
        or (image and template.image[0] == image)
    ]


def remove_templates(kernel: Kernel | None = None) -> int:
    """Removes the templates of `kernel`, of all kernels where None; bytes that this freed.

    One that a clone is using stays.
    """
    if kernel is not None:
        return sum(_remove(template.path) for template in find_templates(kernel))
    freed = 0
    if not templates_dir().is_dir():
        return 0
    for path in templates_dir().iterdir():
        if path.is_dir():
            freed += _remove(path)
    return freed


def _remove(path: Path) -> int:
    size = sum(file.stat().st_blocks * 512 for file in path.glob("*") if file.is_file())
    try:
        use = os.open(path / IN_USE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        use = -1
    try:
        if use >= 0:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
        return size
    except BlockingIOError:
        return 0
    finally:
        if use >= 0:
            os.close(use)


def sweep() -> None:
    """Removes what killed processes left half made: nobody holds the lock of its key."""
    for part in templates_dir().glob(".new-*"):
        lock = templates_dir() / f".{part.name.split('.')[1].removeprefix('new-')}.lock"
        try:
            held = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(part, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(held)


def remove_outdated(image: Path) -> None:
    """Removes the templates of what lay at `image` before: a kernel that was built again since."""
    now = tuple(file_identity(image))
    for template in list_templates():
        if template.image[0] == now[0] and template.image != now:
            _remove(template.path)


def keep_bound(*, keep: Path) -> None:
    """Removes what was not used for longest while all templates together take more than the bound."""
    templates = [template for template in list_templates() if template.path != keep]
    total = sum(template.size for template in templates)
    for template in reversed(templates):
        if total <= BOUND:
            return
        total -= _remove(template.path)
