# SPDX-License-Identifier: MIT
"""`lkm kernel install` and `uninstall`, as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Command

from lkm.kernel import Kernel

pytestmark = pytest.mark.fetch


def test_install_and_uninstall(command: Command, built: Kernel, root: Path) -> None:
    release = built.release
    shown, _ = command("install", built.build or "", "--root", root, "--dry-run")
    assert f"    make --no-print-directory -C {built.build} " in shown and "modules_install\n" in shown
    assert not list(root.iterdir()), "--dry-run writes nothing"
    out, err = command("install", built.build or "", "--root", root)
    assert out.startswith(f"{root}/boot/vmlinuz-{release}  ") and "  2 modules, " in out
    assert "installing modules" in err and "…" not in err
    assert f"hint: lkm kernel install {built.build} --root {root} --prove boots" in err
    assert f"hint: lkm run --kernel {root} MODULE" in err
    again = json.loads(command("install", built.build or "", "--root", root, "--json")[0])
    assert again["schema"] == 1 and again["ok"] and again["modules"] == 2 and again["proof"] is None
    assert len(again["files"]) == 4
    assert again["kept"] == [] and "the same was installed already" in again["notes"][-1]
    assert not list((root / "boot").glob("*.old"))

    _, err = command("uninstall", "--root", root, status=2)
    assert f"hint: lkm kernel uninstall {release} --root {root}; installed by lkm: {release}" in err
    _, err = command("uninstall", f"{release}x", "--root", root, status=2)
    assert f"hint: lkm kernel uninstall {release} --root {root}" in err

    steps = json.loads(command("uninstall", release, "--root", root, "--dry-run", "--json")[0])["steps"]
    assert steps[0]["what"].startswith("remove ") and (root / f"boot/vmlinuz-{release}").exists()
    gone = json.loads(command("uninstall", built.name, "--root", root, "--json")[0])
    assert gone["ok"] and gone["release"] == release and gone["left"] == []
    _, err = command("uninstall", "--root", root / "nowhere", status=2)
    assert f"{root / 'nowhere'} does not exist" in err
    _, err = command("uninstall", "--root", __file__, status=2)
    assert f"{__file__} is not a directory" in err
    assert list(root.iterdir()) == [], "the directories that installing made are gone, too"
    _, err = command("uninstall", release, "--root", root, status=2)
    assert f"no kernel '{release}' in {root}" in err and f"hint: lkm kernel install NAME --root {root}" in err


def test_what_lkm_did_not_install_is_left_alone(
    command: Command, make_kernel: Callable[..., Kernel], tmp_path: Path
) -> None:
    kernel = make_kernel(tmp_path / "a")
    assert kernel.modules is not None
    (kernel.modules / ".lkm-install.json").unlink()
    _, err = command("uninstall", kernel.release, "--root", tmp_path / "a", status=2)
    assert "was not installed by lkm" in err and "--force" in err
    command("uninstall", kernel.release, "--root", tmp_path / "a", "--force")
    assert [path for path in (tmp_path / "a").rglob("*") if not path.is_dir()] == []


def test_a_replaced_image_and_a_damaged_record(
    command: Command, make_kernel: Callable[..., Kernel], tmp_path: Path
) -> None:
    root = tmp_path / "a"
    kernel = make_kernel(root, b"changed")
    assert kernel.modules is not None
    _, err = command("uninstall", kernel.release, "--root", root, status=2)
    assert "is not the one that lkm installed" in err
    record = kernel.modules / ".lkm-install.json"
    data = json.loads(record.read_bytes())
    for key, value in (("modules", ["../../../etc/passwd"]), ("boot", {"../x": ""}), ("schema", 99)):
        record.write_text(json.dumps({**data, key: value}))
        _, err = command("uninstall", kernel.release, "--root", root, status=1)
        assert "damaged" in err and kernel.modules.exists()
        assert f"hint: lkm kernel uninstall --force {kernel.release} --root {root} " in err


def test_the_machine_itself_is_asked_for_and_needs_root(built: Kernel) -> None:
    """Where nobody can be asked nothing is done; who is not root is given the line with sudo."""
    words = [sys.executable, "-m", "lkm", "kernel", "install", str(built.build)]
    if os.geteuid() == 0:
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 2 and "nobody to ask: this changes the machine itself" in done.stderr
        assert "hint: --yes, or --root DIR" in done.stderr and f"-C {built.build} " in done.stderr
        # Somebody else, who may read what root may.
        read = "+dac_read_search"
        who = ["setpriv", "--reuid=64001", "--regid=64001", "--clear-groups"]
        words = [*who, f"--inh-caps={read}", f"--ambient-caps={read}", "--", *words]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 3 and "cannot write in /boot: not as this user" in done.stderr, done.stderr
    assert "hint: sudo LKM_CACHE=" in done.stderr and f"kernel install {built.build}" in done.stderr
    assert not list(Path("/boot").glob(".lkm-*"))


def test_words_that_do_not_go_together(command: Command, built: Kernel, root: Path) -> None:
    build = built.build or ""
    _, err = command("install", build, "--root", root, "--module", "x", "--no-initramfs", status=2)
    assert "--module is for the initramfs" in err
    _, err = command("install", build, "--root", root, "--module", "nothing", status=2)
    assert "no module 'nothing' in this kernel" in err and not list(root.rglob("*-*"))
    _, err = command("install", build, "--root", root, "--via", "installkernel", status=2)
    assert "has no /sbin/installkernel" in err
