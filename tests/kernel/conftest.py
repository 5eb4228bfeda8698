# SPDX-License-Identifier: MIT
"""A package archive of small made-up kernels, signed with a key made here, served by real apt from files."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from image_builder import fake_image

Files = dict[str, bytes | Path]  # a path below the root: contents, or where a link points to
SUITES = ("bookworm", "bookworm-backports", "trixie", "trixie-backports", "sid")


def fake_config(compiler: str = "gcc-99 (Test 99.1.0-1) 99.1.0", *, arch: str = "X86_64") -> bytes:
    """A .config that names its compiler."""
    return f'CONFIG_CC_VERSION_TEXT="{compiler}"\nCONFIG_{arch}=y\nCONFIG_MODVERSIONS=y\n'.encode()


def fake_build(release: str, *, where: str, common: str, config: bytes) -> Files:
    """A headers package as Debian makes it, with its absolute paths."""
    return {
        f"{where}/Makefile": f"KBUILD_OUTPUT=/usr/src/linux-headers-{release}\n"
        f"include /usr/src/{common}/Makefile\n".encode(),
        f"{where}/.config": config,
        f"{where}/.kernelvariables": b"override ARCH = x86\n"
        + f"override KERNELRELEASE = {release}\n".encode()
        + b"CC = $(if $(X),$(CCACHE)) $(CROSS_COMPILE)gcc-99\nDEB_BUILD_ARCH ?= $(shell dpkg)\n",
        f"{where}/include/generated/utsrelease.h": f'#define UTS_RELEASE "{release}"\n'.encode(),
        f"{where}/include/config/kernel.release": b"6.1.999\n",
        f"{where}/scripts": Path("../../lib/linux-kbuild-1/scripts"),
        f"{where}/Module.symvers": b"",
    }


class Archive:
    """Packages by suite; `publish` writes and signs the lists, `copy` gives another to change."""

    def __init__(self, root: Path, gpg_home: Path) -> None:
        self.root = root
        self.pool = root / "pool"
        self.pool.mkdir(parents=True, exist_ok=True)
        self.keyring = gpg_home / "keyring.gpg"
        self._gpg_home = gpg_home
        self._stanzas: dict[str, list[str]] = {suite: [] for suite in SUITES}

    def add(
        self, suite: str, name: str, version: str, files: Files, *, depends: str = "", kb: int = 9
    ) -> Path:
        """One package; one that is there already stays."""
        deb = self.pool / f"{name}_{version.replace(':', '%3a')}_amd64.deb"
        if deb.exists():
            return deb
        tree = self.root / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "DEBIAN").mkdir(parents=True)
        fields = (
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Nobody <n@example.org>\n"
        )
        fields += f"Depends: {depends}\n" if depends else ""
        (tree / "DEBIAN" / "control").write_text(fields + "Description: made up\n")
        for path, content in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                (tree / path).symlink_to(content)
            else:
                (tree / path).write_bytes(content)
                (tree / path).chmod(0o755)
        argv = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(tree), str(deb)]
        subprocess.run(argv, check=True, capture_output=True)
        data = deb.read_bytes()
        self._stanzas[suite].append(
            f"{fields}Installed-Size: {kb}\nFilename: pool/{deb.name}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\nDescription: made up\n"
        )
        return deb

    def add_kernel(
        self,
        suite: str,
        release: str,
        version: str,
        *,
        headers: bool = True,
        unsigned: bool = False,
        split: bool = False,
        config: bytes = b"",
    ) -> None:
        """A kernel in the packages that Debian puts it in; `split`: as from 6.19 on."""
        abi, _, _ = release.partition("-cloud")
        abi = abi.removesuffix("-amd64")
        config = config or fake_config()
        modules = f"usr/lib/modules/{release}" if split else f"lib/modules/{release}"
        rest: Files = {
            f"{modules}/modules.order": b"kernel/fake.ko\n",
            f"{modules}/kernel/fake.ko": b"\x7fELF",
            f"{modules}/build": Path(f"/usr/src/linux-headers-{release}"),
            f"usr/share/doc/linux-image-{release}/copyright": b"...",
        }
        pinned = f"(= {version})"
        if split:
            base, binary = f"linux-base-{release}", f"linux-binary-{release}"
            self.add(suite, base, version, {f"{modules}/config": config}, kb=1000)
            self.add(
                suite,
                binary,
                version,
                {f"{modules}/vmlinuz": fake_image(release)},
                depends=f"{base} {pinned}",
                kb=9000,
            )
            self.add(
                suite, f"linux-modules-{release}", version, rest, depends=f"kmod, {base} {pinned}", kb=9000
            )
            self.add(suite, f"linux-image-{release}", version, {}, depends=f"{binary} {pinned}", kb=15)
        else:
            files = {f"boot/vmlinuz-{release}": fake_image(release), f"boot/config-{release}": config, **rest}
            name = f"linux-image-{release}" + ("-unsigned" if unsigned else "")
            self.add(suite, name, version, files, kb=9000)
        if headers:
            common = f"linux-headers-{abi}-common"
            place = f"usr/src/linux-headers-{release}"
            files = fake_build(release, where=place, common=common, config=config)
            needs = f"{common} {pinned}, linux-kbuild-{abi}, gcc-99"
            self.add(suite, f"linux-headers-{release}", version, files, depends=needs)
            makefile = b"modules:\n\t@echo built for $(abspath $(KBUILD_OUTPUT))\n"
            tree: Files = {f"usr/src/{common}/Makefile": makefile}
            tree |= {f"usr/src/{common}/arch/{name}/Makefile": b"" for name in ("x86", "arm")}
            self.add(suite, common, version, tree)
            self.add(suite, f"linux-kbuild-{abi}", version, {"usr/lib/linux-kbuild-1/scripts/modpost": b"#!"})

    def add_current(self, suite: str, flavour: str, release: str, version: str) -> None:
        """The metapackage that names the current kernel of a flavour."""
        self.add(suite, f"linux-image-{flavour}", version, {}, depends=f"linux-image-{release} (= {version})")

    def publish(self, *suites: str) -> None:
        """Writes and signs the lists of `suites` (default: all)."""
        for suite in suites or SUITES:
            place = self.root / "dists" / suite
            (place / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
            text = "".join(f"{stanza}\n" for stanza in self._stanzas[suite]).encode()
            sums = ""
            for name, data in (("Packages", text), ("Packages.gz", gzip.compress(text, mtime=0))):
                path = f"main/binary-amd64/{name}"
                (place / path).write_bytes(data)
                sums += f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}\n"
            (place / "Release").write_text(
                f"Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\n"
                "Date: Sat, 01 Aug 2026 00:00:00 UTC\nArchitectures: amd64\nComponents: main\n"
                f"SHA256:\n{sums}"
            )
            self.sign(suite)

    def copy(self, root: Path) -> Archive:
        """The same below another directory."""
        shutil.copytree(self.root, root)
        twin = Archive(root, self._gpg_home)
        twin._stanzas = {suite: list(stanzas) for suite, stanzas in self._stanzas.items()}
        return twin

    def sign(self, suite: str) -> None:
        """Signs a suite's Release file in place."""
        place = self.root / "dists" / suite
        argv = [
            "gpg",
            "--batch",
            "--yes",
            "--clearsign",
            "--output",
            str(place / "InRelease"),
            str(place / "Release"),
        ]
        subprocess.run(
            argv, check=True, capture_output=True, env={**os.environ, "GNUPGHOME": str(self._gpg_home)}
        )

    def remove(self, suite: str, start: str) -> None:
        """Drops the packages whose name begins with `start`, lists and files, as archives do in time."""
        gone = [stanza for stanza in self._stanzas[suite] if stanza.startswith(f"Package: {start}")]
        self._stanzas[suite] = [stanza for stanza in self._stanzas[suite] if stanza not in gone]
        for stanza in gone:
            (self.root / stanza.partition("Filename: ")[2].partition("\n")[0]).unlink()


