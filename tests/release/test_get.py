# SPDX-License-Identifier: MIT
"""Getting a release from a server and from a directory: nothing unverified is unpacked unless told so."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from release_server import Server

from lkm.errors import BadInputError, MissingError, UsageError
from lkm.release import find_mirror, find_version, get_release, parse_wanted, read_record, sources_dir
from lkm.release import http as http_module
from lkm.release.get import Got, Policy, list_trees
from lkm.release.signers import Signer
from lkm.release.value import State

Get = Callable[..., Got]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "FIRST_PAUSE", 0.0)


@pytest.fixture(params=["web", "directory"])
def place(request: pytest.FixtureRequest, org: Any, server: Server) -> str:
    if request.param == "directory":
        return str(org.root)
    org.serve(server)
    return server.url


@pytest.fixture
def get(policy: Policy) -> Get:
    def call(version: str, place: str, **how: Any) -> Got:
        return get_release(version, find_mirror(place), **{"policy": policy, **how})

    return call


def nothing_is_there() -> bool:
    return not list_dirs() and not list(sources_dir().glob("*.json"))


def list_dirs() -> list[Path]:
    return [path for path in sources_dir().iterdir() if path.is_dir()] if sources_dir().is_dir() else []


def test_good(place: str, get: Get, people: Any, home: Path) -> None:
    got = get("6.12.9", place)
    assert got.tree == sources_dir() / "linux-6.12.9" and not got.was_here
    assert (got.tree / "Makefile").read_text().startswith("VERSION = 6")
    record = read_record(got.tree)
    assert record == got.record and record is not None
    assert record.verified and record.state == "good" and record.signer == "Greg <greg@example.org>"
    assert record.key == people.greg.fingerprint and record.signed[:2] == "20" and record.got[:2] == "20"
    assert record.sums == "as in the signed list" and len(record.sha256) == 64
    assert record.source.endswith("pub/linux/kernel/v6.x/linux-6.12.9.tar.xz")
    again = get("6.12.9", place)
    assert again.was_here and again.record == record
    assert [tree.name for tree, _ in list_trees()] == ["linux-6.12.9"]


def test_below_another_directory(place: str, get: Get, tmp_path: Path) -> None:
    got = get("6.12.9", place, dest=tmp_path / "own" / "place")
    assert got.tree == tmp_path / "own/place/linux-6.12.9"
    assert sorted(path.name for path in got.tree.parent.iterdir()) == [
        "linux-6.12.9",
        "linux-6.12.9.json",
        "linux-6.12.9.manifest.gz",
    ]


def test_fetched_and_verified_only(place: str, get: Get) -> None:
    got = get("6.12.9", place, unpacked=False)
    assert got.tree is None and got.file is not None and got.file.is_file() and got.record.verified
    assert nothing_is_there()


@pytest.mark.parametrize("base", ["", "/pub/linux/kernel"])
def test_where_a_mirror_s_tree_begins(base: str, org: Any, server: Server, get: Get) -> None:
    org.serve(server)
    assert get("6.12.9", server.url + base).record.verified
    assert find_version(parse_wanted("stable"), find_mirror(server.url + base)) == "6.12.9"


def test_a_tree_that_begins_at_once(org: Any, server: Server, get: Get) -> None:
    for path in org.place.iterdir():
        server.put(f"/mirror/v6.x/{path.name}", path.read_bytes())
    assert get("6.12.9", f"{server.url}/mirror").record.verified


def test_files_just_put_into_a_directory(org: Any, get: Get) -> None:
    assert get("6.12.9", str(org.place)).record.verified


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ("6.12", "6.12.9"),
        ("stable", "6.12.9"),
        ("longterm", "6.6.70"),
        ("mainline", "6.13-rc5"),
        ("6.12.8", "6.12.8"),
    ],
)
def test_versions(words: str, version: str, place: str) -> None:
    assert find_version(parse_wanted(words), find_mirror(place)) == version


def test_no_such_release(place: str, get: Get) -> None:
    with pytest.raises(UsageError, match=r"there is no Linux 6\.12\.99") as caught:
        get("6.12.99", place)
    assert caught.value.hint == "nearest: 6.12.9, 6.12.8"
    with pytest.raises(UsageError, match=r"there is no Linux 6\.99"):
        find_version(parse_wanted("6.99"), find_mirror(place))
    assert nothing_is_there()


def test_monikers_where_nobody_says(org: Any) -> None:
    (org.root / "releases.json").unlink()
    with pytest.raises(UsageError, match=r"has no releases\.json"):
        find_version(parse_wanted("longterm"), find_mirror(str(org.root)))


def test_a_candidate_is_not_signed(place: str, org: Any, get: Get, policy: Policy) -> None:
    org.add_candidate("6.13-rc5")
    org.update()
    with pytest.raises(BadInputError, match="is not signed: release candidates") as caught:
        get("6.13-rc5", place)
    assert "lkm kernel get git:v6.13-rc5" in caught.value.hint and "--unverified" in caught.value.hint
    assert nothing_is_there()
    got = get("6.13-rc5", place, policy=replace(policy, unverified=True))
    assert got.tree is not None and not got.record.verified and got.record.state == "no-signature"
    with pytest.raises(BadInputError, match="is there already, unverified"):
        get("6.13-rc5", place)
    assert get("6.13-rc5", place, policy=replace(policy, unverified=True)).was_here


def tamper(org: Any, data: bytes) -> None:
    (org.place / "linux-6.12.9.tar.xz").write_bytes(data)


def test_tampered_and_the_list_too(place: str, org: Any, get: Get, tar: Any, policy: Policy) -> None:
    """Whoever has the mirror has its checksums; the developer's key they have not."""
    tamper(org, lzma.compress(tar().replace(b"/* fork */", b"/* evil */", 1)))
    org.publish()
    org.update()
    for how in (policy, replace(policy, unverified=True)):
        with pytest.raises(
            BadInputError, match=r"is not what Greg <greg@example.org> signed: it was changed"
        ):
            get("6.12.9", place, policy=how)
        assert nothing_is_there()


