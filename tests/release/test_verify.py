# SPDX-License-Identifier: MIT
"""A file and its signature, by the real gpgv: each way it can be good or bad is told apart."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from lkm.errors import UsageError
from lkm.release.signers import Signer
from lkm.release.value import State, Verification
from lkm.release.verify import find_signature, verify_file

OLD = "20200101T000000"
Verify = Callable[..., Verification]


@pytest.fixture
def verify(people: Any, keyring: Path, home: Path) -> Verify:
    def call(path: Path, **how: Any) -> Verification:
        return verify_file(path, **{"signers": people.signers, "keyring": keyring, **how})

    return call


@pytest.fixture
def write(tmp_path: Path, people: Any, tar: Callable[..., bytes]) -> Callable[..., Path]:
    """Writes a release's file and its signature; the parts can be given."""

    def call(
        *, data: bytes | None = None, signature: bytes | None = None, name: str = "linux-6.12.9.tar.xz"
    ) -> Path:
        path = tmp_path / name
        path.write_bytes(lzma.compress(tar(), preset=0) if data is None else data)
        if signature != b"":
            (tmp_path / "linux-6.12.9.tar.sign").write_bytes(signature or people.greg.sign(tar()))
        return path

    return call


def test_good_by_a_subkey(write: Callable[..., Path], verify: Verify, people: Any, tar: Any) -> None:
    answer = verify(write())
    assert answer.ok and answer.state is State.GOOD
    assert answer.signer == "Greg <greg@example.org>" and answer.signature is not None
    assert answer.signature.primary == people.greg.fingerprint != answer.signature.key
    assert answer.signature.hash_name in ("SHA256", "SHA512")
    assert answer.signature.made is not None
    assert abs((answer.signature.made - datetime.now(UTC)).total_seconds()) < 3600
    assert answer.message.startswith("linux-6.12.9.tar.xz was signed by Greg <greg@example.org> on 20")
    assert answer.size == len(tar()) and len(answer.sha256) == 64


@pytest.mark.parametrize("kind", ["xz", "gz", "bz2", "zst", "tar", "xz-in-parts"])
def test_however_it_is_packed(kind: str, write: Callable[..., Path], verify: Verify, tar: Any) -> None:
    data = tar()
    half = len(data) // 2
    packed = {
        "xz": lambda: lzma.compress(data),
        "gz": lambda: gzip.compress(data),
        "bz2": lambda: bz2.compress(data),
        "zst": lambda: zstandard.compress(data),
        "tar": lambda: data,
        "xz-in-parts": lambda: lzma.compress(data[:half]) + bytes(8) + lzma.compress(data[half:]) + bytes(4),
    }[kind]()
    name = "linux-6.12.9.tar" + ("" if kind == "tar" else f".{kind[:3].rstrip('-')}")
    assert verify(write(data=packed, name=name)).ok


@pytest.mark.parametrize("where", [0, 100, 257, 512, 1024, 5000, 40_000, -1025, -1])
def test_a_bit_changed_anywhere_in_the_tar(
    where: int, write: Callable[..., Path], verify: Verify, tar: Any
) -> None:
    data = bytearray(tar())
    data[where] ^= 1
    answer = verify(write(data=lzma.compress(data, preset=0)))
    assert answer.state is State.TAMPERED and answer.state.is_damage
    assert "is not what Greg <greg@example.org> signed" in answer.message and answer.hint


