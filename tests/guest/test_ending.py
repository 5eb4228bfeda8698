# SPDX-License-Identifier: MIT
"""Guests that end before they are told to: how is told apart, and where, with the last words."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.guest import Detail, End, Ending, Guest, GuestEnded
from lkm.kernel import Kernel
from lkm.klog import Record

pytestmark = pytest.mark.guest
Find = Callable[[str], Path]

COMMAND = {"read": "cat /proc/stuck", "timer": "sleep 30", "thread": "sleep 30", "work": "sleep 30"}


def hang(kernel: Kernel, path: Path, how: str, at: str, *, cpus: int = 1) -> tuple[Ending, str]:
    """How a guest ends that `stuck` hangs, and its log."""
    with Guest(kernel, timeout=60, cpus=cpus) as guest:
        guest.log()
        guest.limit(4 if at in COMMAND else 2)  # a program has to start in it
        with pytest.raises(GuestEnded) as caught:
            guest.load(path, how=how, at=at)
            if at in COMMAND:
                guest.run(COMMAND[at])
            guest.unload("stuck")
        assert not guest.alive
        return caught.value.ending, guest.log().text


@pytest.mark.parametrize(
    ("how", "at", "detail", "context"),
    [
        ("loop", "init", Detail.LOOPING, "init"),
        ("loop", "exit", Detail.LOOPING, "exit"),
        ("loop", "timer", Detail.LOOPING, "timer"),
        ("loop", "work", Detail.LOOPING, "work"),
        ("loop", "thread", Detail.LOOPING, "thread"),
        ("deaf", "init", Detail.INTERRUPTS_OFF, "init"),
        ("deaf", "timer", Detail.INTERRUPTS_OFF, "timer"),
        ("spinlock", "init", Detail.LOCK, "init"),
        ("mutex", "exit", Detail.LOCK, "exit"),
        ("semaphore", "init", Detail.LOCK, "init"),
        ("sleep", "init", Detail.ASLEEP, "init"),
        ("completion", "init", Detail.ASLEEP, "init"),
        ("event", "exit", Detail.ASLEEP, "exit"),
        ("completion", "read", Detail.ASLEEP, "system call"),
        ("print", "init", Detail.FLOOD, "init"),
    ],
)
def test_a_hang(  # noqa: PLR0917 - a table's columns
    kernel: Kernel, module: Find, how: str, at: str, detail: Detail, context: str
) -> None:
    ending, log = hang(kernel, module("stuck"), how, at)
    assert (ending.end, ending.detail, ending.context) == (End.HANG, detail, context)
    assert ending.where.startswith("stick+0x")
    assert ending.where.endswith(" [stuck]")
    assert ending.where.split()[0] in log
    assert f"stuck: {how} in {at}" in log


@pytest.mark.parametrize(
    ("how", "at", "detail", "context"),
    [
        ("loop", "init", Detail.LOOPING, "init"),
        ("deaf", "exit", Detail.INTERRUPTS_OFF, "exit"),
        ("mutex", "init", Detail.LOCK, "init"),
        ("event", "init", Detail.ASLEEP, "init"),
    ],
)
def test_a_hang_of_one_of_two_processors(  # noqa: PLR0917 - a table's columns
    kernel: Kernel, module: Find, how: str, at: str, detail: Detail, context: str
) -> None:
    ending, _ = hang(kernel, module("stuck"), how, at, cpus=2)
    assert (ending.end, ending.detail, ending.context) == (End.HANG, detail, context)
    assert ending.where.startswith("stick+0x")


@pytest.mark.parametrize(
    ("how", "end", "detail", "words"),
    [
        ("panic", End.PANIC, Detail.NONE, "said the module"),
        ("panic-in-timer", End.PANIC, Detail.NONE, "said the timer"),
        ("oops-in-timer", End.PANIC, Detail.OOPS, "Fatal exception in interrupt"),
        ("off", End.POWERED_OFF, Detail.OFF, ""),
        ("orderly", End.POWERED_OFF, Detail.OFF, ""),
        ("restart", End.POWERED_OFF, Detail.RESTARTED, ""),
        ("emergency", End.POWERED_OFF, Detail.RESTARTED, ""),
        ("keyboard", End.POWERED_OFF, Detail.RESTARTED, ""),
        ("halt", End.POWERED_OFF, Detail.HALTED, ""),
        ("triple", End.POWERED_OFF, Detail.TRIPLE_FAULT, ""),
    ],
)
def test_a_module_that_ends_its_machine(  # noqa: PLR0917 - a table's columns
    kernel: Kernel, module: Find, how: str, end: End, detail: Detail, words: str
) -> None:
    came: list[Record] = []
    with Guest(kernel, timeout=60, on_record=came.append) as guest:
        with pytest.raises(GuestEnded) as caught:
            guest.load(module("ends"), how=how)
            guest.run("sleep 30")
        assert caught.value.ending == Ending(end, detail, words=words)
        assert not guest.alive
        with pytest.raises(GuestEnded) as again:
            guest.run("true")
        assert again.value.ending == caught.value.ending
        log = guest.log()
    assert "ends: begins" in log.text
    assert ("Kernel panic - not syncing" in log.text) is (end is End.PANIC)
    assert list(log.records) == came
    assert len({(record.seconds, record.text) for record in came}) == len(came)


def test_a_panic_where_an_oops_must_not_be_survived(kernel: Kernel, module: Find) -> None:
    with Guest(kernel, timeout=60) as guest:
        guest.run("echo 1 >/proc/sys/kernel/panic_on_oops")
        with pytest.raises(GuestEnded) as caught:
            guest.load(module("ends"), how="oops")
        assert caught.value.ending == Ending(End.PANIC, Detail.OOPS, words="Fatal exception")
        assert "ends_init" in guest.log().text


@pytest.mark.parametrize("how", ["pages", "kmalloc", "vmalloc"])
def test_a_module_that_takes_all_memory(kernel: Kernel, module: Find, how: str) -> None:
    with Guest(kernel, memory=128, timeout=60) as guest:
        with pytest.raises(GuestEnded) as caught:
            guest.load(module("eats"), how=how)
        assert caught.value.end is End.PANIC
        assert caught.value.ending.detail is Detail.OUT_OF_MEMORY
        assert "eats_init" in guest.log().text


def test_qemu_killed_from_outside(guest: Guest) -> None:
    os.kill(guest.pid, signal.SIGKILL)
    with pytest.raises(GuestEnded) as caught:
        guest.run("true")
    assert caught.value.end is End.GUEST_LOST


def test_switched_off_by_a_command(guest: Guest) -> None:
    with pytest.raises(GuestEnded) as caught:
        guest.run("poweroff -f")
    assert caught.value.ending == Ending(End.POWERED_OFF, Detail.OFF)


def test_a_guest_that_scribbles_over_its_window(guest: Guest) -> None:
    guest.run("true")
    session = guest._session
    assert session is not None
    window = session.vm.channel._map
    window[4096 * 8193 :] = b"\xa5" * (len(window) - 4096 * 8193)
    window[40:48] = b"\xa5" * 8
    with pytest.raises(GuestEnded) as caught:
        guest.run("true")
    assert caught.value.end is End.GUEST_LOST
