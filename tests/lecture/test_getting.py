# SPDX-License-Identifier: MIT
"""The lecture's first steps: get a kernel's tarball, verify its signature, get the keys, or clone."""

from __future__ import annotations

import io
import lzma
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpg_house import House, MadeKey
from release_server import Server

from lkm.release import Policy, State, find_mirror, get_git, get_release, verify_file
from lkm.release.signers import Signer
from lkm.release.wkd import build_urls

ADDRESS = "greg@example.org"


@pytest.fixture
def greg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeKey]:
    """A maintainer; a home and a cache of this test's own."""
    house = House(tmp_path / "gpg")
    for name in ("http_proxy", "HTTP_PROXY", "GNUPGHOME", "XDG_DATA_HOME", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    yield house.make("Greg", ADDRESS)
    house.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def pack(name: str) -> bytes:
    """A tar of one directory with a Makefile in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(f"{name}/Makefile")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"all:\n"))
    return buffer.getvalue()


def test_the_signature_is_of_the_decompressed_tarball(
    greg: MadeKey, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Download, unxz, verify: it fails without the maintainers' keys; located by address, it is good."""
    tar = pack("linux-6.5.7")
    server.put("/pub/linux/kernel/v6.x/linux-6.5.7.tar.xz", lzma.compress(tar))
    server.put("/pub/linux/kernel/v6.x/linux-6.5.7.tar.sign", greg.sign(tar))
    monkeypatch.setenv("LKM_WKD", server.url)
    signer = Signer(greg.fingerprint, "Greg", ADDRESS)
    path = tmp_path / "linux-6.5.7.tar.xz"
    path.write_bytes(lzma.compress(tar))
    (tmp_path / "linux-6.5.7.tar.sign").write_bytes(greg.sign(tar))

    answer = verify_file(path, signers=[signer])
    assert answer.state is State.UNKNOWN_KEY
    assert answer.hint.startswith(f"gpg --locate-keys {ADDRESS}"), "the lecture's own command"

    (url,) = build_urls(ADDRESS)
    server.put(url.removeprefix(server.url).partition("?")[0], greg.public)
    answer = verify_file(path, signers=[signer])
    assert answer.ok and answer.signer == f"Greg <{ADDRESS}>"

    policy = Policy(signers=[signer], need_sums=False)
    got = get_release("6.5.7", find_mirror(server.url), policy=policy)
    assert got.tree is not None and (got.tree / "Makefile").is_file() and got.record.verified


def test_or_by_git(greg: MadeKey, tmp_path: Path) -> None:
    """A clone of the tree; a release in it is a tag, signed by the same key."""
    place, keys = tmp_path / "linux.git", tmp_path / "keys.gpg"
    keys.write_bytes(greg.public)
    place.mkdir()

    def git(*words: str, stdin: bytes | None = None) -> str:
        identity = ["-c", "user.name=X", "-c", f"user.email={ADDRESS}"]
        argv = ["git", "-C", str(place), *identity, *words]
        return subprocess.run(argv, input=stdin, capture_output=True, check=True).stdout.decode().strip()

    git("init", "-q")
    (place / "Makefile").write_text("all:\n")
    git("add", "-A")
    git("commit", "-q", "-m", "Linux 6.5")
    header = (
        f"object {git('rev-parse', 'HEAD')}\ntype commit\ntag v6.5\ntagger X <{ADDRESS}> 1700000000 +0000"
    )
    text = f"{header}\n\nLinux 6.5\n"
    oid = git("hash-object", "-t", "tag", "-w", "--stdin", stdin=text.encode() + greg.sign(text.encode()))
    git("update-ref", "refs/tags/v6.5", oid)
    policy = Policy(signers=[Signer(greg.fingerprint, "Greg", ADDRESS)], keyring=keys)
    got = get_git("v6.5", url=f"file://{place}", policy=policy)
    assert got.tree is not None and (got.tree / "Makefile").is_file() and (got.tree / ".git").is_dir()
    assert got.record.verified and got.record.signer == f"Greg <{ADDRESS}>"
