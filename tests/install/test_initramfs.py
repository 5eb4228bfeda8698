# SPDX-License-Identifier: MIT
"""The initramfs of our own: what is in it, and that it is the same for the same files."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.errors import UsageError
from lkm.install import read_source
from lkm.install.initramfs import build_initramfs, find_needed
from lkm.kernel import Kernel

pytestmark = pytest.mark.fetch


def test_the_same_bytes_for_the_same_files(built: Kernel, laid: Path) -> None:
    source = read_source(built)
    tree = laid / f"lib/modules/{built.release}"
    made = build_initramfs(source, tree, ["pps-ktimer"])
    assert made == build_initramfs(source, tree, ["pps-ktimer"])
    data = gzip.decompress(made)
    assert data[:6] == b"070701" and b"\0init\0" in data.replace(b"init", b"\0init", 1)
    assert f"lib/modules/{built.release}/kernel/drivers/pps/pps_core.ko".encode() in data
    assert b"pps-ktimer\n" in data
    plain = replace(source, config=None)
    assert build_initramfs(plain, tree, [])[:6] == b"070701", "where gzip is not known to be unpacked"


def test_what_a_root_device_needs_comes_with_what_that_needs(
    kernel_named: Callable[[str], Kernel],
) -> None:
    kernel = kernel_named("debian")
    assert kernel.modules is not None
    names = {path.name.partition(".")[0] for path in find_needed(kernel.modules, [])}
    assert {"erofs", "libcrc32c", "overlay"} <= names
    assert "snd" not in names and len(names) < 80


def test_a_module_that_is_not_there(laid: Path, built: Kernel, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no module 'nothing' in this kernel"):
        find_needed(laid / f"lib/modules/{built.release}", ["nothing"])
    with pytest.raises(UsageError, match="has no modules"):
        find_needed(tmp_path / "none", ["ext4"])


def test_the_script_is_one_for_any_shell() -> None:
    script = Path(__file__).parents[2] / "src/lkm/install/init.sh"
    assert subprocess.run(["sh", "-n", script], capture_output=True).stderr == b""
