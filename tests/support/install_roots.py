# SPDX-License-Identifier: MIT
"""Installing below a root in tests, and roots as values."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lkm.install import Installed, Request, install, make_plan, read_source
from lkm.install.value import MANIFEST
from lkm.kernel import Kernel


def put(kernel: Kernel, root: Path, **wanted: object) -> Installed:
    """Installs a kernel below a root."""
    request = replace(Request(root), **wanted)  # type: ignore[arg-type]
    return install(make_plan(read_source(kernel, force=request.force), request))


def read_tree(root: Path, *, manifest: bool = False) -> dict[str, bytes]:
    """All files below a directory with their bytes, links with their targets; the record where asked."""
    found = {}
    for place, directories, names in os.walk(root):
        for name in (*names, *(one for one in directories if Path(place, one).is_symlink())):
            path = Path(place, name)
            if name != MANIFEST or manifest:
                link = path.is_symlink()
                data = f"-> {path.readlink()}".encode() if link else path.read_bytes()
                found[str(path.relative_to(root))] = data
    return found
