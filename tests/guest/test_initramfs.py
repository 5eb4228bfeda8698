# SPDX-License-Identifier: MIT
"""The archive, against cpio(1)'s own reading of it where there is one, and against its specification."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lkm.guest.initramfs import build_cpio, device, directory, file, link


def entries() -> list:
    return [
        file("init", b"\x7fELF" + bytes(100), 0o755),
        file("a/b/c.txt", b"deep"),
        directory("a", 0o700),
        link("bin/sh", "busybox"),
        device("dev/console", 5, 1),
        file("empty", b""),
    ]


def parse(data: bytes) -> dict[str, tuple[int, bytes, tuple[int, int]]]:
    found, at = {}, 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, name_size = fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = fields[1], data[start : start + size], (fields[9], fields[10])
        at = (start + size + 3) & ~3


def test_entries_come_back_with_the_directories_they_need() -> None:
    found = parse(build_cpio(entries()))
    assert list(found) == ["init", "a", "a/b", "a/b/c.txt", "bin", "bin/sh", "dev", "dev/console", "empty"]
    assert found["init"] == (0o100755, b"\x7fELF" + bytes(100), (0, 0))
    assert found["a/b/c.txt"][1] == b"deep"
    assert found["bin/sh"][:2] == (0o120777, b"busybox")
    assert found["dev/console"] == (0o020600, b"", (5, 1))


def test_the_same_entries_give_the_same_bytes_in_whole_blocks() -> None:
    assert build_cpio(entries()) == build_cpio(entries())
    assert len(build_cpio(entries())) % 512 == 0


def test_cpio_reads_it(tmp_path: Path) -> None:
    cpio = shutil.which("cpio") or shutil.which("busybox")
    if cpio is None:
        pytest.skip("cpio and busybox are missing")
    argv = [cpio, *(["cpio"] if cpio.endswith("busybox") else []), "-t"]
    said = subprocess.run(argv, input=build_cpio(entries()), capture_output=True, cwd=tmp_path, check=True)
    assert said.stdout.decode().split() == list(parse(build_cpio(entries())))
