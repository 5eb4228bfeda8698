# SPDX-License-Identifier: MIT
"""The lecture's way to install a kernel: image, symbol map and initramfs into boot, modules by release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lkm.install import Request, install, make_plan, plan_removal, prove, read_source, uninstall
from lkm.kernel import find_kernel
from lkm.kernel.symbols import parse_map

if TYPE_CHECKING:
    from own_build import OwnBuild

pytestmark = [pytest.mark.fetch, pytest.mark.guest]


def test_make_install_and_modules_install_in_one(own_kernel: OwnBuild, tmp_path: Path) -> None:
    """The two steps, one command: it boots with what was laid out, and `modprobe` finds a module by name."""
    kernel = find_kernel(str(own_kernel.build), need_build=False)
    done = install(make_plan(read_source(kernel), Request(tmp_path)))
    assert done.ok
    release = kernel.release
    names = sorted(path.name for path in (tmp_path / "boot").iterdir())
    assert names == [f"{name}-{release}" for name in ("System.map", "config", "initrd.img", "vmlinuz")]
    symbols = parse_map((tmp_path / f"boot/System.map-{release}").read_text())
    assert {"T", "t", "D"} <= {symbol.type for symbol in symbols}
    tree = tmp_path / f"lib/modules/{release}"
    assert (tree / "modules.dep").read_text().count(".ko:") == 2

    proof = prove(release, tmp_path)
    assert proof.ok, proof.why
    assert proof.loaded == ("pps_core", "pps_ktimer"), "what it depends on comes first"

    uninstall(plan_removal(release, tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
