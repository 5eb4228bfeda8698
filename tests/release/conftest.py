# SPDX-License-Identifier: MIT
"""A small kernel.org: keys made here, releases signed with them, a web server on a real socket."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpg_house import House, MadeKey
from release_server import Server

from lkm.release.get import Policy
from lkm.release.signers import Signer

# A time long past, for keys and signatures that have ended.
PROXIES = tuple(f"{kind}_proxy" for kind in ("http", "https", "all"))
PROXIES += tuple(name.upper() for name in PROXIES)
OLD = "20200101T000000"
FILES = {
    "Makefile": b"VERSION = 6\nPATCHLEVEL = 12\nall:\n\t@echo built\n",
    "README": b"Linux kernel\n============\n",
    "scripts/config": b"#!/bin/sh\necho config\n",
    "kernel/fork.c": b"/* fork */\n" * 4000,
    "Documentation/process/changes.rst": b"Minimal requirements\n",
}
LINKS = {"Documentation/Changes": "process/changes.rst"}


def build_tar(version: str = "6.12.9", files: dict[str, bytes] = FILES, top: str = "") -> bytes:
    """A tar as `git archive` makes it: one directory at the top."""
    top = top or f"linux-{version}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.pax_headers = {"comment": "0" * 40}
        _add(tar, top, tarfile.DIRTYPE)
        for directory in sorted({str(Path(name).parent) for name in [*files, *LINKS]} - {"."}):
            _add(tar, f"{top}/{directory}", tarfile.DIRTYPE)
        for name, data in files.items():
            _add(tar, f"{top}/{name}", tarfile.REGTYPE, data)
        for name, target in LINKS.items():
            _add(tar, f"{top}/{name}", tarfile.SYMTYPE, target=target)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, kind: bytes, data: bytes = b"", target: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(data), target
    info.mode = 0o775 if kind == tarfile.DIRTYPE or data.startswith(b"#!") else 0o664
    info.mtime = 1_736_000_000
    tar.addfile(info, io.BytesIO(data))


class People:
    """Who signs: `linus` (by his primary key), `greg` (by a subkey), `sums`, and those who should not."""

    def __init__(self, house: House) -> None:
        self.linus = house.make("Linus", "linus@example.org")
        self.greg = house.make("Greg", "greg@example.org", subkey=True)
        self.sums = house.make("Autosigner", "sums@example.org")
        self.mallory = house.make("Mallory", "mallory@example.org", subkey=True)
        self.expired = house.make("Expired", "expired@example.org", expire="30d", time=OLD)
        self.revoked = house.make("Revoked", "revoked@example.org")
        self.revoked_before = self.revoked
        self.house = house

    @property
    def signers(self) -> list[Signer]:
        """Those who are pinned."""
        pinned = (self.linus, self.greg, self.expired, self.revoked)
        return [Signer(key.fingerprint, key.name, f"{key.name.lower()}@example.org") for key in pinned]


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Keys made once for all of these tests."""
    for program in ("gpg", "gpgv"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine")
    house = House(tmp_path_factory.mktemp("gpg"))
    yield People(house)
    house.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, cache and settings of this test's own."""
    for name in ("LKM_KERNEL_MIRROR", "LKM_WKD", "GNUPGHOME", "XDG_DATA_HOME", *PROXIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    # Nobody is asked over the network but the server of the test.
    monkeypatch.setenv("LKM_WKD", "http://127.0.0.1:9")
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.fixture
def server() -> Iterator[Server]:
    """A web server."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def keyring(people: People, tmp_path: Path) -> Path:
    """A file with the keys of all who are pinned, and of whom the checksums are signed by."""
    path = tmp_path / "keys.gpg"
    path.write_bytes(b"".join(key.public for key in (people.linus, people.greg, people.sums, people.expired)))
    return path


@pytest.fixture
def policy(people: People, keyring: Path) -> Policy:
    """Those who are pinned, their keys from a file."""
    return Policy(signers=people.signers, sums_signers=[Signer(people.sums.fingerprint)], keyring=keyring)


class Org:
    """A small kernel.org below a directory; `serve` puts all of it on a server."""

    def __init__(self, people: People, root: Path) -> None:
        self.people, self.root = people, root
        self.server: Server | None = None
        self.place = root / "pub/linux/kernel/v6.x"
        self.place.mkdir(parents=True, exist_ok=True)

    def add(self, version: str, *, signer: MadeKey | None = None, tar: bytes = b"") -> Path:
        """A release, signed by Greg."""
        tar = tar or build_tar(version)
        path = self.place / f"linux-{version}.tar.xz"
        path.write_bytes(lzma.compress(tar, preset=0))
        self.place.joinpath(f"linux-{version}.tar.sign").write_bytes((signer or self.people.greg).sign(tar))
        self.publish()
        return path

    def publish(self, signer: MadeKey | None = None) -> None:
        """Writes and signs the list of checksums."""
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
            for path in sorted(self.place.glob("*.tar.*"))
            if not path.name.endswith(".sign")
        ]
        text = "".join(lines).encode()
        self.place.joinpath("sha256sums.asc").write_bytes((signer or self.people.sums).clearsign(text))

    def add_candidate(self, version: str) -> None:
        """A candidate's file, which nobody signs."""
        place = self.root / "torvalds/t"
        place.mkdir(parents=True, exist_ok=True)
        place.joinpath(f"linux-{version}.tar.gz").write_bytes(gzip.compress(build_tar(version)))

    def list(self, **by_moniker: str) -> None:
        """Writes `releases.json` as kernel.org has it."""
        releases = [
            {"moniker": moniker.rstrip("0123456789"), "version": version, "iseol": False, "source": None,
             "released": {"timestamp": 1_736_000_000, "isodate": "2025-01-04"}, "pgp": None, "patch": {}}
            for moniker, version in by_moniker.items()
        ]  # fmt: skip
        stable = by_moniker.get("stable", "6.12.9")
        document = {"latest_stable": {"version": stable}, "releases": releases}
        (self.root / "releases.json").write_text(json.dumps(document))

    def serve(self, server: Server) -> None:
        """Puts every file on a server, and takes away what is no file any more."""
        self.server = server
        server.files.clear()
        for path in self.root.rglob("*"):
            if path.is_file():
                server.put(f"/{path.relative_to(self.root)}", path.read_bytes())

    def update(self) -> None:
        """Serves what changed, where it is served."""
        if self.server is not None:
            self.serve(self.server)


@pytest.fixture
def org(people: People, made_once: Path, tmp_path: Path, home: Path) -> Org:
    """A kernel.org of this test's own, with 6.12.8 and 6.12.9."""
    shutil.copytree(made_once, tmp_path / "org")
    return Org(people, tmp_path / "org")


@pytest.fixture(scope="session")
def made_once(people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test has a copy of."""
    made = Org(people, tmp_path_factory.mktemp("kernel.org") / "org")
    made.add("6.12.8")
    made.add("6.12.9")
    made.list(mainline="6.13-rc5", stable="6.12.9", longterm="6.6.70", longterm2="6.1.124")
    return made.root


@pytest.fixture
def tar() -> Callable[..., bytes]:
    """The maker of a release's tar."""
    return build_tar
