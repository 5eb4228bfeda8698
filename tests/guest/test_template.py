# SPDX-License-Identifier: MIT
"""Templates: made once, noticed when damaged, bounded, never pulled from under a clone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.errors import UsageError
from lkm.guest import Guest, list_templates, remove_templates, store, template
from lkm.guest.start import Settings, find_machine
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, with one template of the kernel in it."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"


def answers(kernel: Kernel, **settings: object) -> bool:
    with Guest(kernel, **settings) as guest:  # type: ignore[arg-type]
        return guest.run("echo yes").stdout == "yes\n"


def made() -> list[tuple[str, int]]:
    return [(one.key, one.mem.stat().st_ino) for one in list_templates()]


def test_damage_is_noticed_and_mended(kernel: Kernel, cache: Path) -> None:
    assert answers(kernel)
    first = made()
    assert len(first) == 1
    assert answers(kernel)
    assert made() == first

    (one,) = list_templates()
    state = one.state.read_bytes()
    one.state.write_bytes(state[:-100] + bytes(100))  # as long as before, other bytes
    assert list_templates() == []
    assert answers(kernel)
    second = made()
    assert second != first

    (one,) = list_templates()
    with one.mem.open("r+b") as mem:
        mem.seek(64 << 20)
        mem.write(b"damage")
    assert answers(kernel)
    assert made() != second

    (one,) = list_templates()
    (one.path / "meta.json").write_text("{")
    assert answers(kernel)

    (one,) = list_templates()
    one.mem.unlink()
    assert answers(kernel)
    assert len(list_templates()) == 1


def test_another_boot_of_the_machine_reads_it_in_full_once(kernel: Kernel, cache: Path) -> None:
    assert answers(kernel)
    (one,) = list_templates()
    meta = json.loads((one.path / "meta.json").read_text())
    meta["boot_id"] = "another"
    (one.path / "meta.json").write_text(json.dumps(meta))
    assert list_templates() == [one]
    assert json.loads((one.path / "meta.json").read_text())["boot_id"] != "another"
    # and notices what changed meanwhile
    meta["files"]["mem"]["crc"] ^= 1
    (one.path / "meta.json").write_text(json.dumps(meta))
    assert list_templates() == []


def test_a_pair_that_does_not_restore_is_made_again_once(kernel: Kernel, cache: Path) -> None:
    assert answers(kernel)
    (one,) = list_templates()
    before = made()
    # A state that is whole by its marks and still not one that QEMU takes.
    one.state.write_bytes(b"\0" * one.state.stat().st_size)
    meta = json.loads((one.path / "meta.json").read_text())
    meta["files"]["state"] = {
        name: getattr(template._mark(one.state), name)
        for name in ("size", "inode", "mtime_ns", "ctime_ns", "crc")
    }
    (one.path / "meta.json").write_text(json.dumps(meta))
    assert list_templates() == [one]
    assert answers(kernel)
    assert made() != before


@pytest.mark.parametrize("arch", ["aarch64", "i686"])
def test_a_kernel_for_another_machine_has_no_guest(kernel: Kernel, arch: str) -> None:
    """Though QEMU may be here for it."""
    other = replace(kernel, arch=arch)
    with pytest.raises(UsageError, match=f"is for {arch}; guests are x86_64"):
        find_machine(Settings(other))


def test_what_shapes_a_guest_is_in_the_key(kernel: Kernel) -> None:
    keys = set()
    for settings in (
        Settings(kernel),
        Settings(kernel, memory=512),
        Settings(kernel, cpus=2),
        Settings(kernel, accelerator="kvm"),
    ):
        machine = find_machine(settings)
        keys.add(template.build_key(kernel, machine, "")[0])
        keys.add(template.build_key(kernel, machine, "debug")[0])
    assert len(keys) == 8


def test_another_image_makes_another_template(kernel: Kernel, tmp_path: Path) -> None:
    assert kernel.image is not None
    copy = tmp_path / "image"
    shutil.copy2(kernel.image, copy)
    machine = find_machine(Settings(kernel))
    other = replace(kernel, image=copy)
    key = template.build_key(other, machine, "")[0]
    assert key != template.build_key(kernel, machine, "")[0]
    os.utime(copy, (1, 1))
    assert template.build_key(other, machine, "")[0] != key


def test_twenty_that_start_together_make_it_once(kernel: Kernel, cache: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda _: answers(kernel, memory=128), range(20)))
    assert said == [True] * 20
    assert len(made()) == 1
    assert {path.name[0] for path in (cache / "templates").iterdir() if path.name[:5] == ".new-"} == set()


def test_one_in_use_stays(kernel: Kernel, cache: Path) -> None:
    with Guest(kernel) as guest:
        assert remove_templates() == 0
        assert len(list_templates()) == 1
        assert guest.run("true").status == 0
    assert remove_templates(kernel) > 1 << 20
    assert list_templates() == []
    assert remove_templates() == 0


def test_the_bound(kernel: Kernel, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(kernel)
    assert answers(kernel, memory=128)
    assert answers(kernel)  # so the other is the one used longest ago
    monkeypatch.setattr(store, "BOUND", 1)
    assert answers(kernel, memory=160)
    assert [one.memory for one in list_templates()] == [160]


CHILD = """
import sys, time
from lkm.kernel import find_kernel
from lkm.guest import Guest
with Guest(find_kernel(sys.argv[1])) as guest:
    print(guest.pid, flush=True)
    time.sleep(1000)
"""


def test_kill_9_of_the_owner_ends_the_guest_and_leaves_nothing(kernel: Kernel) -> None:
    if not kernel.name.startswith("debian:"):
        pytest.skip("needs a kernel that has a name")
    argv = [sys.executable, "-c", CHILD, kernel.name]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        owner.send_signal(signal.SIGKILL)
    for _ in range(500):
        if not is_running(pid):
            break
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Whether the process is there and has not ended (it may wait for an init that reaps nobody)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_open(path: Path) -> bool:
    """Whether a process has the file open or mapped."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(path) in (process / "maps").read_text():
                return True
            if any(one.is_symlink() and one.readlink() == path for one in (process / "fd").iterdir()):
                return True
    return False


def test_kill_9_while_a_template_is_made(kernel: Kernel, tmp_path: Path) -> None:
    if not kernel.name.startswith("debian:"):
        pytest.skip("needs a kernel that has a name")
    cache = tmp_path / "cache"
    code = "import os; kernel_cache = os.environ['LKM_CACHE']\n" + CHILD.replace(
        "with Guest(find_kernel(sys.argv[1]))",
        f"kernel = find_kernel(sys.argv[1]); os.environ['LKM_CACHE'] = {str(cache)!r}\nwith Guest(kernel)",
    )
    with subprocess.Popen([sys.executable, "-c", code, kernel.name], stdout=subprocess.PIPE) as owner:
        for _ in range(1000):
            if list(cache.glob("templates/.new-*/mem")):
                break
            time.sleep(0.02)
        owner.send_signal(signal.SIGKILL)
    (part,) = cache.glob("templates/.new-*/mem")
    for _ in range(500):
        if not is_open(part):
            break
        time.sleep(0.02)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LKM_CACHE", str(cache))
        assert list_templates() == []
        assert answers(kernel)
        assert len(list_templates()) == 1
    assert not list(cache.glob("templates/.new-*"))
