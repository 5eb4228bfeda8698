# SPDX-License-Identifier: MIT
"""A machine is told by its own programs: real ones, in a small system that records how they are called."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from install_roots import put, read_tree

from lkm import process
from lkm.errors import UsageError
from lkm.guest.identity import find_busybox
from lkm.install import How, Request, describe_plan, make_plan, plan_removal, read_source, uninstall
from lkm.install.machine import find_machine
from lkm.install.value import Places
from lkm.kernel import Kernel

pytestmark = pytest.mark.fetch
# Each program writes its own name and words to /calls, then does what follows.
SCRIPT = '#!/bin/sh\necho "${0##*/}" "$@" >>/calls\n'


@pytest.fixture
def system(root: Path) -> Path:
    """A root that programs run in: busybox, another kernel, and no way yet to be told of kernels."""
    busybox = find_busybox()
    assert busybox is not None, "busybox is among what lkm needs"
    hooks = ("etc/kernel/postinst.d", "etc/kernel/postrm.d")
    for name in ("bin", "sbin", "usr/bin", "usr/sbin", "boot", "tmp", *hooks):
        (root / name).mkdir(parents=True)
    for name in ("proc", "dev", "sys"):
        (root / name).mkdir()
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("sh", "run-parts", "cp", "cat", "rm", "mv"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "boot/vmlinuz-1.0-other").write_bytes(b"another kernel")
    return root


def add(system: Path, name: str, then: str = "") -> None:
    path = system / name
    path.write_text(SCRIPT + then)
    path.chmod(0o755)


def calls(system: Path) -> list[str]:
    return (system / "calls").read_text().splitlines() if (system / "calls").exists() else []


def test_hooks_as_the_distributions_own_packages_run_them(system: Path, kernel_a: Kernel) -> None:
    release = kernel_a.release
    image = f"/boot/vmlinuz-{release}"
    add(system, "etc/kernel/postinst.d/initramfs", 'cp "$2" /boot/initrd.img-$1')
    add(
        system,
        "etc/kernel/postinst.d/zz-menu",
        "cat /proc/self/status >/dev/null && ls /boot >/menu 2>&1 || true",
    )
    add(system, "etc/kernel/postrm.d/initramfs", "rm /boot/initrd.img-$1")
    add(system, "usr/sbin/update-initramfs")  # what such a script calls
    start = read_tree(system)
    done = put(kernel_a, system, via=How.HOOKS)
    assert done.ok and done.how is How.HOOKS, done.ran
    assert calls(system) == [f"initramfs {release} {image}", f"zz-menu {release} {image}"]
    assert (system / f"boot/initrd.img-{release}").read_bytes() == (system / image[1:]).read_bytes()
    gone = uninstall(plan_removal(release, system))
    assert gone.ok and calls(system)[2:] == [f"initramfs {release} {image}"]
    left = read_tree(system)
    assert {name: data for name, data in left.items() if name not in ("calls", "menu")} == start


def test_what_is_shown_is_what_is_run(system: Path, kernel_a: Kernel) -> None:
    add(system, "etc/kernel/postinst.d/initramfs")
    assert kernel_a.modules is not None
    (kernel_a.modules / "modules.dep").unlink()  # so that depmod is run
    plan = make_plan(read_source(kernel_a), Request(system, via=How.HOOKS))
    shown = [list(step.argv) for step in describe_plan(plan) if step.argv]
    assert len(shown) == 2 and shown[0][0] == "depmod"
    lines: list[str] = []
    process.set_trace(lines.append)
    try:
        put(kernel_a, system, via=How.HOOKS)
    finally:
        process.set_trace(None)
    assert [shlex.split(line) for line in lines] == shown


def test_installkernel_is_given_what_make_gives_it(system: Path, kernel_a: Kernel) -> None:
    release = kernel_a.release
    # As Debian's: copies image, map and the .config beside that.
    add(
        system,
        "sbin/installkernel",
        'cp "$2" "$4/vmlinuz-$1"; cp "$3" "$4/System.map-$1"; cp "${3%/*}/.config" "$4/config-$1"\n'
        'echo initramfs >"$4/initrd.img-$1"',
    )
    add(system, "usr/sbin/dracut")
    done = put(kernel_a, system, via=How.INSTALLKERNEL)
    assert done.ok, done.ran
    (call,) = calls(system)
    words = call.split()
    assert words[:2] == ["installkernel", release] and words[4] == "/boot"
    assert words[2].endswith("/vmlinuz") and words[3].endswith("/System.map")
    assert kernel_a.image is not None and kernel_a.config is not None
    assert (system / f"boot/vmlinuz-{release}").read_bytes() == kernel_a.image.read_bytes()
    assert (system / f"boot/config-{release}").read_bytes() == kernel_a.config.read_bytes()
    assert not list(system.rglob(".lkm-new*"))
    uninstall(plan_removal(release, system))
    assert sorted(path.name for path in (system / "boot").iterdir()) == ["vmlinuz-1.0-other"]


@pytest.mark.parametrize(
    ("generator", "configured", "words"),
    [
        ("", "", ["kernel-install add {0} /boot/vmlinuz-{0} /boot/initrd.img-{0}"]),
        (
            "update-initramfs",
            "layout=bls\n#initrd_generator=dracut\nuki_generator=none\n",
            ["update-initramfs -c -k {0}", "kernel-install add {0} /boot/vmlinuz-{0} /boot/initrd.img-{0}"],
        ),
        ("dracut", "initrd_generator=dracut\n", ["kernel-install add {0} /boot/vmlinuz-{0}"]),
    ],
)
def test_kernel_install(
    generator: str, configured: str, words: list[str], system: Path, kernel_a: Kernel
) -> None:
    release = kernel_a.release
    add(system, "usr/bin/kernel-install")
    (system / "usr/sbin/installkernel").symlink_to("../bin/kernel-install")  # it would copy nothing
    if generator:
        add(system, f"usr/sbin/{generator}")
    (system / "etc/kernel/install.conf").write_text(configured)
    done = put(kernel_a, system, via=How.KERNEL_INSTALL)
    assert done.ok, done.ran
    assert calls(system) == [word.format(release) for word in words]
    assert (system / f"boot/initrd.img-{release}").exists() == (not generator)
    uninstall(plan_removal(release, system))
    assert calls(system)[len(words) :] == [f"kernel-install remove {release}"]
    assert find_machine(system).how is How.FILES
    with pytest.raises(UsageError, match="or one that is kernel-install") as caught:
        find_machine(system, How.INSTALLKERNEL)
    assert caught.value.hint.startswith("it has: kernel-install")


def test_no_initramfs_is_none(system: Path, kernel_a: Kernel) -> None:
    add(system, "usr/bin/kernel-install")
    add(system, "usr/sbin/dracut")
    for how in (How.KERNEL_INSTALL, How.TOOLS):
        put(kernel_a, system, via=how, initramfs=False)
    assert calls(system) == [f"kernel-install add {kernel_a.release} /boot/vmlinuz-{kernel_a.release}"]


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        ("update-initramfs", "-c -k {}"),
        ("dracut", "--force /boot/initrd.img-{} {}"),
        ("mkinitcpio", "-k {} -g /boot/initrd.img-{}"),
    ],
)
def test_a_generator_and_a_boot_loader_alone(
    generator: str, words: str, system: Path, kernel_a: Kernel
) -> None:
    add(system, f"usr/sbin/{generator}")
    add(system, "usr/sbin/grub-mkconfig")
    (system / "boot/grub").mkdir()
    (system / "boot/grub/grub.cfg").touch()
    release = kernel_a.release
    put(kernel_a, system, via=How.TOOLS)
    assert calls(system) == [
        f"{generator} {words.format(release, release)}",
        "grub-mkconfig -o /boot/grub/grub.cfg",
    ]
    uninstall(plan_removal(release, system))
    assert calls(system)[2:] == ["grub-mkconfig -o /boot/grub/grub.cfg"]


def test_a_hook_that_fails_is_told_and_can_be_undone(system: Path, kernel_a: Kernel) -> None:
    add(system, "etc/kernel/postinst.d/initramfs", "echo no space >&2; exit 7")
    add(system, "etc/kernel/postinst.d/zz-menu")
    start = read_tree(system)
    done = put(kernel_a, system, via=How.HOOKS)
    assert not done.ok and done.ran[-1].status and "no space" in done.ran[-1].said
    assert len(calls(system)) == 1, "the boot loader is not told of a kernel without its initramfs"
    uninstall(plan_removal(kernel_a.release, system))
    now = read_tree(system)
    assert {name: data for name, data in now.items() if name != "calls"} == start


def test_without_a_generator_the_initramfs_is_ours(system: Path, kernel_a: Kernel) -> None:
    add(system, "etc/kernel/postinst.d/zz-menu", "cp /boot/initrd.img-$1 /seen")
    put(kernel_a, system, via=How.HOOKS)
    assert (system / "seen").read_bytes()[:6] == b"070701", "there before the boot loader is told"


def test_ways_that_are_not_there(system: Path, kernel_a: Kernel) -> None:
    with pytest.raises(UsageError, match=r"has no scripts in /etc/kernel/postinst\.d") as caught:
        put(kernel_a, system, via=How.HOOKS)
    assert caught.value.hint == "it has: files"


def test_the_last_kernel_of_a_system_stays(system: Path, kernel_a: Kernel) -> None:
    add(system, "etc/kernel/postinst.d/initramfs")
    put(kernel_a, system, via=How.HOOKS)
    (system / "boot/vmlinuz-1.0-other").unlink()
    with pytest.raises(UsageError, match="is the only kernel in"):
        plan_removal(kernel_a.release, system)
    assert plan_removal(kernel_a.release, system, force=True).files
    places = Places(system, kernel_a.release)
    assert places.inside(places.image) == f"/boot/vmlinuz-{kernel_a.release}"
