# SPDX-License-Identifier: MIT
"""kernel.org's lists, and what else may come in their place."""

from __future__ import annotations

import json

import pytest

from lkm.errors import BadInputError
from lkm.release.listing import choose_moniker, list_versions, parse_releases, parse_sums

# The shape of https://www.kernel.org/releases.json, shortened.
DOCUMENT = {
    "latest_stable": {"version": "6.12.9"},
    "releases": [
        {"moniker": "mainline", "version": "6.13-rc6", "iseol": False,
         "source": "https://git.kernel.org/torvalds/t/linux-6.13-rc6.tar.gz", "pgp": None,
         "released": {"timestamp": 1736112360, "isodate": "2025-01-05"}, "gitweb": "", "changelog": None,
         "diffview": "", "patch": {"full": "", "incremental": ""}},
        {"moniker": "stable", "version": "6.12.9", "iseol": False, "source": "https://cdn.kernel.org/x"},
        {"moniker": "stable", "version": "6.11.11", "iseol": True, "source": "https://cdn.kernel.org/x"},
        {"moniker": "longterm", "version": "6.1.124", "iseol": False, "source": None},
        {"moniker": "longterm", "version": "6.6.70", "iseol": False, "source": ""},
        {"moniker": "linux-next", "version": "next-20250109", "iseol": False, "source": ""},
    ],
}  # fmt: skip


def test_monikers() -> None:
    releases = parse_releases(json.dumps(DOCUMENT).encode())
    assert [choose_moniker(releases, name) for name in ("stable", "longterm", "mainline")] == [
        next(one for one in releases.listed if one.version == version)
        for version in ("6.12.9", "6.6.70", "6.13-rc6")
    ]
    assert choose_moniker(releases, "linux-next") is None
    assert [one.version for one in releases.listed if one.is_eol] == ["6.11.11"]


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b"[]", b"{}", b"\xff\xfe", b'{"latest_stable": {}, "releases": []}',
     b'{"latest_stable": {"version": "../../x"}, "releases": []}',
     b'{"latest_stable": {"version": "6.12.9"}, "releases": [{"version": "6.1"}]}',
     b'{"latest_stable": {"version": "6.12.9"}, "releases": [[]]}'],
)  # fmt: skip
def test_what_is_no_list(data: bytes) -> None:
    with pytest.raises(BadInputError, match=r"releases\.json"):
        parse_releases(data)


def test_names_that_lead_elsewhere_are_left_out() -> None:
    data = {
        **DOCUMENT,
        "releases": [
            {"moniker": "longterm", "version": "6.6/../../x"},
            {"moniker": "longterm", "version": 6},
        ],
    }
    assert parse_releases(json.dumps(data).encode()).listed == ()


def test_checksums() -> None:
    one, two = "a" * 64, "b" * 64
    text = (
        f"{one}  linux-6.12.tar.xz\n{two}  linux-6.12.9.tar.gz\r\n{one[:-1]}  short\n{one} linux\nHash: x\n"
    )
    sums = parse_sums(text.encode())
    assert sums == {"linux-6.12.tar.xz": one, "linux-6.12.9.tar.gz": two}
    names = [*sums, "patch-6.12.xz", "linux-next.tar.xz", "linux-6.12.tar.sign", "linux-6.1/../x.tar.xz"]
    assert list_versions(names) == ["6.12", "6.12.9"]
