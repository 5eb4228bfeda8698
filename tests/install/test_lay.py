# SPDX-License-Identifier: MIT
"""What is laid out, against `make install`, `modules_install` and depmod themselves; and when it fails."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from install_roots import put, read_tree

from lkm.errors import BadInputError, MissingError, UsageError
from lkm.install import Request, make_plan, plan_removal, read_source, uninstall
from lkm.install.plan import check_room
from lkm.install.value import MANIFEST, read_manifest
from lkm.kernel import Kernel, find_kernel

pytestmark = pytest.mark.fetch
KILLER = Path(__file__).parents[1] / "support/install_killer.py"


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is such a place: a disk is waited for at each step."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="lkm-", dir="/dev/shm") as place:
        yield Path(place)


def test_the_same_bytes_as_make_lays_out(built: Kernel, laid: Path, tmp_path: Path) -> None:
    make = ["make", "-s", "-C", str(built.build)]
    (tmp_path / "boot").mkdir()
    for words in (
        (f"INSTALL_MOD_PATH={tmp_path}", "modules_install"),
        (f"INSTALL_PATH={tmp_path}/boot", "install"),
    ):
        # Its scripts/install.sh takes a person's own ~/bin/installkernel first.
        env = {**os.environ, "HOME": str(tmp_path / "home")}
        subprocess.run([*make, *words], check=True, capture_output=True, env=env, timeout=300)
    theirs, ours = read_tree(tmp_path), read_tree(laid)
    # Without an installkernel, the kernel's own arch/x86/boot/install.sh leaves release and config out.
    names = {f"boot/{name}": f"boot/{name}-{built.release}" for name in ("vmlinuz", "System.map")}
    theirs = {names.get(name, name): data for name, data in theirs.items()}
    made_by_us = {f"boot/initrd.img-{built.release}", f"boot/config-{built.release}"}
    assert ours.keys() - theirs.keys() <= made_by_us
    assert theirs == {name: data for name, data in ours.items() if name in theirs}
    assert any(name.endswith(".ko") for name in theirs) and f"boot/vmlinuz-{built.release}" in theirs
    for name in ("modules.dep", "modules.dep.bin", "modules.alias", "modules.symbols.bin"):
        assert f"lib/modules/{built.release}/{name}" in theirs


def test_compressed_as_configured(built: Kernel, root: Path, tmp_path: Path) -> None:
    build, theirs = tmp_path / "build", tmp_path / "theirs"
    assert built.build is not None
    shutil.copytree(built.build, build, symlinks=True)
    for name in (".config", "include/config/auto.conf"):
        with (build / name).open("a") as file:
            file.write("CONFIG_MODULE_COMPRESS_XZ=y\n")
    kernel = find_kernel(str(build), need_build=False)
    plan = make_plan(read_source(kernel), Request(root))
    done = put(kernel, root, names=("pps-ktimer",))
    argv = ["make", "-s", "-C", str(build), f"INSTALL_MOD_PATH={theirs}", "modules_install"]
    subprocess.run(argv, check=True, capture_output=True, timeout=300)
    place = f"lib/modules/{kernel.release}/"
    ours = {name: data for name, data in read_tree(root).items() if name.startswith(place)}
    assert ours == read_tree(theirs)
    modules = [name for name in ours if ".ko" in name]
    assert done.modules == len(modules) == 2 and all(name.endswith(".ko.xz") for name in modules)
    assert (
        b"pps-ktimer.ko.xz: " in ours[f"{place}modules.dep"] and done.size <= plan.tree_size + plan.boot_size
    )
    archive = gzip.decompress((root / f"boot/initrd.img-{kernel.release}").read_bytes())
    assert b"/pps-ktimer.ko\0" in archive and b".ko.xz" not in archive  # busybox need not unpack them


def test_without_kmod_the_dependency_files_are_the_same(
    laid: Path, kernel_a: Kernel, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kernel_a.modules is not None
    for path in kernel_a.modules.glob("modules.*"):
        if path.name not in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            path.unlink()
    programs = root.parent / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(
        "lkm.process.find_program", lambda name: None if name == "depmod" else shutil.which(name)
    )
    put(kernel_a, root, initramfs=False)
    place = f"lib/modules/{kernel_a.release}/modules."

    def read(where: Path) -> dict[str, list[bytes]]:
        # The order of modules.symbols is that of kmod's hash table; tests/modtree compares the indexes.
        found = {name: data for name, data in read_tree(where).items() if name.startswith(place)}
        return {name: sorted(data.split(b"\n")) for name, data in found.items() if name[-4:] != ".bin"}

    theirs = read(laid)
    ours = {name: lines for name, lines in read(root).items() if name in theirs}  # an older kmod has fewer
    assert ours == theirs and len(ours) > 6


def test_stripped_by_the_kernels_own_make(built: Kernel, laid: Path, root: Path) -> None:
    done = put(built, root, strip=True, initramfs=False)
    assert done.modules == 2 and not (root / f"boot/initrd.img-{built.release}").exists()
    small, whole = (sorted(place.rglob("*.ko")) for place in (root, laid))
    assert [path.name for path in small] == [path.name for path in whole]
    said = [subprocess.run(["readelf", "-S", path], capture_output=True, text=True).stdout for path in small]
    assert all(".symtab" in text and ".debug_info" not in text for text in said)


def test_a_kernel_without_loadable_modules(built: Kernel, kernel_a: Kernel, root: Path) -> None:
    assert kernel_a.config is not None
    text = kernel_a.config.read_text().replace("CONFIG_MODULES=y", "# CONFIG_MODULES is not set")
    kernel_a.config.write_text(text)
    done = put(kernel_a, root)
    assert done.ok and done.modules == 0
    names = {name for name in read_tree(root) if not name.startswith("boot/")}
    assert names == set() and len(done.files) == 4
    uninstall(plan_removal(built.release, root))
    assert read_tree(root) == {}


def test_again_keeps_the_last_one_and_what_others_added(
    make_kernel: Callable[..., Kernel], root: Path, tmp_path: Path
) -> None:
    first, second = make_kernel(tmp_path / "a"), make_kernel(tmp_path / "b", b"second")
    put(first, root, names=("pps-ktimer",))
    before = read_tree(root / "boot")
    tree = root / f"lib/modules/{first.release}"
    (tree / "updates").mkdir()
    module = next((tree / "kernel").rglob("pps_core.ko"))
    shutil.copy(module, tree / "updates/added.ko")
    done = put(second, root, force=True, names=("pps-ktimer",))
    now = read_tree(root / "boot")
    assert {name: now[f"{name}.old"] for name in before} == before
    assert all(now[name] != data for name, data in before.items())
    assert sorted(path.name for path in done.kept) == sorted(f"{name}.old" for name in before)
    assert "updates/added.ko" in (tree / "modules.dep").read_text()
    assert find_kernel(str(root), need_build=False).release == first.release, (
        "what is .old is no other kernel"
    )
    gone = uninstall(plan_removal(first.release, root))
    assert read_tree(root).keys() == {f"lib/modules/{first.release}/updates/added.ko"}
    assert gone.left == (tree / "updates/added.ko",)


def test_another_kernel_of_that_release_is_refused_and_by_force_kept(
    make_kernel: Callable[..., Kernel], root: Path, tmp_path: Path
) -> None:
    first, second = make_kernel(tmp_path / "a"), make_kernel(tmp_path / "b", b"second")
    put(first, root)
    with pytest.raises(UsageError, match=r"another kernel .* is there already: kernel, installed 2"):
        put(second, root)
    (root / f"lib/modules/{first.release}/.lkm-install.json").unlink()
    before = read_tree(root)
    with pytest.raises(UsageError, match="is there already, which lkm did not install"):
        put(second, root)
    assert read_tree(root) == before
    put(second, root, force=True)
    put(second, root)  # again: what was there first is still what goes back
    assert (root / f"lib/modules/{first.release}.old").is_dir()
    uninstall(plan_removal(first.release, root))
    assert read_tree(root) == before


def test_directories_go_with_the_last_kernel_where_lkm_made_them(
    kernel_a: Kernel, root: Path, tmp_path: Path
) -> None:
    assert kernel_a.image is not None and kernel_a.modules is not None
    (root / "boot").mkdir()
    put(kernel_a, root)
    other = root / f"lib/modules/other/{MANIFEST}"  # another of lkm's, which came second
    other.parent.mkdir()
    first = json.loads((root / f"lib/modules/{kernel_a.release}/{MANIFEST}").read_bytes())
    assert first["made"] == ["lib/modules", "lib"]
    other.write_text(json.dumps({**first, "release": "other", "modules": [], "boot": {}}))
    uninstall(plan_removal(kernel_a.release, root))
    assert sorted(path.name for path in root.iterdir()) == ["boot", "lib"]
    put(kernel_a, root)
    uninstall(plan_removal("other", root))
    assert (root / f"lib/modules/{kernel_a.release}").is_dir()
    uninstall(plan_removal(kernel_a.release, root))
    assert [path.name for path in root.iterdir()] == ["boot"], "boot was there before"

    put(kernel_a, root)
    record = root / f"lib/modules/{kernel_a.release}/{MANIFEST}"
    record.write_text(json.dumps({**json.loads(record.read_bytes()), "made": ["../x"]}))
    with pytest.raises(BadInputError, match="another directory than those of kernels"):
        plan_removal(kernel_a.release, root)


@pytest.mark.parametrize("mode", ["again", "foreign", "remove"])
def test_killed_at_every_step(
    mode: str, make_kernel: Callable[..., Kernel], work: Path, tmp_path: Path
) -> None:
    """Other kernels are as they were, and one of that release boots; doing it again ends as it should."""
    first = make_kernel(tmp_path / "a")
    make_kernel(tmp_path / "b", b"second")
    argv = [
        sys.executable,
        str(KILLER),
        mode,
        str(work),
        str(tmp_path / "a"),
        str(tmp_path / "b"),
        first.release,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_two_at_once_do_not_mix(make_kernel: Callable[..., Kernel], root: Path, tmp_path: Path) -> None:
    kernels = [make_kernel(tmp_path / name, name.encode()) for name in ("a", "b")]
    alone = []
    for kernel in kernels:
        (tmp_path / f"alone-{kernel.name}").mkdir()
        put(kernel, tmp_path / f"alone-{kernel.name}")
        alone.append(read_tree(tmp_path / f"alone-{kernel.name}"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda kernel: put(kernel, root, force=True), kernels * 2))
    now = {name: data for name, data in read_tree(root).items() if not name.endswith(".old")}
    assert now in alone


def put_on_a_disk(kernel: Kernel, root: Path, place: Path, options: str) -> str:
    """Installs below `root` with a file system of its own, mounted where nobody else sees it, at `place`; the
    error, its hint and what is there afterwards.
    """
    code = (
        "import sys; from install_roots import *; from lkm.kernel import find_kernel\n"
        "from lkm.errors import MissingError\n"
        "kernel = find_kernel(sys.argv[1], need_build=False)\n"
        "root = Path(sys.argv[2])\n"
        "try: put(kernel, root)\n"
        "except MissingError as error: print(error.message, error.hint, sorted(read_tree(root)))"
    )
    mount = f'mount --make-rprivate /; mount -t tmpfs -o {options} none "$0" && exec "$@"'
    python = [sys.executable, "-c", code, str(kernel.build), str(root)]
    unshare = ["unshare", "--mount", "--propagation", "unchanged"]  # in a chroot it cannot be changed
    unshare += [] if os.geteuid() == 0 else ["--map-root-user"]
    argv = [*unshare, "sh", "-c", mount, str(place), *python]
    path = os.pathsep.join([str(KILLER.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_too_little_room_is_found_before_anything_is_written(built: Kernel, tmp_path: Path) -> None:
    """A file system too small for /boot, then for /lib/modules."""
    assert built.image is not None
    for full, size in (("boot", 5 << 20), ("lib/modules", 4 << 20)):
        root = tmp_path / full.replace("/", "-")
        (root / full).mkdir(parents=True)
        said = put_on_a_disk(built, root, root / full, f"size={size}")
        assert f"no room on the disk of {root / full}: " in said
        assert "--root DIR" in said and said.rstrip().endswith("[]")
        assert "uninstall" not in said, "nothing is installed there that could go"


def test_a_place_that_is_read_only_is_told_as_that(built: Kernel, tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    said = put_on_a_disk(built, tmp_path, tmp_path / "boot", "ro")
    assert said == f"cannot write in {tmp_path}/boot: Read-only file system another place: --root DIR []\n"


def test_what_makes_room_names_the_place(built: Kernel, laid: Path) -> None:
    plan = make_plan(read_source(built), Request(laid, strip=True))
    with pytest.raises(MissingError, match="no room on the disk") as caught:
        check_room(replace(plan, tree_size=1 << 60))
    assert caught.value.hint == f"lkm kernel uninstall RELEASE --root {laid}; another place: --root DIR"


def test_what_is_wrong_with_the_place(built: Kernel, tmp_path: Path) -> None:
    source = read_source(built)
    with pytest.raises(UsageError, match="does not exist") as caught:
        make_plan(source, Request(tmp_path / "none"))
    assert caught.value.hint == f"mkdir -p {tmp_path / 'none'}"
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a directory"):
        make_plan(source, Request(tmp_path / "file"))
    (tmp_path / "a b").mkdir()
    with pytest.raises(UsageError, match="a path with a space"):
        make_plan(source, Request(tmp_path / "a b"))
    with pytest.raises(UsageError, match="is for aarch64, this machine is"):
        other = replace(source, kernel=replace(source.kernel, arch="aarch64"))
        make_plan(other, Request(Path("/")))


def test_the_record_names_nothing_outside(laid: Path, built: Kernel) -> None:
    manifest = read_manifest(laid / f"lib/modules/{built.release}/.lkm-install.json")
    assert manifest is not None and manifest.image == str(built.image) and not manifest.restore
    listed = {f"lib/modules/{built.release}/{name}" for name in manifest.modules}
    listed |= {f"boot/{name}" for name in manifest.boot}
    assert listed == read_tree(laid).keys()


def test_the_root_is_a_kernel_by_itself(laid: Path, built: Kernel) -> None:
    kernel = find_kernel(str(laid), need_build=False)
    assert (kernel.release, kernel.image) == (built.release, laid / f"boot/vmlinuz-{built.release}")
    assert kernel.modules == laid / f"lib/modules/{built.release}" and kernel.build == built.build
