# SPDX-License-Identifier: MIT
"""What is not whole is not installed, and why is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.errors import BadInputError, UsageError
from lkm.install import read_source
from lkm.kernel import Kernel, find_kernel

pytestmark = pytest.mark.fetch


@pytest.fixture
def build(built: Kernel, tmp_path: Path) -> Path:
    """What of a build directory counts here, to be spoiled."""
    assert built.build is not None
    place = tmp_path / "o"
    for name in (
        ".config",
        "Makefile",
        "System.map",
        "modules.order",
        "arch/x86/boot/bzImage",
        "include/generated/utsrelease.h",
        "include/config/kernel.release",
        "include/config/auto.conf",
        "drivers/pps/pps_core.ko",
        "drivers/pps/clients/pps-ktimer.ko",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built.build / name, place / name)
    return place


def read(build: Path) -> None:
    read_source(find_kernel(str(build), need_build=False))


def test_whole(build: Path) -> None:
    source = read_source(find_kernel(str(build), need_build=False))
    assert source.build == build and [path.name for path in source.modules] == [
        "pps-ktimer.ko",
        "pps_core.ko",
    ]
    assert source.map == build / "System.map" and source.config == build / ".config" and not source.words


def test_not_built_yet(build: Path) -> None:
    (build / "arch/x86/boot/bzImage").unlink()
    with pytest.raises(BadInputError, match="is not built yet: it has no image") as caught:
        read(build)
    assert caught.value.hint == f"lkm kernel build -O {build}"


def test_modules_not_built(build: Path) -> None:
    (build / "drivers/pps/pps_core.ko").unlink()
    with pytest.raises(BadInputError, match=r"1 of 2 modules are not built, the first .*/pps_core.ko"):
        read(build)
    (build / "modules.order").unlink()
    with pytest.raises(BadInputError, match="its modules are not built"):
        read(build)


def test_without_loadable_modules_there_are_none_to_miss(build: Path) -> None:
    (build / "modules.order").unlink()
    text = (build / ".config").read_text().replace("CONFIG_MODULES=y", "# CONFIG_MODULES is not set")
    (build / ".config").write_text(text)
    source = read_source(find_kernel(str(build), need_build=False))
    assert not source.has_modules and source.modules == ()


def test_the_release_was_changed_after_the_image_was_built(build: Path) -> None:
    header = build / "include/generated/utsrelease.h"
    header.write_text('#define UTS_RELEASE "6.1.99-other"\n')
    with pytest.raises(
        BadInputError, match=r"the image .*/bzImage is of .*, the build directory or modules of 6.1.99"
    ):
        read(build)


def test_modules_of_another_release(build: Path, built: Kernel) -> None:
    module = build / "drivers/pps/pps_core.ko"
    old, new = f"vermagic={built.release} ".encode(), b"vermagic=6.1.0-else "
    data = module.read_bytes()
    assert data.count(old) == 1
    module.write_bytes(data.replace(old, new.ljust(len(old))[: len(old)]))
    with pytest.raises(BadInputError, match=r"pps_core\.ko was built for 6\.1\.0-else"):
        read(build)


def test_an_image_alone(built: Kernel, tmp_path: Path) -> None:
    assert built.image is not None
    shutil.copy(built.image, tmp_path / "bzImage")
    kernel = find_kernel(str(tmp_path / "bzImage"), need_build=False)
    with pytest.raises(UsageError, match="an image alone"):
        read_source(kernel)
    assert read_source(kernel, force=True).modules == ()


def test_for_another_machine(kernel_a: Kernel) -> None:
    with pytest.raises(BadInputError, match="is for x86_64, its configuration for aarch64"):
        read_source(replace(kernel_a, arch="aarch64"))


def test_modules_that_are_nowhere(make_kernel: Callable[..., Kernel], tmp_path: Path) -> None:
    kernel = make_kernel(tmp_path / "a")
    with pytest.raises(BadInputError, match="its modules are not at hand"):
        read_source(replace(kernel, modules=None))
