# SPDX-License-Identifier: MIT
"""Standbys: ready ahead, and no different from a clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.guest import Guest, Standby
from lkm.kernel import Kernel
from lkm.klog import Record

pytestmark = pytest.mark.guest


def texts(guest: Guest, hello: Path) -> list[str]:
    guest.load(hello, month="May")
    guest.unload("hello")
    return [record.text for record in guest.log().records]


def test_a_standby_is_as_a_clone(kernel: Kernel, hello: Path) -> None:
    with Guest(kernel) as guest:
        expected = texts(guest, hello)
    came: list[Record] = []
    with Standby(kernel) as standby:
        assert standby.ready
        with standby.take(on_record=came.append) as guest:
            assert not standby.ready
            assert guest.log().records == ()
            assert guest.modules() == ()
            assert texts(guest, hello) == expected
            assert [record.text for record in came] == expected
            assert guest.run("cat /proc/sys/kernel/tainted").stdout == "12288\n"  # as after a clone's run


def test_one_that_nobody_takes_ends(kernel: Kernel) -> None:
    with Standby(kernel) as standby:
        pid = standby._vm.pid  # type: ignore[union-attr]
    assert not Path(f"/proc/{pid}").exists()


def test_its_last_words_are_its_own(kernel: Kernel) -> None:
    from lkm.guest import GuestEnded

    with Standby(kernel) as standby, standby.take() as guest:
        with pytest.raises(GuestEnded) as caught:
            guest.run("echo c > /proc/sysrq-trigger")
        assert caught.value.end == "panic"
        assert "sysrq" in guest.log().records[0].text
