# SPDX-License-Identifier: MIT
"""Files over HTTP: small ones read, large ones fetched so that a break costs only what was not yet here.

The library is urllib3; proxies are those of the environment, certificates those of the system.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from lkm import process
from lkm.errors import MissingError, UsageError
from lkm.progress import Progress
from lkm.release.space import check_space, writing
from lkm.version import VERSION

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

REDIRECTS = 5
# Breaks in a row without a byte more; each waits twice as long as the one before.
ATTEMPTS = 5
FIRST_PAUSE = 0.5
# Seconds to connect, and without a byte.
CONNECT_TIMEOUT, READ_TIMEOUT = 20.0, 30.0
_PIECE = 256 << 10
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class NotThereError(MissingError):
    """The server has no such file."""


class _BreakError(Exception):
    """Something that may go better the next time.

    `wait`: as long as the server asked, in seconds.  `went_on`: it had come further than the time before.
    `hint`: should it never go better.
    """

    def __init__(self, message: str, wait: float = 0.0, hint: str = "") -> None:
        super().__init__(message)
        self.wait = wait
        self.went_on = False
        self.hint = hint or "the same command goes on where it broke off"


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a file half fetched: where from, and what tells whether it is still the same file.

    `validator`: a strong ETag or a date, "" where the server gave neither; `size`: of all, -1: not said.
    """

    url: str
    validator: str
    size: int


def read_url(
    url: str, *, limit: int, attempts: int = ATTEMPTS, pause: Callable[[float], None] = time.sleep
) -> bytes:
    """A small file; raises `NotThereError`, or `MissingError` where it cannot be had or is over `limit`."""
    process.trace(("GET", url))
    with _pool(url) as pool:
        data: bytes = _with_retries(lambda: _read_once(pool, url, limit), url, pause, attempts)
        return data


def _read_once(pool: PoolManager, url: str, limit: int) -> bytes:
    response, _ = _open(pool, url, {})
    if response.status != 200:
        response.close()
        raise MissingError(f"{url}: the server answers {response.status}", hint=_HINT)
    data = b"".join(_pieces(response, limit + 1))
    if len(data) > limit:
        raise MissingError(f"{url} is longer than {limit >> 10} KiB, which such a file never is")
    return data


def fetch_url(
    url: str,
    path: Path,
    *,
    limit: int,
    progress: Progress,
    what: str,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Fetches `url` into `path`, which appears whole or not at all; goes on where an earlier call broke off.

    What came so far is in `path` with `.part` behind it, and what is known of it in `.part.json`.  Only where
    the server says by its validator that the file is still the same (If-Range, RFC 9110, 13.1.5) is the
    rest added to it.  Raises `NotThereError`, `MissingError`.
    """
    process.trace(("GET", url))
    part = path.with_name(path.name + ".part")
    last = 0

    def once() -> None:
        nonlocal last
        try:
            _fetch_once(pool, url, part, limit=limit, progress=progress, what=what)
        except _BreakError as error:
            have = part.stat().st_size if part.is_file() else 0
            error.went_on, last = have > last, have
            raise

    with _pool(url) as pool, writing(path.parent):
        _with_retries(once, url, pause, ATTEMPTS)
        part.replace(path)
        _notes(part).unlink(missing_ok=True)


def _fetch_once(
    pool: PoolManager, url: str, part: Path, *, limit: int, progress: Progress, what: str
) -> None:
    known, have = read_part(part, url)
    headers = {}
    if known is not None and have:
        if have == known.size:
            return
        headers = {"Range": f"bytes={have}-", "If-Range": known.validator}
    response, final = _open(pool, url, headers)
    with response:
        start = _place(response, have if headers else 0, known)
        if start is None:  # what is here does not fit what is there
            part.unlink(missing_ok=True)
            raise _BreakError("the file changed while it was fetched")
        length = response.headers.get("Content-Length", "")
        size = start + int(length) if length.isdecimal() else -1
        if size > limit:
            raise MissingError(f"{final} is {size >> 20} MiB; no kernel is that long")
        check_space(part.parent, max(size - start, 0))
        if not start:
            _write_part(part, Part(url, find_validator(dict(response.headers.items())), size))
        with part.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            stream.truncate()
            done = start
            try:
                for piece in _pieces(response, limit - start + 1):
                    stream.write(piece)
                    done += len(piece)
                    progress.update(what, done, size if size >= 0 else None)
            except _BreakError as error:
                raise _BreakError(f"{error} after {done} bytes") from None
            if done > limit:
                raise MissingError(f"{final} is over {limit >> 20} MiB; no kernel is that long")
        if size >= 0 and done != size:
            raise _BreakError(f"the connection broke off after {done} bytes")


def _place(response: BaseHTTPResponse, have: int, known: Part | None) -> int | None:
    """Where in the file the answer begins; None where it does not fit what is here."""
    if response.status == 200:
        return 0  # all of it: ranges are not for this server, or the file is another by now
    if response.status == 206 and have and known is not None:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        fits = match and int(match[1]) == have and int(match[2]) == int(match[3]) - 1
        same = match and known.size in (-1, int(match[3]))
        validator = find_validator(dict(response.headers.items()))
        return have if fits and same and validator in ("", known.validator) else None
    if response.status in (206, 416):
        return None
    raise MissingError(f"the server answers {response.status}", hint=_HINT)


def find_validator(headers: dict[str, str]) -> str:
    """What If-Range may say: a strong ETag, else the date of the last change; "" where there is neither."""
    lower = {key.lower(): value for key, value in headers.items()}
    tag = lower.get("etag", "").strip()
    if tag.startswith('"'):
        return tag
    # A date is a strong validator where the file had been left alone for a while (RFC 9110, 8.8.2.2);
    # what would still be missed, the checksum finds.
    return "" if tag else lower.get("last-modified", "").strip()


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def read_part(part: Path, url: str) -> tuple[Part | None, int]:
    """What is known of a half fetched file, and its bytes; None and 0 where it cannot be gone on with."""
    try:
        data = json.loads(_notes(part).read_bytes())
        known = Part(str(data["url"]), str(data["validator"]), int(data["size"]))
        if known.url == url and known.validator:
            return known, part.stat().st_size
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None, 0


def _write_part(part: Path, known: Part) -> None:
    part.unlink(missing_ok=True)  # what is known is never of other bytes than those that are there
    text = json.dumps({"url": known.url, "validator": known.validator, "size": known.size})
    _notes(part).write_text(text, encoding="utf-8")


_HINT = "try again later, or another place: --mirror URL"


def _with_retries(once: Callable[[], Any], url: str, pause: Callable[[float], None], attempts: int) -> Any:
    failed = 0
    while True:
        try:
            return once()
        except _BreakError as error:
            failed = 1 if error.went_on else failed + 1
            if failed >= attempts:
                raise MissingError(f"{url}: {error}, {attempts} times in a row", hint=error.hint) from None
            pause(max(FIRST_PAUSE * 2 ** (failed - 1), min(error.wait, 60.0)))


def _pool(url: str) -> PoolManager:
    """Connections, through the environment's proxy for this address."""
    from urllib.request import getproxies_environment, proxy_bypass

    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)
    headers = {"User-Agent": f"lkm/{VERSION}", "Accept-Encoding": "identity"}
    settings: dict[str, Any] = {"timeout": timeout, "retries": False, "headers": headers}
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url} is no address of a file on a web server", hint="https://…")
    proxies = getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(parts.hostname):
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        return urllib3.ProxyManager(proxy, **settings)
    return urllib3.PoolManager(**settings)


