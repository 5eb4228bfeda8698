# SPDX-License-Identifier: MIT
"""Kernels in directories and files, and which one is the default; each is a small made-up one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lkm.errors import BadInputError, MissingError, UsageError
from lkm.kernel import Kernel, Origin, add_kernel, find_kernel, list_kernels
from lkm.kernel.store import sweep

RELEASE = "6.1.0-56-cloud-amd64"
Make = Callable[..., Path]


def write(root: Path, files: dict[str, bytes | Path]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content)
    return root


@pytest.fixture
def unpacked(tmp_path: Path, cache: Path, compilers: Make, fakes: Any) -> Callable[..., Path]:
    """Debian's packages of one kernel unpacked by hand, as `dpkg-deb -x` leaves them."""

    def make(release: str = RELEASE, *, common: bool = True, headers: bool = True) -> Path:
        config = fakes.config()
        files: dict[str, bytes | Path] = {
            f"boot/vmlinuz-{release}": fakes.image(release, size=4096),
            f"boot/config-{release}": config,
            f"lib/modules/{release}/modules.order": b"",
            f"lib/modules/{release}/build": Path(f"/usr/src/linux-headers-{release}"),
        }
        if headers:
            place = f"usr/src/linux-headers-{release}"
            files |= fakes.build(release, where=place, common=f"c-{release}", config=config)
            files["usr/lib/linux-kbuild-1/scripts/modpost"] = b""
        if common:
            files[f"usr/src/c-{release}/Makefile"] = (
                b"all:\n\t@echo built for $(KBUILD_OUTPUT), with $(srctree)\n"
            )
        return write(tmp_path / "unpacked", files)

    return make


def check_whole(kernel: Kernel, root: Path) -> None:
    assert (kernel.release, kernel.arch) == (RELEASE, "x86_64")
    assert kernel.image == root / f"boot/vmlinuz-{RELEASE}"
    assert kernel.modules == root / f"lib/modules/{RELEASE}"
    assert kernel.build is not None and kernel.toolchain is not None and kernel.toolchain.compiler == "gcc-99"
    assert kernel.size == 0


@pytest.mark.parametrize("below", ["", f"lib/modules/{RELEASE}", f"usr/src/linux-headers-{RELEASE}"])
def test_packages_unpacked_by_hand(below: str, unpacked: Callable[..., Path]) -> None:
    root = unpacked()
    before = sorted((path, path.lstat().st_mtime_ns) for path in root.rglob("*"))
    kernel = find_kernel(str(root / below))
    check_whole(kernel, root)
    assert kernel.origin is Origin.DIRECTORY
    # The Makefile names places that are not there: the build directory in the cache mends it.
    said = subprocess.run(
        ["make", "-C", str(kernel.build)], capture_output=True, text=True, check=True
    ).stdout
    assert f"built for {kernel.build}" in said
    assert kernel.build is not None and (kernel.build / "scripts/modpost").exists()
    assert before == sorted((path, path.lstat().st_mtime_ns) for path in root.rglob("*"))
    assert find_kernel(str(root / below)) == kernel


def test_an_image_in_boot_brings_what_is_beside_it(unpacked: Callable[..., Path]) -> None:
    root = unpacked()
    kernel = find_kernel(str(root / f"boot/vmlinuz-{RELEASE}"))
    check_whole(kernel, root)
    assert kernel.origin is Origin.IMAGE


@pytest.mark.parametrize("missing", ["common", "headers"])
def test_without_all_headers_it_can_only_boot(missing: str, unpacked: Callable[..., Path]) -> None:
    root = unpacked(**{missing: False})
    kernel = find_kernel(str(root), need_build=False)
    assert kernel.can_boot and not kernel.can_build
    with pytest.raises(MissingError, match="no headers"):
        find_kernel(str(root))


