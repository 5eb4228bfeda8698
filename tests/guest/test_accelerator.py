# SPDX-License-Identifier: MIT
"""Which accelerator: decided by a boot, once, in bounded time."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.guest import accelerator
from lkm.guest.accelerator import PROBE_TIMEOUT, find_accelerator
from lkm.guest.machine import Machine
from lkm.guest.qemu import find_qemu
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest


def test_the_answer_is_found_once(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    qemu = find_qemu(kernel.arch)
    found = find_accelerator(kernel, qemu)
    assert found in ("kvm", "tcg")

    def boots_again(*_: object) -> bool:
        raise AssertionError("asked again")

    monkeypatch.setattr(accelerator, "_boots", boots_again)
    assert find_accelerator(kernel, qemu) == found


def test_no_kvm_is_tcg(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    for path in (tmp_path / "none", Path("/dev/null")):
        monkeypatch.setattr(accelerator, "_KVM", path)
        assert find_accelerator(kernel, find_qemu(kernel.arch)) == "tcg"


def test_a_kvm_that_boots_nothing_is_tcg(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A processor model that QEMU refuses stands for a host where nothing boots.
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    monkeypatch.setattr(Machine, "cpu", property(lambda _: "no-such-cpu"))
    assert not accelerator._boots(kernel, find_qemu(kernel.arch))
    assert PROBE_TIMEOUT < 10
