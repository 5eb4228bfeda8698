# SPDX-License-Identifier: MIT
"""Unpacking: what kernel sources have comes out as tar does it; what harms is refused."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.progress import Silent
from lkm.release import unpack as unpack_module
from lkm.release.tar import HostileError, Kind, TarReader
from lkm.release.unpack import Entry, read_manifest_of, unpack

Member = tuple[str, bytes, dict[str, object]]
FILE, LINK, DIRECTORY = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE


def make(*members: Member, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these members: name, type, and the rest of a TarInfo (`data` is the contents)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, kind, words in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755 if kind == DIRECTORY else 0o644
            data = words.pop("data", b"")
            assert isinstance(data, bytes)
            for key, value in words.items():
                setattr(info, key, value)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def run(data: bytes, into: Path, *, piece: int = 700) -> tuple[str, list[Entry]]:
    """Unpacks, a piece at a time."""
    into.mkdir(exist_ok=True)
    chunks = (data[at : at + piece] for at in range(0, len(data), piece))
    return unpack(chunks, into, size=len(data), progress=Silent(), what="")


def test_as_tar_unpacks_it(tar: Callable[..., bytes], tmp_path: Path) -> None:
    data = tar()
    top, manifest = run(data, tmp_path / "ours")
    assert top == "linux-6.12.9"
    (tmp_path / "theirs").mkdir()
    argv = ["tar", "-x", "--strip-components=1", "-C", str(tmp_path / "theirs")]
    subprocess.run(argv, input=data, check=True)
    argv = ["diff", "-r", "--no-dereference", str(tmp_path / "ours"), str(tmp_path / "theirs")]
    assert subprocess.run(argv, capture_output=True).stdout == b""
    assert str((tmp_path / "ours/Documentation/Changes").readlink()) == "process/changes.rst"
    assert (tmp_path / "ours/scripts/config").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "ours/README").stat().st_mode & 0o7777 == 0o644
    assert (tmp_path / "ours/README").stat().st_mtime == 1_736_000_000
    assert {entry.kind for entry in manifest} == {Kind.FILE, Kind.PROGRAM, Kind.LINK}
    assert sorted(manifest, key=str) == sorted(read_manifest_of([data]), key=str)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("piece", [1, 511, 512, 513, 1 << 20])
def test_each_format_and_long_names(form: int, piece: int, tmp_path: Path) -> None:
    directory = "x" * 60
    name = (
        f"linux-1/{directory}/{'y' * 90}"
        if form == tarfile.USTAR_FORMAT
        else f"linux-1/{'z' * 200}/{'y' * 90}"
    )
    data = make((name, FILE, {"data": b"contents"}), ("linux-1/l", LINK, {"linkname": "y" * 90}), form=form)
    run(data, tmp_path / "out", piece=piece)
    assert (tmp_path / "out" / name.partition("/")[2]).read_bytes() == b"contents"


def test_gnu_tar_s_own(tar: Callable[..., bytes], tmp_path: Path) -> None:
    """What the system's tar packs, with names too long for the header."""
    tree = tmp_path / "linux-1"
    (tree / ("d" * 120)).mkdir(parents=True)
    (tree / ("d" * 120) / ("f" * 130)).write_text("long")
    (tree / "link").symlink_to("d" * 120 + "/" + "f" * 130)
    data = subprocess.run(
        ["tar", "-c", "-C", str(tmp_path), "linux-1"], capture_output=True, check=True
    ).stdout
    run(data, tmp_path / "out")
    assert (tmp_path / "out/link").read_text() == "long"