def test_several_kernels_in_one_root(unpacked: Callable[..., Path]) -> None:
    unpacked()
    root = unpacked("6.1.0-50-amd64")
    with pytest.raises(
        UsageError, match=r"several kernels: 6\.1\.0-50-amd64, 6\.1\.0-56-cloud-amd64"
    ) as caught:
        find_kernel(str(root))
    hinted = caught.value.hint.removeprefix("--kernel ")
    assert find_kernel(hinted).release in hinted


@pytest.mark.parametrize("below", ["", "usr/lib/modules/6.9.1-arch1-1"])
def test_archs_packages_unpacked_by_hand(
    below: str, tmp_path: Path, cache: Path, compilers: Make, fakes: Any
) -> None:
    release = "6.9.1-arch1-1"
    place = f"usr/lib/modules/{release}"
    files: dict[str, bytes | Path] = {
        f"{place}/vmlinuz": fakes.image(release, size=4096),
        f"{place}/build/Makefile": b"",
        f"{place}/build/.config": fakes.config(),
        f"{place}/build/include/config/kernel.release": release.encode(),
        "usr/src/linux": Path(f"../lib/modules/{release}/build"),
    }
    root = write(tmp_path / "arch", files)
    kernel = find_kernel(str(root / below))
    assert kernel.release == release and kernel.can_build
    assert (kernel.image, kernel.modules) == (root / place / "vmlinuz", root / place)
    assert kernel.build == root / place / "build"


def test_fedoras_packages_unpacked_by_hand(tmp_path: Path, cache: Path, compilers: Make, fakes: Any) -> None:
    release = "6.11.4-301.fc41.x86_64"
    files: dict[str, bytes | Path] = {
        f"lib/modules/{release}/vmlinuz": fakes.image(release, size=4096),
        f"lib/modules/{release}/config": fakes.config(),
        f"lib/modules/{release}/build": Path(f"/usr/src/kernels/{release}"),
        f"usr/src/kernels/{release}/Makefile": b"",
        f"usr/src/kernels/{release}/.config": fakes.config(),
        f"usr/src/kernels/{release}/include/config/kernel.release": release.encode(),
    }
    root = write(tmp_path / "fedora", files)
    kernel = find_kernel(str(root))
    assert kernel.release == release and kernel.can_build and kernel.can_boot
    assert kernel.build == root / f"usr/src/kernels/{release}"


@pytest.fixture
def own(tmp_path: Path, cache: Path, compilers: Make, fakes: Any) -> Path:
    """An own build: an O= directory with its sources elsewhere."""
    release = "7.3.0-rc4+"
    write(tmp_path / "sources", {"Makefile": b""})
    return write(
        tmp_path / "out",
        {
            "Makefile": f"include {tmp_path}/sources/Makefile\n".encode(),
            ".config": fakes.config(),
            "include/generated/utsrelease.h": f'#define UTS_RELEASE "{release}"\n'.encode(),
            "include/config/kernel.release": release.encode() + b"\n",
            "arch/x86/boot/bzImage": fakes.image(release, size=4096),
            "vmlinux": b"\x7fELF type information only" + bytes(99),
        },
    )


def test_a_build_directory(own: Path) -> None:
    for name in (str(own), f"{own}/", f"{own}/arch/x86/boot/bzImage"):
        kernel = find_kernel(name)
        assert (kernel.name, kernel.release, kernel.build) == (name, "7.3.0-rc4+", own)
        assert kernel.image == own / "arch/x86/boot/bzImage" and kernel.can_build
        assert kernel.modules is None and kernel.origin is Origin.DIRECTORY


def test_modules_installed_in_the_build_directory(own: Path) -> None:
    (own / "lib/modules/7.3.0-rc4+").mkdir(parents=True)
    assert find_kernel(str(own)).modules == own / "lib/modules/7.3.0-rc4+"


def test_type_information_is_no_image(own: Path) -> None:
    (own / "arch/x86/boot/bzImage").unlink()
    kernel = find_kernel(str(own))
    assert kernel.image is None and kernel.can_build