def test_something_added_to_the_tar(write: Callable[..., Path], verify: Verify, tar: Any) -> None:
    assert verify(write(data=lzma.compress(tar() + bytes(512), preset=0))).state is State.TAMPERED
    assert verify(write(data=lzma.compress(tar()[:-512], preset=0))).state is State.TAMPERED


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress, bz2.compress, zstandard.compress])
def test_broken_off_and_damaged(
    pack: Callable[[bytes], bytes], write: Callable[..., Path], verify: Verify, tar: Any
) -> None:
    packed = pack(tar())
    for cut in (1, 8, len(packed) // 2):
        answer = verify(write(data=packed[:-cut]))
        assert answer.state is State.TRUNCATED and "breaks off" in answer.message, cut
    assert verify(write(data=packed + b"more")).state is State.TRAILING
    assert verify(write(data=packed + b"something quite different")).state is State.TRAILING
    worst = bytearray(packed)
    worst[len(packed) // 2] ^= 0xFF
    assert verify(write(data=bytes(worst))).state in (State.CORRUPT, State.TRUNCATED, State.TAMPERED)


def test_a_changed_byte_of_xz_is_damage(write: Callable[..., Path], verify: Verify, tar: Any) -> None:
    packed = bytearray(lzma.compress(tar()))
    packed[len(packed) // 2] ^= 0xFF
    answer = verify(write(data=bytes(packed)))
    assert answer.state is State.CORRUPT and "is damaged: corrupt input data" in answer.message


def test_the_compressed_file_was_signed(
    write: Callable[..., Path], verify: Verify, people: Any, tar: Any
) -> None:
    packed = lzma.compress(tar(), preset=0)
    answer = verify(write(data=packed, signature=people.greg.sign(packed)))
    assert answer.state is State.OF_COMPRESSED and not answer.ok
    assert "over the compressed linux-6.12.9.tar.xz" in answer.message


def test_a_key_that_is_not_here(write: Callable[..., Path], verify: Verify, people: Any, tar: Any) -> None:
    path = write(signature=people.mallory.sign(tar()))
    answer = verify(path)
    assert answer.state is State.UNKNOWN_KEY and answer.signature is not None
    assert answer.signature.key and answer.signature.key in answer.message.replace(" ", "").replace(" ", "")
    assert (
        "these are not here either: Revoked" in answer.message
    )  # the one pinned key that is not in the file
    assert answer.hint == "gpg --locate-keys revoked@example.org, or --keyring KEY.asc"


def test_somebody_else_signed(
    write: Callable[..., Path], verify: Verify, people: Any, tar: Any, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.gpg"
    theirs.write_bytes(people.mallory.public)
    path = write(signature=people.mallory.sign(tar()))
    answer = verify(path, keyring=theirs)
    assert answer.state is State.WRONG_SIGNER and not answer.ok
    assert "Mallory <mallory@example.org>" in answer.message
    assert answer.hint == f"if you trust that key: --signer {people.mallory.fingerprint}"
    trusted = verify(path, keyring=theirs, signers=[Signer(people.mallory.fingerprint)])
    assert trusted.ok and trusted.signer == "Mallory <mallory@example.org>"


def test_a_key_under_another_s_fingerprint(
    write: Callable[..., Path], verify: Verify, people: Any, tar: Any, tmp_path: Path
) -> None:
    """A pinned primary key with somebody else's subkey put behind it does not make that theirs."""
    from lkm.release.openpgp import parse_packets

    linus, mallory = people.linus.public, people.mallory.public
    subkey = [start for kind, _, start, _ in parse_packets(mallory) if kind == 14]
    forged = tmp_path / "forged.gpg"
    forged.write_bytes(linus + mallory[subkey[0] :])
    answer = verify(write(signature=people.mallory.sign(tar())), keyring=forged)
    first = subprocess.run(["gpgv", "--version"], check=True, capture_output=True, text=True).stdout
    if tuple(map(int, first.split()[2].split(".")[:2])) >= (2, 4):
        # It passes such a subkey over: nobody's key is found for the signature.
        assert answer.state is State.UNKNOWN_KEY, answer
    else:
        assert answer.state is State.BAD_KEY and "cannot be used" in answer.message


def test_an_expired_key(write: Callable[..., Path], verify: Verify, people: Any, tar: Any) -> None:
    answer = verify(write(signature=people.expired.sign(tar(), time=OLD)))
    assert answer.state is State.EXPIRED_KEY and "has expired" in answer.message
    assert "Expired <expired@example.org>" in answer.message


def test_an_expired_signature(write: Callable[..., Path], verify: Verify, people: Any, tar: Any) -> None:
    house = people.house
    lasting = house.make("Lasting", "lasting@example.org", time="20190101T000000")
    signed = lasting.sign(tar(), "--default-sig-expire", "1d", time=OLD)
    keys = write().with_name("lasting.gpg")
    keys.write_bytes(lasting.public)
    signers = [Signer(lasting.fingerprint, "Lasting")]
    assert verify(write(signature=lasting.sign(tar())), keyring=keys, signers=signers).ok
    answer = verify(write(signature=signed), keyring=keys, signers=signers)
    assert answer.state is State.EXPIRED_SIGNATURE and "has ended" in answer.message


def test_a_revoked_key(
    write: Callable[..., Path], verify: Verify, people: Any, tar: Any, tmp_path: Path
) -> None:
    house = people.house
    key = house.make("Gone", "gone@example.org")
    path, keys = write(signature=key.sign(tar())), tmp_path / "gone.gpg"
    signers = [Signer(key.fingerprint, "Gone")]
    keys.write_bytes(key.public)
    assert verify(path, keyring=keys, signers=signers).ok
    keys.write_bytes(house.revoke(key).public)
    answer = verify(path, keyring=keys, signers=signers)
    assert answer.state is State.REVOKED_KEY and "was revoked" in answer.message


def test_a_weak_hash(write: Callable[..., Path], verify: Verify, people: Any, tar: Any) -> None:
    answer = verify(write(signature=people.linus.sign(tar(), "--digest-algo", "SHA1")))
    assert not answer.ok and answer.state in (State.WEAK, State.BAD_KEY)


def test_two_signatures(write: Callable[..., Path], verify: Verify, people: Any, tar: Any) -> None:
    from lkm.release.openpgp import remove_armor

    good, other = people.greg.sign(tar()), people.mallory.sign(tar())
    bad = people.linus.sign(b"something else")
    for first, second in ((good, other), (other, good)):
        assert verify(write(signature=remove_armor(first) + remove_armor(second))).ok
    for first, second in ((good, bad), (bad, good)):
        answer = verify(write(signature=remove_armor(first) + remove_armor(second)))
        assert answer.state is State.TAMPERED


def test_no_signature(write: Callable[..., Path], verify: Verify) -> None:
    answer = verify(write(signature=b""))
    assert answer.state is State.NO_SIGNATURE
    assert answer.hint.startswith("lkm kernel get 6.12.9 ")
    assert verify(write(signature=b"", name="linux-6.12.tar.xz")).hint.startswith("lkm kernel get 6.12.0 ")
    assert verify(write(signature=b"", name="other.tar.xz")).hint == "--signature FILE"
    candidate = verify(write(signature=b"", name="linux-6.13-rc3.tar.gz"))
    assert candidate.state is State.NO_SIGNATURE and candidate.hint == "lkm kernel get git:v6.13-rc3"


def test_what_is_no_signature(write: Callable[..., Path], verify: Verify, people: Any, tar: Any) -> None:
    inline = people.greg.house.gpg("--armor", "--sign", user=people.greg.fingerprint, stdin=tar())
    for text in (b"<html>404</html>", b"\0" * 600, people.greg.public, inline, people.greg.clearsign(b"x"),
                 people.greg.sign(tar())[:150]):  # fmt: skip
        answer = verify(write(signature=text))
        assert answer.state is State.NOT_A_SIGNATURE, text[:40]
        assert "linux-6.12.9.tar.sign is no signature" in answer.message


def test_no_tar_at_all(write: Callable[..., Path], verify: Verify) -> None:
    assert verify(write(data=b"")).state is State.TAMPERED
    assert verify(write(data=b"<html>")).state is State.TAMPERED


def test_what_cannot_be_read(tmp_path: Path, verify: Verify) -> None:
    with pytest.raises(UsageError, match="No such file"):
        verify(tmp_path / "nothing.tar.xz")
    with pytest.raises(UsageError, match="is a directory"):
        verify(tmp_path)


def test_where_a_signature_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "linux-6.12.tar.xz"
    assert find_signature(path) is None
    for name in (
        "linux-6.12.tar.xz.sig",
        "linux-6.12.tar.xz.asc",
        "linux-6.12.tar.asc",
        "linux-6.12.tar.sign",
    ):
        (tmp_path / name).touch()
        found = find_signature(path)
        assert found is not None and found.name == name


def test_a_bomb(write: Callable[..., Path], verify: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.release.verify.TAR_LIMIT", 1 << 20)
    answer = verify(write(data=lzma.compress(bytes(8 << 20))))
    assert not answer.ok and "more than 1 MiB" in answer.message


def test_a_key_that_was_made_to_last_longer(
    write: Callable[..., Path], people: Any, tar: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept has expired; its owner's address has it anew, and is asked by itself."""
    from release_server import Server

    from lkm.release.keys import keys_dir
    from lkm.release.wkd import build_urls

    house = people.house
    key = house.make("Longer", "longer@example.org", expire="30d", time=OLD)
    path = write(signature=key.sign(tar(), time=OLD))
    signers = [Signer(key.fingerprint, "Longer", "longer@example.org")]
    keys_dir().mkdir(parents=True)
    (keys_dir() / f"{key.fingerprint}.gpg").write_bytes(key.public)
    server = Server()
    monkeypatch.setenv("LKM_WKD", server.url)
    assert verify_file(path, signers=signers).state is State.EXPIRED_KEY
    house.gpg("--quick-set-expire", key.fingerprint, "20y", time="20200110T000000")
    (url,) = build_urls("longer@example.org")
    server.put(url.removeprefix(server.url).partition("?")[0], house.export("Longer", key.fingerprint).public)
    assert verify_file(path, signers=signers, fetch_keys=False).state is State.EXPIRED_KEY
    assert verify_file(path, signers=signers).ok
    server.close()
    assert verify_file(path, signers=signers).ok  # kept
