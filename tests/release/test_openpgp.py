# SPDX-License-Identifier: MIT
"""Which keys are in a file: as gpg says it."""

from __future__ import annotations

from typing import Any

import pytest

from lkm.errors import BadInputError
from lkm.release.openpgp import format_fingerprint, is_signature, parse_keys, remove_armor


def test_as_gpg_lists_them(people: Any) -> None:
    data = people.linus.public + people.greg.public
    listed = people.house.gpg("--show-keys", "--with-colons", stdin=data).decode().splitlines()
    fingerprints = [line.split(":")[9] for line in listed if line.startswith("fpr:")]
    first, second = parse_keys(data)
    assert [first.fingerprint, *first.subkeys, second.fingerprint, *second.subkeys] == fingerprints
    assert second.users == ("Greg <greg@example.org>",)
    assert first.data + second.data == data


def test_armored(people: Any) -> None:
    armored = people.house.gpg("--armor", "--export", people.greg.fingerprint)
    assert remove_armor(armored) == people.greg.public
    assert [key.fingerprint for key in parse_keys(armored * 2)] == [people.greg.fingerprint] * 2
    assert parse_keys(b"words before\n" + armored + b"and after\n")[0].fingerprint == people.greg.fingerprint


@pytest.mark.parametrize(
    "data", [b"", b"text", b"\xff", b"\x99\xff\xff", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"]
)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(BadInputError):
        parse_keys(data)


def test_cut_off_anywhere(people: Any) -> None:
    data = people.greg.public
    for end in range(1, len(data)):
        try:
            keys = parse_keys(data[:end])
        except BadInputError:
            continue
        assert keys[0].fingerprint == people.greg.fingerprint


def test_a_secret_key_and_a_signature_are_no_keys(people: Any) -> None:
    signature = people.linus.sign(b"data")
    assert is_signature(signature) and is_signature(remove_armor(signature))
    assert not is_signature(people.linus.public) and not is_signature(b"")
    with pytest.raises(BadInputError, match="no file of public keys"):
        parse_keys(signature)


def test_a_fingerprint_is_shown_as_gpg_shows_it() -> None:
    shown = format_fingerprint("647F28654894E3BD457199BE38DBBDC86092693E")
    assert shown == "647F 2865 4894 E3BD 4571  99BE 38DB BDC8 6092 693E"
