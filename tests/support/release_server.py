# SPDX-License-Identifier: MIT
"""A web server on a real socket that serves what a test puts there, as badly as the test asks."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One file.  Each of the lists is used up, an answer at a time, before the file is served well.

    `statuses`: answered instead.  `breaks`: bytes of the body after which the connection is cut.
    `content_ranges`: said of a part in place of the truth.  `ranges`: whether parts are served at all.
    """

    data: bytes
    etag: str | None = None
    modified: str = ""
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    content_ranges: list[str] = field(default_factory=list)
    location: str = ""
    chunked: bool = False
    length: int | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.etag is None:
            self.etag = f'"{hashlib.sha256(self.data).hexdigest()[:16]}"'


class Server:
    """`files` by path; `seen` has each request as (path, Range, If-Range)."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.seen: list[tuple[str, str, str]] = []
        handler = type("Handler", (_Handler,), {"house": self})
        self._server = _Quiet(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def put(self, path: str, data: bytes, **how: object) -> Served:
        """Serves `data` at `path`."""
        self.files[path] = Served(data, **how)  # type: ignore[arg-type]
        return self.files[path]

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: those who are served go away when they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    house: Server

    def log_message(self, *words: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        wanted, condition = self.headers.get("Range", ""), self.headers.get("If-Range", "")
        self.house.seen.append((self.path, wanted, condition))
        file = self.house.files.get(path)
        if file is None:
            self._say(404, b"not here")
        elif file.statuses:
            self._say(file.statuses.pop(0), b"busy", {"Retry-After": "7"})
        elif file.location:
            self._say(302, b"", {"Location": file.location})
        else:
            self._serve(file, wanted, condition)

    def _serve(self, file: Served, wanted: str, condition: str) -> None:
        headers = dict(file.headers)
        if file.etag:
            headers["ETag"] = file.etag
        if file.modified:
            headers["Last-Modified"] = file.modified
        match = re.fullmatch(r"bytes=(\d+)-", wanted)
        status, body = 200, file.data
        if match and file.ranges and condition in ("", file.etag, file.modified):
            start = int(match[1])
            if start >= len(file.data):
                self._say(416, b"", {"Content-Range": f"bytes */{len(file.data)}"})
                return
            status, body = 206, file.data[start:]
            headers["Content-Range"] = f"bytes {start}-{len(file.data) - 1}/{len(file.data)}"
            if file.content_ranges:
                headers["Content-Range"] = file.content_ranges.pop(0)
        self._say(status, body, headers, cut=file.breaks.pop(0) if file.breaks else None, file=file)

    def _say(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        cut: int | None = None,
        file: Served | None = None,
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if file is not None and file.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            length = file.length if file is not None and file.length is not None else len(body)
            self.send_header("Content-Length", str(length))
        if cut is not None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.wfile.flush()