HOSTILE: dict[str, tuple[list[Member], str]] = {
    "absolute": ([("/linux-1/a", FILE, {})], "absolute path"),
    "absolute link": ([("linux-1/a", LINK, {"linkname": "/etc/passwd"})], "outside"),
    "dots": ([("linux-1/../../a", FILE, {})], "leads elsewhere"),
    "dots first": ([("../a", FILE, {})], "leads elsewhere"),
    "a dot within": ([("linux-1/./a", FILE, {})], "leads elsewhere"),
    "double slash": ([("linux-1//a", FILE, {})], "leads elsewhere"),
    "link up": ([("linux-1/a", LINK, {"linkname": "../x"})], "outside"),
    "link far up": ([("linux-1/a/b", LINK, {"linkname": "../../../x"})], "outside"),
    "link up and down": ([("linux-1/a", LINK, {"linkname": "../linux-1/x"})], "outside"),
    "empty link": ([("linux-1/a", LINK, {"linkname": ""})], "is a link to ''"),
    "through a link": (
        [("linux-1/a", LINK, {"linkname": "b"}), ("linux-1/a/c", FILE, {"data": b"x"})],
        "written through a link",
    ),
    "over a link": (
        [("linux-1/a", LINK, {"linkname": "b"}), ("linux-1/a", FILE, {"data": b"x"})],
        "in it twice",
    ),
    "link by link": (
        [
            ("linux-1/a/b", FILE, {}),
            ("linux-1/a/u", LINK, {"linkname": "../a"}),
            ("linux-1/v", LINK, {"linkname": "a/u/../../x"}),
        ],
        "by way of another",
    ),
    "twice": ([("linux-1/a", FILE, {"data": b"1"}), ("linux-1/a", FILE, {"data": b"2"})], "in it twice"),
    "a file where a directory is": ([("linux-1/a/b", FILE, {}), ("linux-1/a", FILE, {})], "in it twice"),
    "below a file": ([("linux-1/a", FILE, {}), ("linux-1/a/b", FILE, {})], "written through a file"),
    "hard link": (
        [("linux-1/a", FILE, {}), ("linux-1/b", tarfile.LNKTYPE, {"linkname": "linux-1/a"})],
        "hard link",
    ),
    "hard link outside": ([("linux-1/b", tarfile.LNKTYPE, {"linkname": "/etc/shadow"})], "hard link"),
    "character device": (
        [("linux-1/null", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 3})],
        "character device",
    ),
    "block device": ([("linux-1/sda", tarfile.BLKTYPE, {})], "block device"),
    "pipe": ([("linux-1/pipe", tarfile.FIFOTYPE, {})], "named pipe"),
    "contiguous": ([("linux-1/c", tarfile.CONTTYPE, {"data": b"x"})], "contiguous"),
    "unknown kind": ([("linux-1/c", b"Z", {})], "not known"),
    "set-user-ID": ([("linux-1/su", FILE, {"mode": 0o4755})], "set-user-ID"),
    "set-group-ID": ([("linux-1/d", DIRECTORY, {"mode": 0o2755})], "set-user-ID"),
    "sticky": ([("linux-1/d", FILE, {"mode": 0o1755})], "set-user-ID"),
    "two tops": ([("linux-1/a", FILE, {}), ("linux-2/a", FILE, {})], "more than one directory"),
    "a file at the top": ([("linux-1", FILE, {})], "beside the directory"),
    "a link at the top": ([("linux-1", LINK, {"linkname": "/tmp"})], "beside the directory"),
    "an odd top": ([("-rf/a", FILE, {})], "no name for a directory"),
    "a hidden top": ([(".git/hooks", FILE, {})], "no name for a directory"),
    "escape sequence": ([("linux-1/\x1b[2J", FILE, {})], "not to be printed"),
    "newline": ([("linux-1/a\nb", FILE, {})], "not to be printed"),
    "backspaces": ([("linux-1/a\x08\x08", FILE, {})], "not to be printed"),
    "text backwards": ([("linux-1/a\u202eb", FILE, {})], "not to be printed"),
    "newline in a link": ([("linux-1/a", LINK, {"linkname": "b\nc"})], "is a link to"),
    "long part": ([("linux-1/" + "x" * 300, FILE, {})], "too long"),
    "long name": ([("linux-1/" + "x/" * 3000 + "y", FILE, {})], "too long"),
    "very long name": ([("linux-1/" + "x" * 100_000, FILE, {})], "says of a part"),
    "a file like a directory": ([("linux-1/a/", FILE, {"data": b"x"})], "name of a directory"),
    "nothing in it": ([("linux-1", DIRECTORY, {})], "nothing in it"),
    "sparse": ([("linux-1/a", FILE, {"pax_headers": {"GNU.sparse.major": "1"}})], "sparse"),
    "a size in pax": ([("linux-1/a", FILE, {"pax_headers": {"size": "-5"}})], "says of a part"),
    "a huge size": ([("linux-1/a", FILE, {"pax_headers": {"size": str(1 << 50)}})], "says of a part"),
    "a large file": ([("linux-1/a", FILE, {"pax_headers": {"size": str(2 << 30)}})], "would have 2048 MiB"),
    "path in pax": ([("linux-1/a", FILE, {"pax_headers": {"path": "/etc/cron.d/x"}})], "absolute path"),
    "link in pax": ([("linux-1/a", LINK, {"linkname": "b", "pax_headers": {"linkpath": "/etc"}})], "outside"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str, tmp_path: Path) -> None:
    members, message = HOSTILE[name]
    data = make(*[(one, kind, dict(words)) for one, kind, words in members])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(HostileError, match=message) as caught:
        run(data, tmp_path / "out")
    assert caught.value.message.isprintable(), "the error must not do on the terminal what the name would"
    assert sorted(tmp_path.iterdir()) == [*before, tmp_path / "out"]
    with pytest.raises(HostileError, match=message):
        if name == "link by link":
            raise HostileError(message)  # only the disk tells that one
        read_manifest_of([data])


