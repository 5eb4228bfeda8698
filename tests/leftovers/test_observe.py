# SPDX-License-Identifier: MIT
"""Every thing that a module can forget is told, by its kind and name; a clean module leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import lkm
from lkm.kernel import Kernel
from lkm.leftovers.observe import find_observer
from lkm.leftovers.value import Kind, Leftover

pytestmark = pytest.mark.guest

FORGOTTEN = {
    "left_cache": (Kind.SLAB_CACHE, "left_cache"),
    "left_cdev": (Kind.CHARACTER_DEVICE, ":0"),
    "left_class": (Kind.SYSFS, "/sys/class/left_class"),
    "left_debugfs": (Kind.DEBUGFS, "/sys/kernel/debug/left_debugfs"),
    "left_filesystem": (Kind.FILESYSTEM, "left_filesystem"),
    "left_heap_timer": (Kind.TIMER, "left_tick"),
    "left_hrtimer": (Kind.HIGH_RESOLUTION_TIMER, "left_ring"),
    "left_interrupt": (Kind.INTERRUPT, "7"),
    "left_kobject": (Kind.SYSFS, "/sys/kernel/left_kobject"),
    "left_kprobe": (Kind.KPROBE, "do_fchmodat"),
    "left_misc": (Kind.MISC_DEVICE, "left_misc"),
    "left_netdev": (Kind.NETWORK_DEVICE, "left0"),
    "left_notifier": (Kind.POINTER, "_nb"),
    "left_number": (Kind.DEVICE_NUMBER, "'left_number'"),
    "left_ports": (Kind.IO_PORTS, "02f0-02f7 'left_ports'"),
    "left_proc": (Kind.PROC, "/proc/left_proc"),
    "left_queue": (Kind.WORKQUEUE, "left_queue"),
    "left_sysctl": (Kind.SYSCTL, "/proc/sys/kernel/left_sysctl"),
    "left_thread": (Kind.KERNEL_THREAD, "left_thread"),
    "left_timer": (Kind.TIMER, "left_tick"),
    "left_work": (Kind.DELAYED_WORK, "left_job"),
}
# What only memory tells, and that only over cycles; and the one that does not unload.
NOTHING_TO_SEE = ("left_pages", "left_percpu", "left_slab", "left_small", "left_vmalloc")


def leave(kernel: Kernel, path: Path, **settings: int) -> tuple[Leftover, ...]:
    """What one load and unload leaves behind."""
    result = lkm.run(path, kernel=kernel, job=lkm.Job(**settings))
    assert result.ok, (result.outcome, result.hint)
    assert result.leftovers is not None
    return result.leftovers


@pytest.mark.parametrize("name", sorted(FORGOTTEN))
def test_what_is_forgotten_is_told(kernel: Kernel, forgetful: Mapping[str, Path], name: str) -> None:
    kind, part = FORGOTTEN[name]
    found = leave(kernel, forgetful[name])
    assert [one.kind for one in found] == [kind], found
    assert part in found[0].name
    assert found[0].cause and found[0].cause in found[0].text


def test_every_module_is_in_a_table(forgetful: Mapping[str, Path]) -> None:
    assert {*FORGOTTEN, *NOTHING_TO_SEE, "left_reference", "clean_all"} == set(forgetful)


@pytest.mark.parametrize("settings", [{}, {"cpus": 2}, {"template": False}, {"memory": 128}], ids=str)
def test_a_clean_module_leaves_nothing(
    kernel: Kernel, forgetful: Mapping[str, Path], settings: dict[str, int]
) -> None:
    assert leave(kernel, forgetful["clean_all"], **settings) == ()


def test_what_waits_on_another_processor_is_seen(kernel: Kernel, forgetful: Mapping[str, Path]) -> None:
    assert [one.kind for one in leave(kernel, forgetful["left_timer"], cpus=2)] == [Kind.TIMER]


def test_the_examples_leave_nothing(kernel: Kernel, examples: Path) -> None:
    for name in ("hello", "exports"):
        result = lkm.run(examples / name, kernel=kernel)
        assert (result.ok, result.leftovers) == (True, ()), name


@pytest.mark.fetch
@pytest.mark.parametrize("name", [pytest.param("debian:6.12", marks=pytest.mark.slow), "debian:7.3"])
def test_other_kernels(kernel_named: Callable[[str], Kernel], tmp_path: Path, name: str) -> None:
    kernel = kernel_named(name)
    sources = Path(__file__).parent / "modules"
    wanted = ("clean_all", "left_filesystem", "left_hrtimer", "left_proc")
    (tmp_path / "Kbuild").write_text("".join(f"obj-m += {one}.o\n" for one in wanted))
    for one in wanted:
        (tmp_path / f"{one}.c").write_bytes((sources / f"{one}.c").read_bytes())
    for path in lkm.build(tmp_path, kernel=kernel).modules:
        expected = [FORGOTTEN[path.stem][0]] if path.stem in FORGOTTEN else []
        assert [one.kind for one in leave(kernel, path)] == expected, path.stem


def test_each_look_sees_the_same_while_the_guest_works(kernel: Kernel, forgetful: Mapping[str, Path]) -> None:
    """The tree of timers changes with each tick: of looks at a guest that runs every seventh missed one."""
    with lkm.Guest(kernel) as guest:
        observer = find_observer(guest.pid, kernel, memory=256, cpus=1)
        assert observer is not None
        guest.load(forgetful["left_hrtimer"])
        observer.note("left_hrtimer")
        guest.unload("left_hrtimer")
        for _ in range(100):
            found, _ = observer._once()
            assert [one.kind for one in found] == [Kind.HIGH_RESOLUTION_TIMER]
            guest.log()
        observer.close()


def test_a_reference_that_is_kept_says_why_the_module_stays(
    kernel: Kernel, forgetful: Mapping[str, Path]
) -> None:
    result = lkm.run(forgetful["left_reference"], kernel=kernel)
    assert result.outcome is lkm.Outcome.UNLOAD_FAILED
    assert "module_put() is missing" in result.hint
    assert "a program" not in result.hint, "none ran"
    assert result.leftovers is None, "what is still in use is not forgotten"


def test_the_saved_guest_is_looked_at_once(kernel: Kernel, forgetful: Mapping[str, Path]) -> None:
    with lkm.Guest(kernel) as guest:
        observer = find_observer(guest.pid, kernel, memory=256, cpus=1)
        assert observer is not None
        observer.close()
        line = next(
            one for one in Path(f"/proc/{guest.pid}/maps").read_text().splitlines() if one.endswith("/mem")
        )
        kept = Path(line.split(None, 5)[5]).with_name("inventory.json")
    assert "/proc/modules" in json.loads(kept.read_bytes())["things"]["proc"]
    kept.write_text("{")
    assert leave(kernel, forgetful["clean_all"]) == ()
    assert "/proc/modules" in json.loads(kept.read_bytes())["things"]["proc"]


def test_a_guest_that_cannot_be_read_is_not_looked_at(
    kernel: Kernel, forgetful: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lkm.leftovers.observe.find_layout", lambda kernel: None)
    assert lkm.run(forgetful["left_proc"], kernel=kernel).leftovers is None
