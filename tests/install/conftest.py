# SPDX-License-Identifier: MIT
"""A kernel built whole by lkm, installed once; kernels of the same and of other bytes made from that."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from install_roots import put

from lkm.kernel import Kernel, Origin, find_kernel
from lkm.kernel.layout import find_in_root

if TYPE_CHECKING:
    from own_build import OwnBuild


@pytest.fixture(scope="session")
def built(own_kernel: OwnBuild) -> Kernel:
    """The build directory, as a kernel."""
    return find_kernel(str(own_kernel.build), need_build=False)


@pytest.fixture(scope="session")
def laid(built: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with that kernel in it; read only."""
    root = tmp_path_factory.mktemp("laid")
    assert put(built, root).ok
    return root


@pytest.fixture(scope="session")
def make_kernel(laid: Path, built: Kernel) -> Callable[..., Kernel]:
    """Makes a kernel of the same release in a directory, each of its files ending in other bytes."""

    def make(place: Path, mark: bytes = b"") -> Kernel:
        shutil.copytree(laid, place, symlinks=True)
        release = built.release
        (place / f"lib/modules/{release}/build").unlink()  # its configuration would be the one that counts
        config = place / f"boot/config-{release}"
        # An initramfs that is not compressed is made in no time.
        config.write_bytes(config.read_bytes().replace(b"CONFIG_RD_GZIP=y", b"") + b"# " + mark + b"\n")
        files = [*(place / "boot").glob(f"*-{release}"), *(place / "lib/modules").rglob("*.ko")]
        for path in files if mark else ():
            if path != config:
                with path.open("ab") as stream:
                    stream.write(mark)
        return find_in_root(place, release, name=f"kernel{mark.decode()}", origin=Origin.DIRECTORY).kernel

    return make


@pytest.fixture
def kernel_a(make_kernel: Callable[..., Kernel], tmp_path: Path) -> Kernel:
    """One kernel."""
    return make_kernel(tmp_path / "a")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty root."""
    place = tmp_path / "root"
    place.mkdir()
    return place