@pytest.fixture(scope="session")
def gpg_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GnuPG home with a key made for these tests."""
    for program in ("apt-get", "dpkg-deb", "gpg"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine")
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    env = {**os.environ, "GNUPGHOME": str(home)}
    key = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "lkm tests", "ed25519", "sign", "0"]
    subprocess.run(key, check=True, capture_output=True, env=env)
    data = subprocess.run(["gpg", "--export"], check=True, capture_output=True, env=env).stdout
    (home / "keyring.gpg").write_bytes(data)
    return home


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, home and settings of this test's own, and no settings from outside."""
    for name in ("LKM_KERNEL", "LKM_MIRROR", "LKM_KEYRING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "cache"


class Fakes:
    """The makers of made-up kernels' parts."""

    image = staticmethod(fake_image)
    config = staticmethod(fake_config)
    build = staticmethod(fake_build)


@pytest.fixture
def fakes() -> Fakes:
    """Makers of an image, a configuration, a headers package."""
    return Fakes()


@pytest.fixture
def compilers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts compilers and tools that only say their version first on PATH."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)

    def add(name: str, version: str = "") -> Path:
        path = place / name
        path.write_text(f"#!/bin/sh\necho '{version or name}'\n")
        path.chmod(0o755)
        return path

    for tool in ("make", "ld", "objcopy", "pahole"):
        if shutil.which(tool) is None:
            add(tool)
    add("gcc-99", "gcc-99 (Test 99.1.0-1) 99.1.0")
    return add


OLD, NEW, GONE = "6.1.0-50-cloud-amd64", "6.1.0-56-cloud-amd64", "6.1.0-57-cloud-amd64"
LATER, SPLIT = "6.12.117+deb13-cloud-amd64", "7.3.4+deb13-cloud-amd64"


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, gpg_home: Path) -> Archive:
    """Two kernels of 6.1 that can be built for and one that cannot any more; 6.12 and 7.3."""
    archive = Archive(tmp_path_factory.mktemp("archive") / "debian", gpg_home)
    archive.add_kernel("bookworm", OLD, "6.1.176-1")
    archive.add_kernel("bookworm", NEW, "6.1.192-2", unsigned=True)
    archive.add_kernel("bookworm", GONE, "6.1.195-1", headers=False)
    archive.add_kernel("bookworm", "6.1.0-56-amd64", "6.1.192-2")
    archive.add_current("bookworm", "cloud-amd64", NEW, "6.1.192-2")
    archive.add_kernel("trixie", LATER, "6.12.117-1")
    archive.add_current("trixie", "cloud-amd64", LATER, "6.12.117-1")
    archive.add_kernel("trixie-backports", SPLIT, "7.3.4-1~bpo13+1", split=True)
    archive.add_current("trixie-backports", "cloud-amd64", SPLIT, "7.3.4-1~bpo13+1")
    archive.publish()
    return archive


@pytest.fixture
def archive(
    tmp_path: Path,
    made_once: Archive,
    cache: Path,
    compilers: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Archive:
    """An archive of this test's own, which `debian:` names are looked for in."""
    twin = made_once.copy(tmp_path / "archive" / "debian")
    monkeypatch.setenv("LKM_MIRROR", f"file://{twin.root}")
    monkeypatch.setenv("LKM_KEYRING", str(twin.keyring))
    return twin