def test_tampered_and_not_in_the_list(place: str, org: Any, server: Server, get: Get, tar: Any) -> None:
    tamper(org, lzma.compress(tar() + bytes(512)))
    org.update()
    with pytest.raises(BadInputError, match=r"its SHA-256 is [0-9a-f]{64}, that in the list"):
        get("6.12.9", place)
    assert nothing_is_there()
    if org.server is not None:
        assert not (sources_dir() / "linux-6.12.9.tar.xz").exists(), "the next call must fetch it anew"


def test_checksums_signed_by_somebody_else(
    place: str, org: Any, people: Any, get: Get, policy: Policy
) -> None:
    for signer in (people.mallory, people.greg):  # even who signs releases does not sign sums
        org.publish(signer)
        org.update()
        with pytest.raises(BadInputError, match="no checksum to compare with"):
            get("6.12.9", place)
    assert nothing_is_there()
    got = get("6.12.9", place, policy=replace(policy, need_sums=False))
    assert got.record.verified and got.record.sums.startswith("not compared: ")


def test_who_signs_sums_signed_the_release(place: str, org: Any, people: Any, get: Get) -> None:
    org.add("6.12.9", signer=people.sums)
    org.update()
    with pytest.raises(BadInputError, match="who is not one of those whose kernels are taken"):
        get("6.12.9", place)
    assert nothing_is_there()


def test_words_around_the_signed_list_do_not_count(place: str, org: Any, get: Get) -> None:
    path = org.place / "sha256sums.asc"
    tamper(org, b"evil")
    import hashlib

    line = f"{hashlib.sha256(b'evil').hexdigest()}  linux-6.12.9.tar.xz\n".encode()
    path.write_bytes(line + path.read_bytes() + line)
    org.update()
    with pytest.raises(BadInputError, match="its SHA-256 is"):
        get("6.12.9", place)


def test_a_changed_list(place: str, org: Any, get: Get, policy: Policy) -> None:
    path = org.place / "sha256sums.asc"
    path.write_bytes(path.read_bytes().replace(b"linux-6.12.8", b"linux-6.12.7"))
    org.update()
    for how in (policy, replace(policy, need_sums=False)):
        with pytest.raises(BadInputError, match=r"the checksums at .* are not to be believed"):
            get("6.12.9", place, policy=how)


def test_no_signature_there(place: str, org: Any, get: Get, policy: Policy) -> None:
    (org.place / "linux-6.12.9.tar.sign").unlink()
    org.update()
    with pytest.raises(
        BadInputError, match=r"there is no signature beside .*; nothing was unpacked"
    ) as caught:
        get("6.12.9", place)
    assert "--unverified" in caught.value.hint and nothing_is_there()
    got = get("6.12.9", place, policy=replace(policy, unverified=True))
    assert got.record.state == State.NO_SIGNATURE and not got.record.verified


