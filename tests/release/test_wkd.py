# SPDX-License-Identifier: MIT
"""Where an address's key is: the paths that are in use."""

from __future__ import annotations

import pytest

from lkm.errors import UsageError
from lkm.release.wkd import build_urls, encode_zbase32


@pytest.mark.parametrize(
    ("who", "name"),
    [
        # As Gentoo's sec-keys/openpgp-keys-kernel fetches them.
        ("gregkh", "e3n9xnm94c5apezqnj1pmrfuaoyfm8cf"),
        ("torvalds", "pf113mfnx1f3eb1yiwhsipa91xfc7o4x"),
        ("autosigner", "ew8uiogxwri7d3fuioqgt7u1d5sngorx"),
    ],
)
def test_kernel_org(who: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LKM_WKD", raising=False)
    assert build_urls(f"{who}@kernel.org") == [
        f"https://openpgpkey.kernel.org/.well-known/openpgpkey/kernel.org/hu/{name}?l={who}",
        f"https://kernel.org/.well-known/openpgpkey/hu/{name}?l={who}",
    ]


def test_the_draft_s_own_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LKM_WKD", raising=False)
    first, second = build_urls("Joe.Doe@Example.ORG")
    name = "iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"
    assert first == f"https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/{name}"
    assert second == f"https://example.org/.well-known/openpgpkey/hu/{name}"


def test_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_WKD", "http://localhost:1/")
    (url,) = build_urls("a@b.c")
    assert url.startswith("http://localhost:1/.well-known/openpgpkey/b.c/hu/")


@pytest.mark.parametrize("address", ["nobody", "@b.c", "a@", "a@b/c"])
def test_no_address(address: str) -> None:
    with pytest.raises(UsageError):
        build_urls(address)


def test_zbase32() -> None:
    assert encode_zbase32(b"") == ""
    assert encode_zbase32(bytes(5)) == "yyyyyyyy"
    assert encode_zbase32(b"\xff" * 5) == "99999999"
