# SPDX-License-Identifier: MIT
"""Where keys come from, and that only pinned ones are taken, whoever hands them over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gpg_house import House
from release_server import Server

from lkm.errors import BadInputError, UsageError
from lkm.progress import Silent
from lkm.release.keys import Keys, find_keys, keys_dir, read_keyring
from lkm.release.signers import RELEASE_SIGNERS, SUMS_SIGNERS, Signer, parse_fingerprint
from lkm.release.wkd import build_urls


def find(signers: list[Signer], **how: Any) -> Keys:
    return find_keys(signers, progress=Silent(), **how)


@pytest.fixture
def greg(people: Any) -> Signer:
    return Signer(people.greg.fingerprint, "Greg", "greg@example.org")


def publish(server: Server, monkeypatch: pytest.MonkeyPatch, address: str, data: bytes) -> None:
    """Puts a key where its owner's domain would have it."""
    monkeypatch.setenv("LKM_WKD", server.url)
    (url,) = build_urls(address)
    server.put(url.removeprefix(server.url).partition("?")[0], data)


def test_by_the_owner_s_address(
    greg: Signer, people: Any, server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, monkeypatch, greg.address, people.mallory.public + people.greg.public)
    found = find([greg])
    assert [key.fingerprint for key in found.keys] == [greg.fingerprint] and not found.missing
    assert "?l=greg" in server.seen[0][0]
    # kept: the next time nobody is asked
    server.seen.clear()
    assert find([greg]).keys[0].data == people.greg.public
    assert not server.seen and [path.stem for path in keys_dir().iterdir()] == [greg.fingerprint]


def test_another_key_under_the_address(
    greg: Signer, people: Any, server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, monkeypatch, greg.address, people.mallory.public)
    found = find([greg])
    assert not found.keys and found.missing == (greg,)
    assert (
        f"another key under the address of Greg <greg@example.org>: {people.mallory.fingerprint}"
        in found.problems[0]
    )
    assert not keys_dir().exists()


def test_a_web_page_in_place_of_a_key(
    greg: Signer, server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, monkeypatch, greg.address, b"<html>login</html>")
    found = find([greg])
    assert not found.keys and "no OpenPGP data" in found.problems[0]


def test_nobody_answers(greg: Signer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.release.http.FIRST_PAUSE", 0.0)
    assert "cannot be reached" in find([greg]).problems[0]
    assert find([greg], fetch=False) == Keys((), (greg,))


def test_from_a_person_s_keyring(
    greg: Signer, people: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path / "gnupg")
    house.gpg("--import", stdin=people.greg.public)
    house.gpg("--import", stdin=people.mallory.public)
    monkeypatch.setenv("GNUPGHOME", str(house.home))
    found = find([greg], fetch=False)
    assert [key.fingerprint for key in found.keys] == [greg.fingerprint]
    house.close()


def test_no_gnupg_home_is_made(greg: Signer, home: Path) -> None:
    find([greg], fetch=False)
    assert not (home / ".gnupg").exists()


def test_a_file_is_used_alone(greg: Signer, people: Any, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "keys.asc"
    path.write_bytes(people.house.gpg("--armor", "--export", people.mallory.fingerprint))
    found = find([greg], keyring=path)
    assert [key.fingerprint for key in found.keys] == [people.mallory.fingerprint] and found.missing == (
        greg,
    )
    path.write_text("nothing")
    with pytest.raises(BadInputError, match=r"keys\.asc is no file of keys"):
        read_keyring(path)
    with pytest.raises(UsageError):
        read_keyring(tmp_path / "absent")


def test_what_was_put_into_the_store_is_looked_at_again(greg: Signer, people: Any, home: Path) -> None:
    keys_dir().mkdir(parents=True)
    (keys_dir() / f"{greg.fingerprint}.gpg").write_bytes(people.mallory.public)
    assert find([greg], fetch=False).missing == (greg,)
    (keys_dir() / f"{greg.fingerprint}.gpg").write_bytes(b"rubbish")
    assert find([greg], fetch=False).missing == (greg,)


def test_a_newer_copy(
    greg: Signer, people: Any, server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, monkeypatch, greg.address, people.greg.public)
    find([greg])
    publish(server, monkeypatch, greg.address, people.greg.public + b"\xcd\x01x")
    assert find([greg]).keys[0].data == people.greg.public
    assert find([greg], refresh=True).keys[0].data == people.greg.public + b"\xcd\x01x"
    server.files.clear()
    assert (
        find([greg], refresh=True).keys[0].fingerprint == greg.fingerprint
    )  # the old one is better than none


def test_fingerprints_are_whole() -> None:
    for signer in (*RELEASE_SIGNERS, *SUMS_SIGNERS):
        assert parse_fingerprint(signer.fingerprint) == signer.fingerprint
        assert signer.address.endswith("@kernel.org")
    assert (
        parse_fingerprint("647F 2865 4894 E3BD 4571  99be 38db bdc8 6092 693e")
        == RELEASE_SIGNERS[1].fingerprint
    )
    for text in ("38DBBDC86092693E", "6092693E", "x" * 40, ""):
        with pytest.raises(UsageError):
            parse_fingerprint(text)


def test_who_signs_sums_does_not_sign_releases() -> None:
    assert not {one.fingerprint for one in SUMS_SIGNERS} & {one.fingerprint for one in RELEASE_SIGNERS}