def _open(pool: PoolManager, url: str, headers: dict[str, str]) -> tuple[BaseHTTPResponse, str]:
    """The answer to a GET, redirects followed by our own rules, and the address it came from.

    Statuses 200, 206 and 416 are answers; others raise.
    """
    from urllib3 import exceptions

    for _ in range(REDIRECTS + 1):
        try:
            response = pool.request(
                "GET", url, headers={**pool.headers, **headers}, redirect=False, preload_content=False
            )
        except exceptions.SSLError as error:
            raise MissingError(
                f"{url}: its certificate is not good: {_said(error)}",
                hint="is the clock right? are the system's certificates there (ca-certificates)?",
            ) from None
        except exceptions.LocationValueError as error:
            raise MissingError(f"{url}: {_said(error)}") from None
        except exceptions.HTTPError as error:
            hint = "check the network; or another place: --mirror URL|DIR"
            raise _BreakError(f"cannot be reached: {_said(error)}", hint=hint) from None
        status = response.status
        if status in (301, 302, 303, 307, 308):
            response.close()
            url = _redirect(url, response.headers.get("Location", ""))
            continue
        if status in (200, 206, 416):
            return response, url
        response.close()
        if status in (404, 410):
            raise NotThereError(f"{url} is not there", hint=_HINT)
        if status in (408, 429) or status >= 500:
            wait = response.headers.get("Retry-After", "")
            raise _BreakError(f"the server answers {status}", float(wait) if wait.isdecimal() else 0.0)
        raise MissingError(f"{url}: the server answers {status}", hint=_HINT)
    raise MissingError(f"{url}: more than {REDIRECTS} redirects", hint=_HINT)


def _redirect(url: str, location: str) -> str:
    target = urljoin(url, location)
    parts = urlsplit(target)
    if not location or parts.scheme not in ("http", "https") or not parts.hostname:
        raise MissingError(f"{url} leads to {location or 'nowhere'!r}, which is no web address", hint=_HINT)
    if urlsplit(url).scheme == "https" and parts.scheme == "http":
        raise MissingError(
            f"{url} leads to {target}: from https to http, where anybody on the way could change it",
            hint=_HINT,
        )
    return target


def _pieces(response: BaseHTTPResponse, limit: int) -> Iterator[bytes]:
    """The body as it was sent, `limit` bytes of it at most and up to a piece."""
    from urllib3 import exceptions

    got = 0
    try:
        while got < limit:
            # read1: what has come; a whole piece could keep a slow connection's bytes from the disk
            piece = response.read1(_PIECE, decode_content=False)
            if not piece:
                return
            got += len(piece)
            yield piece
    except (exceptions.HTTPError, OSError) as error:
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):
            raise
        timed_out = isinstance(error, exceptions.ReadTimeoutError)
        raise _BreakError("timed out: nothing comes" if timed_out else "the connection broke off") from None


def _said(error: BaseException) -> str:
    """An exception's own words, without the library's wrapping."""
    text = str(getattr(error, "reason", None) or error)
    return re.sub(r"^<?[\w.]*(?:Connection|Pool|HTTPConnection|HTTPSConnection)[^:]*: ", "", text).strip()


def is_url(text: str) -> bool:
    """Whether a word is an address rather than a place on this machine."""
    return "://" in text and not text.startswith("file://")


def free_file(path: Path) -> None:
    """Removes a file and what is known of its half."""
    for each in (path, path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")):
        each.unlink(missing_ok=True)