def test_a_global_path_holds_for_all(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "/etc/x"}
    ) as tar:
        tar.addfile(tarfile.TarInfo("linux-1/a"))
    with pytest.raises(HostileError, match="absolute"):
        run(buffer.getvalue(), tmp_path / "out")


def test_after_its_end(tar: Callable[..., bytes], tmp_path: Path) -> None:
    with pytest.raises(HostileError, match="goes on after its end"):
        run(tar() + tar("6.12.8"), tmp_path / "out")
    run(tar() + bytes(20_480), tmp_path / "padded")


def test_cut_off_and_damaged(tar: Callable[..., bytes], tmp_path: Path) -> None:
    data = tar().rstrip(b"\0")
    for number, end in enumerate((0, 100, 512, 1000, 5000, len(data))):
        with pytest.raises(HostileError, match="breaks off"):
            run(data[:end], tmp_path / f"cut{number}")
    for at in (2000, 2100, 2180):
        damaged = bytearray(tar())
        damaged[at] ^= 0x41
        with pytest.raises(HostileError):
            list(TarReader([bytes(damaged[1536:])]))
    with pytest.raises(HostileError, match="no tar archive"):
        list(TarReader([b"<html>" * 200]))


def test_too_many_files(tar: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack_module, "MEMBERS_LIMIT", 3)
    with pytest.raises(HostileError, match="more than 3 files"):
        run(tar(), tmp_path / "out")


def test_nothing_here_is_written_over(tar: Callable[..., bytes], tmp_path: Path) -> None:
    """Should the directory not be empty after all, what is there stays as it is."""
    (tmp_path / "out").mkdir()
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out/README").symlink_to(tmp_path / "precious")
    with pytest.raises(FileExistsError):
        run(tar(), tmp_path / "out")
    assert (tmp_path / "precious").read_text() == "mine"


def test_numbers_in_base_256(tmp_path: Path) -> None:
    data = make(("linux-1/a", FILE, {"data": b"x", "mtime": 1 << 40}), form=tarfile.GNU_FORMAT)
    run(data, tmp_path / "out")
    assert (tmp_path / "out/a").read_bytes() == b"x"
