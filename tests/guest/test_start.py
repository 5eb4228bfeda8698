# SPDX-License-Identifier: MIT
"""What this machine may lack: clear errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lkm.errors import BadInputError, MissingError
from lkm.guest import Guest
from lkm.guest.agent import build_agent, build_launcher
from lkm.guest.boot import build_initramfs
from lkm.guest.machine import Machine, build_command_line
from lkm.guest.qemu import Qemu, find_qemu
from lkm.kernel import Kernel


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("nothing_installed")
def test_no_qemu() -> None:
    with pytest.raises(MissingError, match="qemu-system-x86_64") as caught:
        find_qemu("x86_64")
    assert "doctor" in caught.value.hint


def test_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="compiler"):
        build_agent()


def test_a_broken_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    broken = tmp_path / "qemu-system-x86_64"
    broken.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MissingError, match="broken"):
        find_qemu("x86_64")


def test_without_busybox_there_is_still_a_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.guest.boot.find_busybox", lambda: None)
    data = build_initramfs()
    assert b"bin/busybox" not in data
    assert b"init" in data


@pytest.mark.guest
def test_a_launcher_that_was_just_removed(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another version of lkm does that keeps its own in the same cache."""
    removed = tmp_path / "launch"
    answers = iter([removed])
    monkeypatch.setattr("lkm.guest.vm.build_launcher", lambda: next(answers, None) or build_launcher())
    with Guest(kernel) as guest:
        assert guest.modules() == ()
    monkeypatch.setattr("lkm.guest.vm.build_launcher", lambda: removed)
    with pytest.raises(MissingError, match=f"qemu.*{removed}: No such file"):
        Guest(kernel).start()


@pytest.mark.guest
def test_a_guest_without_a_shell_says_so(
    kernel: Kernel, hello: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lkm.guest.boot.find_busybox", lambda: None)
    with Guest(kernel, template=False) as guest:
        assert guest.load(hello).ok
        with pytest.raises(MissingError, match="busybox"):
            guest.run("true")


@pytest.mark.parametrize(("accelerator", "cpus"), [("tcg", 1), ("tcg", 2), ("kvm", 1)])
def test_what_is_left_out_under_emulation(accelerator: str, cpus: int) -> None:
    machine = Machine(Qemu(Path("qemu"), "7.2.0", False), accelerator, 256, cpus)
    template, once = (build_command_line(machine, saved=saved).split() for saved in (True, False))
    # A clone would look up the name of each module's init function as long as one is refused.
    assert not any(word.startswith("initcall_blacklist=") for word in template)
    assert ("initcall_blacklist=init_tsc_clocksource" in once) == (accelerator == "tcg")
    assert ("noreplace-smp" in once) == (accelerator == "tcg" and cpus == 1)


@pytest.mark.guest
def test_a_guest_that_is_not_saved_keeps_its_clock(kernel: Kernel) -> None:
    name = "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"
    with Guest(kernel, template=False) as guest:
        before = guest.run(name).raw_stdout
        # The kernel would change its clock a second after its drivers began, in the midst of a module's log.
        assert guest.run("sleep 1.5; " + name).raw_stdout == before
        assert "clocksource" not in guest.log().text


@pytest.mark.guest
def test_a_kernel_without_an_image(kernel: Kernel) -> None:
    with pytest.raises(BadInputError, match="no image"):
        Guest(replace(kernel, image=None)).start()


@pytest.mark.guest
def test_an_image_that_does_not_boot(kernel: Kernel, tmp_path: Path) -> None:
    # Too little memory to unpack its own initramfs is a kernel that does not get as far as the agent.
    with pytest.raises(BadInputError) as caught:
        Guest(kernel, memory=24, template=False).start()
    assert "did not boot" in caught.value.message or "ended" in caught.value.message


@pytest.mark.guest
def test_more_memory_than_there_is(kernel: Kernel) -> None:
    with pytest.raises(MissingError, match="memory"):
        Guest(kernel, memory=1 << 26, template=False).start()
