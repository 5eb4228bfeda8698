# SPDX-License-Identifier: MIT
"""Guests that end before they are told to: how is told apart, with the kernel's last words."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.guest import End, Guest, GuestEnded
from lkm.kernel import Kernel
from lkm.klog import Record

pytestmark = pytest.mark.guest
Find = Callable[[str], Path]


@pytest.mark.parametrize(
    ("name", "end", "words"),
    [
        ("panics", End.PANIC, "Kernel panic - not syncing: said the module"),
        ("powers", End.POWERED_OFF, "powers: begins"),
        ("restarts", End.POWERED_OFF, "restarts: begins"),
        ("trips", End.POWERED_OFF, "trips: begins"),
        ("loops", End.HANG, "loops_init"),
        ("deaf", End.HANG, "deaf_init"),
        ("sleeps", End.HANG, "msleep"),
    ],
)
def test_a_module_that_ends_its_guest(kernel: Kernel, module: Find, name: str, end: End, words: str) -> None:
    came: list[Record] = []
    with Guest(kernel, timeout=5, on_record=came.append) as guest:
        with pytest.raises(GuestEnded) as caught:
            guest.load(module(name))
        assert caught.value.end is end
        assert not guest.alive
        with pytest.raises(GuestEnded):
            guest.run("true")
        log = guest.log()
    assert words in log.text
    assert f"{name}: begins" in log.text
    assert list(log.records) == came
    assert len({(record.seconds, record.text) for record in came}) == len(came)


def test_qemu_killed_from_outside(guest: Guest) -> None:
    os.kill(guest.pid, signal.SIGKILL)
    with pytest.raises(GuestEnded) as caught:
        guest.run("true")
    assert caught.value.end is End.GUEST_LOST


def test_switched_off_by_a_command(guest: Guest) -> None:
    with pytest.raises(GuestEnded) as caught:
        guest.run("poweroff -f")
    assert caught.value.end is End.POWERED_OFF


def test_a_guest_that_scribbles_over_its_window(guest: Guest) -> None:
    guest.run("true")
    guest._session.vm.channel._map[4096 * 8193 :] = b"\xa5" * (
        len(guest._session.vm.channel._map) - 4096 * 8193
    )  # type: ignore[union-attr]
    guest._session.vm.channel._map[40:48] = b"\xa5" * 8  # type: ignore[union-attr]
    with pytest.raises(GuestEnded) as caught:
        guest.run("true")
    assert caught.value.end is End.GUEST_LOST
