# SPDX-License-Identifier: MIT
"""Which kernels a package list offers, and what a name means; the lists are excerpts of Debian's."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import pytest

from lkm.kernel.apt import Package, parse_packages
from lkm.kernel.names import choose_named, is_words, split_flavour
from lkm.kernel.offer import Offer, build_offers, choose_offer, is_kernel_package, version_key

MIB = 1 << 20


def package(name: str, version: str, depends: str = "", installed: int = 9 * MIB) -> Package:
    return Package(name, version, depends, 1000, installed)


def signed(release: str, abi: str, version: str) -> list[Package]:
    """As bookworm has them: image, headers, common headers, kbuild."""
    return [
        package(f"linux-image-{release}", version, "kmod, initramfs-tools"),
        package(
            f"linux-headers-{release}",
            version,
            f"linux-headers-{abi}-common (= {version}), linux-kbuild-6.1 (>= {version}), gcc-12",
        ),
        package(f"linux-headers-{abi}-common", version),
        package("linux-kbuild-6.1", version),
    ]


def names(offer: Offer | None) -> list[str]:
    return [item.name for item in offer.packages] if offer is not None else []


def test_a_kernel_is_its_image_and_its_headers() -> None:
    (offer,) = build_offers(signed("6.1.0-56-cloud-amd64", "6.1.0-56", "6.1.192-2"), "bookworm")
    assert (offer.release, offer.flavour, offer.version, offer.suite, offer.can_build) == (
        "6.1.0-56-cloud-amd64",
        "cloud-amd64",
        "6.1.192-2",
        "bookworm",
        True,
    )
    assert names(offer) == [
        "linux-image-6.1.0-56-cloud-amd64",
        "linux-headers-6.1.0-56-cloud-amd64",
        "linux-headers-6.1.0-56-common",
        "linux-kbuild-6.1",
    ]
    assert offer.size == 4000


def test_an_unsigned_image_serves_where_there_is_no_signed_one() -> None:
    packages = signed("6.1.0-56-amd64", "6.1.0-56", "6.1.192-2")
    packages[0] = package("linux-image-6.1.0-56-amd64-unsigned", "6.1.192-2")
    (offer,) = build_offers(packages, "bookworm")
    assert offer.release == "6.1.0-56-amd64" and names(offer)[0] == "linux-image-6.1.0-56-amd64-unsigned"


def test_from_6_19_on_the_image_package_is_a_metapackage() -> None:
    release, version = "7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1"
    packages = [
        package(f"linux-image-{release}", version, f"linux-binary-{release} (= {version})", 15 << 10),
        package(f"linux-binary-{release}", version, f"linux-base-{release} (= {version})"),
        package(f"linux-binary-unsigned-{release}", version),
        package(f"linux-modules-{release}", version, f"kmod, linux-base-{release} (= {version})"),
        package(f"linux-base-{release}", version, "", 1 * MIB),
    ]
    (offer,) = build_offers(packages, "trixie-backports")
    assert not offer.can_build
    assert names(offer) == [f"linux-{part}-{release}" for part in ("binary", "base", "modules")]
    assert build_offers([item for item in packages if "modules" not in item.name], "x") == []


@pytest.mark.parametrize(
    "gone", ["linux-headers-6.1.0-56-amd64", "linux-headers-6.1.0-56-common", "linux-kbuild-6.1"]
)
def test_with_a_part_of_the_headers_gone_it_can_only_boot(gone: str) -> None:
    packages = [item for item in signed("6.1.0-56-amd64", "6.1.0-56", "6.1.192-2") if item.name != gone]
    (offer,) = build_offers(packages, "bookworm")
    assert not offer.can_build and names(offer) == ["linux-image-6.1.0-56-amd64"]


def test_headers_of_another_version_do_not_fit() -> None:
    packages = signed("6.1.0-56-amd64", "6.1.0-56", "6.1.192-2")
    packages[2] = package("linux-headers-6.1.0-56-common", "6.1.192-1")
    assert not build_offers(packages, "bookworm")[0].can_build


def test_metapackages_debug_packages_and_templates_are_no_kernels() -> None:
    for name in (
        "linux-image-6.1.0-56-amd64-dbg",
        "linux-image-6.12-amd64-signed-template",
        "linux-libc-dev",
    ):
        assert not is_kernel_package(name)
    packages = [package("linux-image-6.12-amd64", "6.12.117-1", installed=13 << 10)]
    assert build_offers(packages, "bookworm") == []


BOOKWORM = [
    *signed("6.1.0-50-cloud-amd64", "6.1.0-50", "6.1.176-1"),
    *signed("6.1.0-56-cloud-amd64", "6.1.0-56", "6.1.192-2"),
    *signed("6.1.0-56-amd64", "6.1.0-56", "6.1.192-2"),
    *signed("6.1.0-56-rt-amd64", "6.1.0-56", "6.1.192-2"),
    package("linux-image-6.1.0-57-cloud-amd64", "6.1.195-1"),
    *signed("6.12.107+deb12-cloud-amd64", "6.12.107+deb12", "6.12.107-1~deb12u1"),
    *signed("6.12.117+deb12-cloud-amd64", "6.12.117+deb12", "6.12.117-1~deb12u1"),
    package("linux-image-cloud-amd64", "6.1.176-1", "linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1)", 9000),
    package("linux-image-cloud-amd64", "6.1.192-2", "linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)", 9000),
]


@pytest.mark.parametrize(
    ("words", "release"),
    [
        ("", "6.1.0-56-cloud-amd64"),
        ("6.1", "6.1.0-56-cloud-amd64"),
        ("6.1-amd64", "6.1.0-56-amd64"),
        ("6.1-rt-amd64", "6.1.0-56-rt-amd64"),
        ("6.1.0-50", "6.1.0-50-cloud-amd64"),
        ("6.1.0-57-cloud-amd64", "6.1.0-57-cloud-amd64"),
        ("6.1.0-57", "6.1.0-57-cloud-amd64"),
        ("6.12", "6.12.117+deb12-cloud-amd64"),
        ("6.12.107", "6.12.107+deb12-cloud-amd64"),
        ("6", "6.12.117+deb12-cloud-amd64"),
        ("6.1.0-5", None),
        ("6.2", None),
        ("6.1-arm64", None),
        ("amd64", None),
    ],
)
def test_names(words: str, release: str | None) -> None:
    packages = [item for item in BOOKWORM if item.name != "linux-kbuild-6.1"]
    packages += [package("linux-kbuild-6.1", "6.12.117-1~deb12u1")]
    offer = choose_offer(build_offers(packages, "bookworm"), words)
    assert (offer.release if offer is not None else None) == release


@pytest.mark.parametrize(
    ("release", "parts"),
    [
        ("6.1.0-56-cloud-amd64", ("6.1.0-56", "cloud-amd64")),
        ("6.12.117+deb13-amd64", ("6.12.117+deb13", "amd64")),
        ("6.1", ("6.1", "")),
        ("6.1-rt-amd64", ("6.1", "rt-amd64")),
        ("7.1~rc3", ("7.1~rc3", "")),
        ("7.1-rc3", ("7.1-rc3", "")),
        ("7.1-rc3-amd64", ("7.1-rc3", "amd64")),
    ],
)
def test_flavours(release: str, parts: tuple[str, str]) -> None:
    assert split_flavour(release) == parts


def test_all_of_one_flavour() -> None:
    releases = ["6.1.0-56-amd64", "6.1.0-50-cloud-amd64", "6.1.0-56-rt-amd64"]
    assert choose_named(releases, "6.1", str) == ["6.1.0-50-cloud-amd64"]
    assert choose_named(releases, "6.1.0-56", str) == ["6.1.0-56-amd64"]


@pytest.mark.parametrize("words", ["../etc", "a/b", "", ".", "6.1 ", "6.1\n", "x" * 200])
def test_words_become_a_file_name(words: str) -> None:
    assert is_words(words) == (words == "")


VERSIONS = [
    *(
        "6.1.176-1",
        "6.1.192-1",
        "6.1.192-2",
        "6.12.95-1~bpo12+1",
        "6.12.95-1",
        "6.12.117-1~deb12u1",
        "6.12.117-1",
    ),
    *(
        "7.3~rc1-1~exp1",
        "7.3.4-1~bpo13+1",
        "7.3.4-1",
        "1:4.4.38-1",
        "14.2.0-19",
        "2.41-12+deb13u4",
        "6.12.95-1+b1",
    ),
    *("6.1-rc", "6.1", "6.1a", "6.1+b", "6.1.0-56", "6.1.0-6"),
]


def test_version_order_is_dpkgs() -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("no dpkg on this machine")
    for first, second in itertools.combinations(VERSIONS, 2):
        argv = ["dpkg", "--compare-versions", first, "lt", second]
        assert (version_key(first) < version_key(second)) == (subprocess.run(argv).returncode == 0), argv


PACKAGES = """\
Package: linux-kbuild-6.1
Source: linux
Version: 6.1.192-2
Installed-Size: 2397
Depends: libc6 (>= 2.34), libelf1 (>= 0.142)
Description: Kbuild infrastructure
 A line: with a colon.
Size: 1568188

Package: hello
Version: 1

Package: linux-image-broken
Installed-Size: many
"""


def test_a_packages_file_is_read() -> None:
    found = parse_packages(PACKAGES, lambda name: name.startswith("linux-"))
    assert found == [
        Package("linux-kbuild-6.1", "6.1.192-2", "libc6 (>= 2.34), libelf1 (>= 0.142)", 1568188, 2397 * 1024)
    ]
    assert parse_packages("", lambda _: True) == []
    assert parse_packages("\0\xff\n\n: \n\nPackage\nPackage: x", lambda _: True) == []
