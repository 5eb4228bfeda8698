# SPDX-License-Identifier: MIT
"""A kernel that was built again is booted again: no guest saved of the old one is served."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.guest import Guest, list_templates, remove_templates
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest


def test_another_image_in_its_place_is_noticed(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    assert kernel.image is not None
    image = tmp_path / "arch/x86/boot/bzImage"
    image.parent.mkdir(parents=True)
    shutil.copy(kernel.image, image)
    mine = replace(kernel, name="own:mine", image=image)

    def boot() -> str:
        with Guest(mine) as guest:
            assert guest.run("true").status == 0
        (one,) = list_templates()  # what there was of the old one is gone
        return one.key

    first = boot()
    assert boot() == first
    before = image.stat()
    shutil.copy(kernel.image, image)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns + 1))  # as large, a moment later
    assert boot() != first

    # Saved under a directory's name, removed under the own kernel's.
    assert remove_templates(replace(kernel, name="else", release="else")) == 0
    assert remove_templates(replace(mine, name="own:other", release="other")) > 0
    assert list_templates() == []
