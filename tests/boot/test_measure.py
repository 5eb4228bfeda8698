# SPDX-License-Identifier: MIT
"""Real boots: what is told of one agrees with what the kernel itself says."""

from __future__ import annotations

import gzip
import os
import re
from itertools import pairwise
from pathlib import Path

import pytest

from lkm.boot import Boot, boot_kernel
from lkm.boot.stages import STAGES
from lkm.errors import BadInputError
from lkm.guest.initramfs import build_cpio, file
from lkm.guest.value import End
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def boot(kernel: Kernel) -> Boot:
    return boot_kernel(kernel)


def test_every_phase_is_there_in_order_and_without_gaps(boot: Boot) -> None:
    assert boot.ok and not boot.reached
    phases = [one for one in boot.phases if not one.aside]
    assert [one.name for one in phases] == ["firmware", *(stage.name for stage in STAGES)]
    assert phases[0].start == 0.0 and phases[-1].end == boot.total
    for one, after in pairwise(phases):
        assert one.end == after.start and one.seconds > 0
    assert sum(one.seconds for one in phases) == pytest.approx(boot.total)
    initramfs = next(one for one in boot.phases if one.aside)
    rootfs = next(one for one in phases if one.name == "rootfs")
    exec_ = next(one for one in phases if one.name == "exec")
    assert rootfs.start <= initramfs.start < initramfs.end <= exec_.start
    assert boot.firmware.startswith("SeaBIOS ")
    assert boot.plain_total > phases[-1].seconds and boot.debug_total > phases[-1].seconds


def test_the_image_is_unpacked_by_the_kernel_itself(boot: Boot) -> None:
    assert boot.image.format and 0 < boot.image.packed < boot.image.unpacked
    decompress = next(one for one in boot.phases if one.name == "decompress")
    assert f"{boot.image.unpacked / (1 << 20):.1f} MiB" in decompress.what


def test_initcalls_are_the_whole_table_in_order(boot: Boot) -> None:
    levels = [one.level for one in boot.initcalls]
    assert [*dict.fromkeys(levels)] == [
        "console", "early", "pure", "core", "postcore", "arch", "subsys", "fs", "rootfs", "device", "late"
    ]  # fmt: skip
    assert all(one.module and one.line for one in boot.initcalls)
    assert all(one.result is not None and one.seconds >= 0 for one in boot.initcalls)
    populate = next(one for one in boot.initcalls if one.name == "populate_rootfs")
    assert (populate.level, populate.module) == ("rootfs", "initramfs")


def test_init_memory_is_what_the_kernel_counted_before(boot: Boot) -> None:
    freed = {one.what: one.bytes for one in boot.freed}
    initmem = freed["unused kernel image (initmem)"]
    memory = next(one.text for one in boot.log if one.text.startswith("Memory: "))
    counted = re.search(r"(\d+)K init,", memory)
    assert counted is not None and initmem == int(counted[1]) << 10
    assert initmem == boot.image.init_code + boot.image.init_data
    assert freed["initrd"] > 0


def test_a_kernel_without_a_root_is_followed_to_its_panic(kernel: Kernel) -> None:
    boot = boot_kernel(kernel, cmdline="rdinit=/nothing")
    assert boot.ending is not None and boot.ending.end is End.PANIC
    assert "Unable to mount root fs" in boot.ending.words
    assert boot.reached == "console"
    last = [one for one in boot.phases if not one.aside][-1]
    assert last.name == "console" and last.end == boot.total
    # Asked again it says everything on the console.
    assert any("Kernel panic" in one.text for one in boot.log)
    assert len(boot.initcalls) > 100


def test_a_kernel_that_hangs_is_given_up_in_time(kernel: Kernel, tmp_path: Path) -> None:
    assert kernel.image is not None
    data = bytearray(kernel.image.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4096] = bytes(4096)
    image = tmp_path / "vmlinuz"
    image.write_bytes(data)
    with pytest.raises(BadInputError, match="damaged kernel image"):
        boot_kernel(kernel, image=image)
    boot = boot_kernel(kernel, timeout=0.3)
    assert boot.ending is not None and boot.ending.end is End.HANG
    assert boot.total < 30 and boot.reached


def test_another_initramfs_is_unpacked_before_the_guests_own(kernel: Kernel, tmp_path: Path) -> None:
    inside = os.urandom(3 << 20)
    path = tmp_path / "initrd.img"
    path.write_bytes(gzip.compress(build_cpio([file("etc/large", inside)]), 1))
    boot = boot_kernel(kernel, initramfs=path, debug=True)
    assert boot.ok and boot.debug_total > 0 and boot.initcalls
    freed = next(one.bytes for one in boot.freed if one.what == "initrd")
    assert freed > path.stat().st_size
