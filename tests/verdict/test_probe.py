# SPDX-License-Identifier: MIT
"""What is known of a kernel from all of it, its image alone, its headers alone or its modules alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lkm.kernel import Kernel
from lkm.modtree.index import Index
from lkm.module import read_module
from lkm.verdict import Ground, check_bytes, read_ground


def test_all_that_is_to_be_known_is_known(ground: Ground, kernel: Kernel) -> None:
    assert ground.vermagic
    assert ground.vermagic.startswith(f"{kernel.release} SMP ")
    assert ground.exports and "_printk" in ground.exports
    assert ground.exports["kobject_create_and_add"].gpl_only
    assert ground.certificates and ground.in_sysfs and "printk" in ground.in_sysfs
    assert ground.option("MODULE_SIG") and ground.option("MODULE_FORCE_LOAD")
    own = next(iter(kernel.modules.rglob("*.ko*"))) if kernel.modules else Path()
    section = read_module(own).elf.find_section(".gnu.linkonce.this_module")
    assert section is not None and ground.struct_size == section.size


def test_an_image_alone_tells_nearly_all(
    ground: Ground, kernel: Kernel, tmp_path: Path, built: dict[str, bytes]
) -> None:
    bare = replace(kernel, modules=None, build=None, config=None, name="bare")
    found = read_ground(bare, index=Index(tmp_path / "index"))
    assert found.exports == ground.exports
    assert (found.vermagic, found.struct_size) == (ground.vermagic, ground.struct_size)
    assert found.option("STRICT_MODULE_RWX") == ground.option("STRICT_MODULE_RWX")
    verdict = check_bytes(built["o_gpl"], Path("o_gpl.ko"), found)
    assert verdict.loads
    assert all("MODULE_SIG_FORCE" in text for text in verdict.unproved)


def test_headers_alone_tell_the_symbols(ground: Ground, kernel: Kernel, tmp_path: Path) -> None:
    headers = replace(kernel, modules=None, image=None, name="headers")
    found = read_ground(headers, index=Index(tmp_path / "index"))
    assert found.exports is not None and ground.exports is not None
    assert found.exports.keys() == ground.exports.keys()
    assert found.certificates is None and found.vermagic is None


def test_modules_alone_tell_what_they_were_built_for(
    ground: Ground, kernel: Kernel, tmp_path: Path, built: dict[str, bytes]
) -> None:
    modules = replace(kernel, image=None, build=None, config=None, name="modules")
    found = read_ground(modules, index=Index(tmp_path / "index"))
    assert found.exports is None and (found.vermagic, found.struct_size) == (
        ground.vermagic,
        ground.struct_size,
    )
    verdict = check_bytes(built["o_gpl"], Path("o_gpl.ko"), found)
    assert verdict.loads
    assert any("which symbols this kernel exports" in text for text in verdict.unproved)


def test_what_was_read_is_kept(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(tmp_path / "index")
    first = read_ground(kernel, index=index)

    def never(*_: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr("lkm.verdict.probe.unpack_image", never)
    again = read_ground(kernel, index=index)
    assert (again.exports, again.vermagic, again.needs) == (first.exports, first.vermagic, first.needs)
    with pytest.raises(AssertionError, match="read again"):
        read_ground(replace(kernel, config=None), index=index)
