# SPDX-License-Identifier: MIT
"""Fetching from a server on a real socket that breaks, lies and changes its mind."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from release_server import Server

from lkm.errors import LkmError, MissingError, UsageError
from lkm.progress import Silent
from lkm.release import http
from lkm.release.http import NotThereError, fetch_url, find_validator, read_url

DATA = hashlib.shake_256(b"a kernel").digest(3_000_000)
DATE = "Sat, 04 Jan 2025 12:00:00 GMT"
Fetch = Callable[..., bytes]


class Recorder:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int | None]] = []

    def update(self, what: str, done: int = 0, total: int | None = None) -> None:
        """Keeps it."""
        self.told.append((what, done, total))


@pytest.fixture
def fetch(server: Server, tmp_path: Path, home: Path) -> Fetch:
    def call(path: str = "/big", *, pauses: list[float] | None = None, **how: Any) -> bytes:
        into = tmp_path / "into" / "big"
        into.parent.mkdir(exist_ok=True)
        words = {"limit": 10_000_000, "progress": Silent(), "what": "fetching", **how}
        fetch_url(server.url + path, into, pause=(pauses if pauses is not None else []).append, **words)
        assert [one.name for one in into.parent.iterdir()] == ["big"]  # nothing is left beside it
        return into.read_bytes()

    return call


def test_whole(server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA)
    recorder = Recorder()
    assert fetch(progress=recorder) == DATA
    assert recorder.told[-1] == ("fetching", len(DATA), len(DATA)) and len(recorder.told) > 5


@pytest.mark.parametrize("by", ["etag", "date"])
def test_it_goes_on_where_it_broke_off(by: str, server: Server, fetch: Fetch) -> None:
    breaks = [1_000_000, 700_000]
    server.put("/big", DATA, breaks=breaks, **({"etag": "", "modified": DATE} if by == "date" else {}))
    pauses: list[float] = []
    assert fetch(pauses=pauses) == DATA
    assert [seen[1] for seen in server.seen] == ["", "bytes=1000000-", "bytes=1700000-"]
    assert server.seen[1][2] == (DATE if by == "date" else server.files["/big"].etag)
    assert len(pauses) == 2


def test_a_later_call_goes_on(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    file = server.put("/big", DATA, breaks=[1_200_000, *[0] * 4])
    with pytest.raises(MissingError, match="broke off after 1200000 bytes, 5 times in a row") as caught:
        fetch()
    assert caught.value.hint == "the same command goes on where it broke off"
    assert (tmp_path / "into/big.part").stat().st_size == 1_200_000
    server.seen.clear()
    assert fetch() == DATA
    assert server.seen == [("/big", "bytes=1200000-", file.etag)]


def test_the_server_knows_no_ranges(server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA, breaks=[1_000_000], ranges=False)
    assert fetch() == DATA


@pytest.mark.parametrize(
    "lie",
    [
        "bytes 0-2999999/3000000",
        "bytes 999999-2999999/3000000",
        "bytes 1000000-2999999/3000001",
        "bytes 1000000-3000000/3000001",
        "bytes 1000000-2999998/3000000",
        "bytes 1000000-2999999/*",
        "1000000",
        "",
    ],
)
def test_a_part_that_is_not_the_one_asked_for(lie: str, server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA, breaks=[1_000_000], content_ranges=[lie])
    assert fetch() == DATA
    assert server.seen[-1][1] == ""  # from the beginning again


def test_the_file_changed_meanwhile(server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA, breaks=[1_000_000, 0, 0, 0, 0])
    with pytest.raises(MissingError):
        fetch()
    other = DATA[::-1]
    server.put("/big", other)
    assert fetch() == other


def test_the_file_became_shorter_than_what_is_here(server: Server, fetch: Fetch) -> None:
    file = server.put("/big", DATA, breaks=[2_000_000, 0, 0, 0, 0])
    with pytest.raises(MissingError):
        fetch()
    server.put("/big", DATA[:500_000], etag=file.etag)  # a server whose tags lie
    assert fetch() == DATA[:500_000]


def test_without_a_validator_it_begins_again(server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA, etag="", breaks=[1_000_000])
    assert fetch() == DATA
    assert [seen[1] for seen in server.seen] == ["", ""]
    server.seen.clear()


def test_a_weak_tag_is_none(server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA, etag='W/"x"', modified=DATE, breaks=[1_000_000])
    assert fetch() == DATA
    assert [seen[1] for seen in server.seen] == ["", ""]
    assert find_validator({"ETag": 'W/"x"', "Last-Modified": DATE}) == ""
    assert find_validator({"etag": '"x"', "Last-Modified": DATE}) == '"x"'


def test_notes_that_are_nonsense(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    server.put("/big", DATA)
    (tmp_path / "into").mkdir()
    for notes in (
        "",
        "[]",
        "{}",
        '{"url": 1}',
        json.dumps({"url": server.url, "validator": "x", "size": "y"}),
    ):
        (tmp_path / "into/big.part").write_bytes(b"rubbish")
        (tmp_path / "into/big.part.json").write_text(notes)
        assert fetch() == DATA


def test_the_notes_of_another_address(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    server.put("/big", DATA, breaks=[1_000_000, 0, 0, 0, 0])
    with pytest.raises(MissingError):
        fetch()
    server.put("/other", DATA[::-1], etag=server.files["/big"].etag)
    assert fetch("/other") == DATA[::-1]


def test_no_length_is_said(server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA, chunked=True)
    assert fetch() == DATA


def test_busy_servers_are_asked_again(server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA, statuses=[503, 429, 500])
    pauses: list[float] = []
    assert fetch(pauses=pauses) == DATA
    assert pauses == [7.0, 7.0, 7.0]  # as long as the server asked
    server.put("/big", DATA, statuses=[503] * 9)
    pauses.clear()
    with pytest.raises(MissingError, match="the server answers 503, 5 times in a row"):
        fetch(pauses=pauses)
    assert len(pauses) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 451])
def test_refusals_are_not_asked_again(status: int, server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA, statuses=[status])
    with pytest.raises(MissingError, match=f"answers {status}"):
        fetch()
    assert len(server.seen) == 1


def test_not_there(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(NotThereError):
        fetch("/nothing")
    server.put("/gone", DATA, statuses=[410])
    with pytest.raises(NotThereError):
        fetch("/gone")
    assert not list((tmp_path / "into").iterdir())


def test_redirects(server: Server, fetch: Fetch) -> None:
    server.put("/real", DATA)
    server.put("/big", b"", location="/real")
    assert fetch() == DATA
    server.put("/big", b"", location="/big")
    with pytest.raises(MissingError, match="more than 5 redirects"):
        fetch()
    for location in ("ftp://example.org/x", "file:///etc/passwd", "javascript:x"):
        server.put("/big", b"", location=location)
        with pytest.raises(MissingError, match="no web address"):
            fetch()


def test_no_way_from_https_to_http() -> None:
    with pytest.raises(MissingError, match="from https to http"):
        http._redirect("https://cdn.kernel.org/x", "http://cdn.kernel.org/x")
    assert http._redirect("http://a.example/x/y", "../z") == "http://a.example/z"
    assert http._redirect("http://a.example/x", "https://b.example/x") == "https://b.example/x"


def test_too_long(server: Server, fetch: Fetch) -> None:
    server.put("/big", DATA)
    with pytest.raises(MissingError, match="no kernel is that long"):
        fetch(limit=1_000_000)
    server.put("/big", DATA, chunked=True)
    with pytest.raises(MissingError, match="no kernel is that long"):
        fetch(limit=1_000_000)


def test_nobody_listens(tmp_path: Path, home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pauses: list[float] = []
    with pytest.raises(MissingError, match=r"cannot be reached: .*refused"):
        read_url(f"http://127.0.0.1:{port}/x", limit=100, pause=pauses.append)
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_who_stops_talking(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends some and then nothing, the connection open: it is not waited for without end."""
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.2)
    monkeypatch.setattr(http, "ATTEMPTS", 2)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome")
                kept.append(connection)

        kept: list[socket.socket] = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        with pytest.raises(MissingError, match="timed out"):
            fetch_url(url, tmp_path / "x", limit=9999, progress=Silent(), what="x", pause=lambda _: None)
        for connection in kept:
            connection.close()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_small_files(server: Server, home: Path) -> None:
    server.put("/small", b"hello", breaks=[2])
    assert read_url(f"{server.url}/small", limit=10, pause=lambda _: None) == b"hello"
    with pytest.raises(MissingError, match="longer than"):
        read_url(f"{server.url}/small", limit=4)
    for address in ("ftp://x/y", "nothing", "http:///x"):
        with pytest.raises(UsageError, match="no address"):
            read_url(address, limit=4)


def test_what_comes_packed_is_not_unpacked_on_the_way(server: Server, fetch: Fetch) -> None:
    import gzip

    packed = gzip.compress(DATA)
    server.put("/big", packed, headers={"Content-Encoding": "gzip"})
    assert fetch() == packed


def test_a_full_disk_is_told_before(
    server: Server, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.put("/big", DATA)
    usage = shutil.disk_usage(tmp_path)._replace(free=60 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(MissingError, match="no room on the disk"):
        fetch()
    assert not (tmp_path / "into/big").exists()


def test_through_the_environment_s_proxy(server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.put("http://nowhere.invalid/x", b"by proxy")
    assert read_url("http://nowhere.invalid/x", limit=100) == b"by proxy"
    monkeypatch.setenv("no_proxy", "nowhere.invalid")
    with pytest.raises(LkmError):
        read_url("http://nowhere.invalid/x", limit=100, pause=lambda _: None)