def test_a_compiler_that_is_nowhere_is_named(own: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (own / ".config").write_bytes(fakes.config("clang version 98.0.1"))
    monkeypatch.setenv("LKM_KEYRING", "/nonexistent")
    monkeypatch.setenv("PATH", "/nonexistent")  # a machine may have another clang
    with pytest.raises(MissingError, match=r"clang version 98\.0\.1, which is not on this machine") as caught:
        find_kernel(str(own), fetch=False)
    assert caught.value.hint.startswith("lkm kernel add")


def test_an_own_build_may_use_another_compiler_where_its_own_cannot_be_had(
    own: Path, fakes: Any, compilers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / ".config").write_bytes(fakes.config("gcc-98 (Test) 98.0.1"))
    compilers("gcc", "gcc (Test) 99.1.0")
    kernel = find_kernel(str(own), fetch=False)
    assert kernel.toolchain is not None and kernel.toolchain.compiler == "gcc"
    assert "another version than the kernel was built with (gcc-98 (Test) 98.0.1)" in kernel.toolchain.note


def test_a_configuration_that_names_no_compiler(own: Path, compilers: Make) -> None:
    (own / ".config").write_bytes(b"CONFIG_X86_64=y\n")
    compilers("gcc", "gcc (Test) 99.1.0")
    toolchain = find_kernel(str(own)).toolchain
    assert toolchain is not None and "does not say" in toolchain.note


def test_a_kernel_for_another_machine(own: Path, fakes: Any) -> None:
    (own / ".config").write_bytes(fakes.config(arch="RISCV"))
    assert find_kernel(str(own), need_build=False).arch == "riscv64"
    with pytest.raises(MissingError, match="is for riscv64"):
        find_kernel(str(own))


@pytest.mark.parametrize(
    ("config", "step"), [(False, "make defconfig && make"), (True, "make modules_prepare")]
)
def test_sources_that_were_not_built(config: bool, step: str, tmp_path: Path, cache: Path) -> None:
    tree = write(tmp_path / "linux", {"Kbuild": b"", "Makefile": b"", **({".config": b""} if config else {})})
    with pytest.raises(BadInputError, match="not been built") as caught:
        find_kernel(str(tree))
    assert caught.value.hint == f"cd {tree} && {step}"


def test_a_directory_without_a_kernel(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(BadInputError, match="no kernel in this directory"):
        find_kernel(str(tmp_path))


def test_a_directory_that_is_only_configured(tmp_path: Path, cache: Path, fakes: Any) -> None:
    build = write(tmp_path / "o", {".config": fakes.config()})
    with pytest.raises(BadInputError, match="o is configured, but not built yet") as caught:
        find_kernel(str(build))
    assert caught.value.hint == f"lkm kernel build -O {build}"
    write(build, {"Makefile": b"include /usr/src/linux-headers-6.1-common/Makefile\n"})
    with pytest.raises(BadInputError, match="no kernel in this directory"):  # a headers package's
        find_kernel(str(build))


def test_a_bare_image(tmp_path: Path, cache: Path, fakes: Any) -> None:
    path = tmp_path / "bzImage"
    path.write_bytes(fakes.image("6.9.1-custom", size=4096))
    kernel = find_kernel(str(path), need_build=False)
    assert (kernel.release, kernel.image, kernel.origin) == ("6.9.1-custom", path, Origin.IMAGE)
    with pytest.raises(UsageError, match="image alone can boot") as caught:
        find_kernel(str(path))
    assert caught.value.hint == "give the kernel's build directory: --kernel DIR"


def test_a_file_that_is_no_kernel(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "project/notes").write_text("nothing")
    for name in ("notes", "./notes", str(tmp_path / "project/notes")):
        with pytest.raises(BadInputError, match="not a kernel image"):
            find_kernel(name)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("./nowhere", "no such file or directory", "lkm kernel list"),
        ("/nowhere/bzImage", "no such file or directory", "lkm kernel list"),
        ("hots", "no kernel 'hots'", "--kernel host"),
        ("debain", "no kernel 'debain'", "--kernel debian"),
        ("zzz", "no kernel 'zzz'", "lkm kernel list"),
        ("debain:6.1", "no kernel 'debain:6.1'", "--kernel debian:6.1"),
        ("debian6.1", "no kernel 'debian6.1'", "--kernel debian:6.1"),
        ("", "--kernel is empty", "lkm kernel list"),
        ("ubuntu:6.8", "kernels of ubuntu cannot be fetched yet", "unpack its packages"),
        ("debian:a b", "no kernel 'debian:a b'", "lkm kernel list"),
    ],
)
def test_names_that_mean_nothing(name: str, message: str, hint: str, cache: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_kernel(name)
    assert message in caught.value.message and hint in caught.value.hint


def test_who_named_it_is_said(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "project/lkm.toml"
    settings.write_text('kernel = "hots"\n')
    with pytest.raises(UsageError, match=r"named by .*/project/lkm\.toml"):
        find_kernel()
    monkeypatch.setenv("LKM_KERNEL", "hosst")
    with pytest.raises(UsageError, match=r"'hosst'.*named by LKM_KERNEL"):
        find_kernel()


def test_the_default_goes_by_order(
    own: Path, unpacked: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = unpacked()
    work = tmp_path / "project"
    (work / "lkm.toml").write_text('kernel = "../out"\n')  # beside the settings, wherever we are
    (work / "deep/er").mkdir(parents=True)
    assert find_kernel(start=work / "deep/er").build == own
    monkeypatch.chdir("/")
    assert find_kernel(start=work / "deep/er").build == own
    monkeypatch.setenv("LKM_KERNEL", str(root))
    assert find_kernel(start=work).release == RELEASE
    assert find_kernel(str(own), start=work).build == own


def test_the_running_kernel_as_far_as_it_can_be_read(cache: Path) -> None:
    release = os.uname().release
    image, build = Path(f"/boot/vmlinuz-{release}"), Path(f"/lib/modules/{release}/build")
    if image.exists() or build.exists():
        kernel = find_kernel("host", need_build=False)
        assert (kernel.release, kernel.origin, kernel.name) == (release, Origin.HOST, "host")
    else:
        with pytest.raises(MissingError, match=release) as caught:
            find_kernel("host")
        assert caught.value.hint.startswith("--kernel debian")
        assert "host" not in [kernel.name for kernel in list_kernels()]


def test_only_what_can_be_fetched_is_added(own: Path) -> None:
    with pytest.raises(UsageError, match="on this machine already"):
        add_kernel(str(own))


def test_links_into_what_is_gone_are_swept(unpacked: Callable[..., Path], cache: Path) -> None:
    root = unpacked()
    find_kernel(str(root))
    assert len([path for path in (cache / "kernels/unpacked").iterdir() if path.is_dir()]) == 1
    sweep()
    assert len([path for path in (cache / "kernels/unpacked").iterdir() if path.is_dir()]) == 1
    shutil.rmtree(root)
    sweep()
    assert not [path for path in (cache / "kernels/unpacked").iterdir() if path.is_dir()]


def test_what_is_damaged_in_the_cache_is_not_there(cache: Path) -> None:
    for number, content in enumerate((b"", b"{}", b"[]", b'{"schema": 1}', b"\xff\xfe", b'{"schema": 99}')):
        write(cache / "kernels/debian" / f"6.1.{number}", {"kernel.json": content})
    (cache / "kernels/debian/file").write_text("")
    assert list_kernels() == []


def test_a_number_alone_is_a_series_of_debians(cache: Path) -> None:
    with pytest.raises(MissingError, match=r"^debian:6\.1 is not in the cache") as caught:
        find_kernel("6.1", fetch=False)
    assert caught.value.hint == "lkm kernel add debian:6.1"
