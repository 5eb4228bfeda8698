# SPDX-License-Identifier: MIT
"""Reading a tar from a stream, as little of the format as kernel sources need: files, directories, links.

Everything else is refused by name: an archive that has it is not a kernel's, or was made to do harm.
Format: POSIX.1-2017, pax, "ustar Interchange Format"; GNU's long names (tar.h, `L` and `K`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from lkm.errors import BadInputError

BLOCK = 512
# A header that lengthens a name; PATH_MAX is 4096.
_EXTENSION_LIMIT = 64 << 10
_REFUSED = {
    b"1": "a hard link", b"3": "a character device", b"4": "a block device", b"6": "a named pipe",
    b"7": "a contiguous file", b"S": "a sparse file", b"M": "the rest of another volume's file",
    b"V": "a volume's label", b"D": "a directory with its list", b"A": "an access list",
}  # fmt: skip
_FILE, _DIRECTORY, _LINK = (b"0", b"\0"), b"5", b"2"


class HostileError(BadInputError):
    """An archive that would do what unpacking kernel sources never does."""


class Kind(StrEnum):
    """What a member is; the letters of a manifest."""

    FILE = "f"
    PROGRAM = "x"  # a file with the owner's right to run it
    DIRECTORY = "d"
    LINK = "l"


@dataclass(frozen=True, slots=True)
class Member:
    """One member: `name` as written, `target` of a symbolic link, `size` in bytes, `time` in seconds."""

    name: str
    kind: Kind
    size: int
    mode: int
    time: int
    target: str = ""


class TarReader:
    """The members of a tar in order; the body of the last one is read by `read_body`, or passed over."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = memoryview(b"")
        self._left = 0  # of the body
        self._padding = 0
        self.position = 0

    def _take(self, size: int) -> memoryview:
        """Up to `size` bytes, at least one; raises `HostileError` where the archive ends."""
        while not self._buffer:
            try:
                self._buffer = memoryview(next(self._chunks))
            except StopIteration:
                raise HostileError("the archive breaks off", hint="fetch it again") from None
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        self.position += len(piece)
        return piece

    def _read(self, size: int) -> bytes:
        piece = self._take(size)
        if len(piece) == size:
            return bytes(piece)
        data = bytearray(piece)
        while len(data) < size:
            data += self._take(size - len(data))
        return bytes(data)

    def read_body(self) -> Iterator[memoryview]:
        """The pieces of the last member's body."""
        while self._left:
            piece = self._take(self._left)
            self._left -= len(piece)
            yield piece

    def _finish_body(self) -> None:
        for _ in self.read_body():
            pass
        if self._padding:
            self._read(self._padding)
            self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        special: dict[str, str] = {}
        everywhere: dict[str, str] = {}
        while True:
            self._finish_body()
            header = self._read(BLOCK)
            if not any(header):
                self._end()
                return
            kind, name, target, size = _parse_header(header)
            if kind in (b"x", b"g", b"L", b"K"):
                self._start_body(size, limit=_EXTENSION_LIMIT)
                body = b"".join(self.read_body())
                if kind == b"g":
                    everywhere.update(_parse_pax(body))
                elif kind == b"x":
                    special.update(_parse_pax(body))
                else:
                    special["path" if kind == b"L" else "linkpath"] = _text(body.rstrip(b"\0"))
                continue
            words = {**everywhere, **special}
            special = {}
            words = {"path": name, "linkpath": target, **words}
            yield self._member(header, kind, size, words)

    def _member(self, header: bytes, kind: bytes, size: int, words: dict[str, str]) -> Member:
        name, target = words["path"], words["linkpath"]
        if kind in _REFUSED:
            raise HostileError(f"{show_name(name)} is {_REFUSED[kind]}; kernel sources have none")
        if any(key.startswith("GNU.sparse") for key in words):
            raise HostileError(f"{show_name(name)} is a sparse file; kernel sources have none")
        mode, time = _number(header[100:108]), _number(header[136:148])
        if kind in _FILE:
            if name.endswith("/"):
                raise HostileError(f"{show_name(name)} is a file with the name of a directory")
            if "size" in words:
                size = int(words["size"]) if words["size"].isdecimal() else -1
            self._start_body(size, limit=1 << 40)
            return Member(name, Kind.PROGRAM if mode & 0o100 else Kind.FILE, size, mode, time)
        if kind not in (_DIRECTORY, _LINK):
            raise HostileError(f"{show_name(name)} is of a kind that is not known: {kind!r}")
        if size:
            raise HostileError(f"{show_name(name)} has contents, which its kind never has")
        if kind == _DIRECTORY:
            return Member(name, Kind.DIRECTORY, 0, mode, time)
        return Member(name, Kind.LINK, 0, mode, time, target)

    def _start_body(self, size: int, *, limit: int) -> None:
        if not 0 <= size <= limit:
            raise HostileError(f"the archive says of a part that it has {size} bytes")
        self._left, self._padding = size, -size % BLOCK

    def _end(self) -> None:
        """What follows the end is zeros, or nothing: other readers might find members there."""
        rest = bytes(self._buffer)
        while True:
            if rest.strip(b"\0"):
                raise HostileError("the archive goes on after its end")
            self.position += len(rest)
            try:
                rest = next(self._chunks)
            except StopIteration:
                return


def _parse_header(header: bytes) -> tuple[bytes, str, str, int]:
    """Kind, name, link target and size of one header block."""
    said = header[148:156].strip(b" \0")
    if (
        not said.isdigit()
        or b"8" in said
        or b"9" in said
        or sum(header) - sum(header[148:156]) + 8 * 0x20 != int(said, 8)
    ):
        raise HostileError("no tar archive, or a damaged one")
    name, prefix = _field(header[0:100]), b""
    if header[257:263] == b"ustar\0":  # GNU's own format has times where the prefix would be
        prefix = _field(header[345:500])
    full = prefix + b"/" + name if prefix else name
    return header[156:157], _text(full), _text(_field(header[157:257])), _number(header[124:136])


def _field(data: bytes) -> bytes:
    return data.partition(b"\0")[0]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise HostileError(f"{data[:60]!r} is no name in UTF-8") from None


def _number(data: bytes) -> int:
    """Octal digits, or GNU's base 256 for what is too big for them."""
    if data[:1] == b"\x80":
        return int.from_bytes(data[1:], "big")
    text = data.strip(b" \0")
    if not text:
        return 0
    try:
        return int(text, 8)
    except ValueError:
        raise HostileError(f"{data!r} is no number of a tar header") from None


def _parse_pax(body: bytes) -> dict[str, str]:
    """The records `LENGTH KEY=VALUE\\n` of a pax header; those that name or size a member are kept."""
    words: dict[str, str] = {}
    at = 0
    while at < len(body):
        length_text, space, _ = body[at : at + 24].partition(b" ")
        length = int(length_text) if length_text.isdigit() else 0
        record = body[at + len(length_text) + 1 : at + length]
        if not space or length <= len(length_text) + 2 or at + length > len(body) or record[-1:] != b"\n":
            raise HostileError("a pax header that contradicts itself")
        key, _, value = record[:-1].partition(b"=")
        if key in (b"path", b"linkpath", b"size") or key.startswith(b"GNU.sparse"):
            words[_text(key)] = _text(value)
        at += length
    return words


def show_name(name: str) -> str:
    """A name as a terminal may see it: quoted where it has what is not to be printed."""
    shown = name if name.isprintable() else repr(name)
    return shown if len(shown) <= 120 else f"{shown[:100]}…"
