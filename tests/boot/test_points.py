# SPDX-License-Identifier: MIT
"""Levels from the image's own table, beside the names that the build gave its entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.boot import points
from lkm.boot.points import find_points, read_entries
from lkm.boot.stages import LEVELS
from lkm.kernel import Kernel
from lkm.kernel.image import unpack_image
from lkm.kernel.kallsyms import MapSymbol
from lkm.kernel.symbols import read_map


@pytest.mark.fetch
def test_the_table_agrees_with_the_names_of_its_entries(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    assert kernel.image is not None
    found = find_points(kernel, kernel.image)
    vmlinux = unpack_image(kernel.image)
    named = [one.name for one in read_map(kernel, vmlinux) or [] if one.name.startswith("__initcall__kmod_")]
    assert len(found.entries) == len(named) > 100
    # …_FUNCTION and the level's number, or its name (include/linux/init.h, ___initcall_name)
    ends = {"console": "con"} | {name: number or "early" for number, name in LEVELS.items()}
    told = {(one.name, one.line): one for one in found.entries}
    wrong = []
    for name in named:
        fits = [
            one
            for (function, line), one in told.items()
            if f"_{line}_{function}{ends[one.level]}" in name and name.endswith((ends[one.level], "s"))
        ]
        wrong += [name] if not fits else []
    # Functions without instructions of their own share an address, and so one name.
    assert len(wrong) <= len(named) // 20, wrong
    levels = [one.level for one in found.entries]
    assert [*dict.fromkeys(levels)] == ["console", *LEVELS.values()]
    assert found.symbols["start_kernel"] > found.symbols["_sinittext"]
    # Read again it comes from the cache: nothing is unpacked.
    monkeypatch.setattr(points, "unpack_image", None)
    assert find_points(kernel, kernel.image) == found


def test_a_map_without_the_table_gives_no_levels() -> None:
    assert read_entries([MapSymbol(0xFFFFFFFF81000000, "T", "_text")], b"") == []