def test_no_list_there(place: str, org: Any, get: Get, policy: Policy) -> None:
    (org.place / "sha256sums.asc").unlink()
    org.update()
    with pytest.raises(BadInputError, match=r"has no sha256sums\.asc") as caught:
        get("6.12.9", place)
    assert caught.value.hint.startswith("--no-sums")
    assert get("6.12.9", place, policy=replace(policy, need_sums=False)).record.verified


def test_a_hostile_archive_that_is_well_signed(
    place: str, org: Any, get: Get, tar: Any, tmp_path: Path
) -> None:
    org.add("6.12.9", tar=tar(top="../../evil"))
    org.update()
    with pytest.raises(BadInputError, match=r"is no name for a directory|leads elsewhere"):
        get("6.12.9", place)
    assert nothing_is_there() and not list(tmp_path.rglob("evil*"))


def test_a_connection_that_breaks(org: Any, server: Server, get: Get) -> None:
    org.serve(server)
    file = server.files["/pub/linux/kernel/v6.x/linux-6.12.9.tar.xz"]
    file.breaks = [50, 40, 0, 100]
    assert get("6.12.9", server.url).record.verified
    file.breaks = [10] * 9


def test_a_fetch_that_goes_on_with_another_file(org: Any, server: Server, get: Get, tar: Any) -> None:
    """The half of one file and the half of another never pass for a release."""
    org.serve(server)
    file = server.files["/pub/linux/kernel/v6.x/linux-6.12.9.tar.xz"]
    good = file.data
    file.breaks = [len(good) // 2, 0, 0, 0, 0, 0]
    with pytest.raises(MissingError):
        get("6.12.9", server.url)
    file.data, file.breaks = bytes(len(good)), []  # under the same tag
    with pytest.raises(BadInputError, match="its SHA-256 is"):
        get("6.12.9", server.url)
    file.data = good
    assert get("6.12.9", server.url).record.verified


def test_other_packings(org: Any, server: Server, get: Get, tar: Any) -> None:
    (org.place / "linux-6.12.9.tar.xz").unlink()
    (org.place / "linux-6.12.9.tar.gz").write_bytes(gzip.compress(tar()))
    org.publish()
    org.serve(server)
    assert get("6.12.9", server.url).record.source.endswith("linux-6.12.9.tar.gz")


def test_a_file_that_changes_after_it_was_verified(
    place: str, get: Get, monkeypatch: pytest.MonkeyPatch, tar: Any
) -> None:
    from lkm.release import get as module

    unpack_file = module.unpack_file

    def swap(path: Path, *words: Any, **named: Any) -> Any:
        path.write_bytes(lzma.compress(tar().replace(b"/* fork */", b"/* evil */", 1)))
        return unpack_file(path, *words, **named)

    monkeypatch.setattr(module, "unpack_file", swap)
    with pytest.raises(BadInputError, match="changed after it was verified"):
        get("6.12.9", place)
    assert nothing_is_there()


def test_a_directory_of_somebody_else_s(place: str, get: Get, tmp_path: Path) -> None:
    (tmp_path / "linux-6.12.9").mkdir()
    (tmp_path / "linux-6.12.9/mine").touch()
    with pytest.raises(UsageError, match="is there already, and nothing says where it came from"):
        get("6.12.9", place, dest=tmp_path)
    assert (tmp_path / "linux-6.12.9/mine").exists()


def test_no_room(place: str, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    from lkm.release import get as module

    def full(directory: Path, need: int) -> None:
        raise MissingError("no room")

    monkeypatch.setattr(module, "check_space", full)
    with pytest.raises(MissingError, match="no room"):
        get("6.12.9", place)
    assert nothing_is_there() and shutil.disk_usage("/").free


def test_no_such_mirror(home: Path) -> None:
    with pytest.raises(UsageError, match="there is no such directory"):
        find_mirror("/nowhere/at/all")


def test_a_record_that_cannot_be_read(place: str, get: Get) -> None:
    got = get("6.12.9", place)
    assert got.tree is not None
    path = got.tree.with_name("linux-6.12.9.json")
    data = json.loads(path.read_text())
    for text in ("", "[]", "{}", json.dumps({**data, "schema": 99}), json.dumps({**data, "more": 1})):
        path.write_text(text)
        assert read_record(got.tree) is None


def test_signers_can_be_others(place: str, get: Get, people: Any, policy: Policy) -> None:
    only_linus = replace(policy, signers=[Signer(people.linus.fingerprint)])
    with pytest.raises(BadInputError, match="who is not one of those"):
        get("6.12.9", place, policy=only_linus)
