# SPDX-License-Identifier: MIT
"""Module files: names and compression."""

import gzip
import lzma
import os

import pytest
import zstandard

from lkm.errors import BadInputError
from lkm.module import module_name, open_module, read_module_bytes

DATA = b"\x7fELF" + bytes(range(256)) * 400
PACKERS = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize(("file_name", "name"), [
    ("hello.ko", "hello"), ("snd-hda-intel.ko.xz", "snd_hda_intel"), ("/a/b-c/x.y.ko", "x"),
    ("kernel/fs/ext4.ko", "ext4"),
])  # fmt: skip
def test_name_from_the_file(file_name: str, name: str) -> None:
    assert module_name(file_name) == name


@pytest.mark.parametrize("kind", PACKERS)
def test_unpacks_whatever_the_suffix_says(tmp_path, kind: str) -> None:
    path = tmp_path / "x.ko"
    path.write_bytes(PACKERS[kind](DATA))
    assert read_module_bytes(path) == DATA
    assert open_module(path).read(4, 8) == DATA[4:12]


@pytest.mark.parametrize("kind", PACKERS)
def test_several_streams_after_another(tmp_path, kind: str) -> None:
    path = tmp_path / "x.ko"
    path.write_bytes(PACKERS[kind](DATA[:1000]) + PACKERS[kind](DATA[1000:]))
    assert read_module_bytes(path) == DATA


@pytest.mark.parametrize("kind", PACKERS)
def test_damaged_and_truncated_ones_are_errors(tmp_path, kind: str) -> None:
    packed = PACKERS[kind](DATA)
    path = tmp_path / "bad.ko"
    for damaged in (packed[: len(packed) // 2], packed[:8], packed[:20] + b"\xff" * 9 + packed[29:]):
        path.write_bytes(damaged)
        with pytest.raises(BadInputError, match=r"bad\.ko"):
            read_module_bytes(path)


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_is_stopped_at_the_limit(tmp_path, kind: str) -> None:
    path = tmp_path / "bomb.ko"
    path.write_bytes(PACKERS[kind](bytes(5_000_000)))
    with pytest.raises(BadInputError, match="more than 1000000 bytes"):
        read_module_bytes(path, limit=1_000_000)


def test_what_cannot_be_read_is_named(tmp_path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        open_module(tmp_path / "none.ko")
    with pytest.raises(BadInputError, match="not a regular file"):
        open_module(tmp_path)
    os.mkfifo(tmp_path / "pipe.ko")
    with pytest.raises(BadInputError, match="not a regular file"):
        open_module(tmp_path / "pipe.ko")
