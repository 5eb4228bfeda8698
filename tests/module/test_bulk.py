# SPDX-License-Identifier: MIT
"""Information of many modules: each file is opened and closed once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.elf import FileSource
from lkm.errors import BadInputError
from lkm.kernel import Kernel
from lkm.module.bulk import read_information


@pytest.mark.fetch
def test_a_file_that_is_refused_is_closed_once(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is opened as soon as it was closed gets its number, and stays open."""
    assert kernel.modules is not None
    module = next(path for path in kernel.modules.rglob("*.ko") if path.is_file())
    opened: list[int] = []

    def refuse(fd: int, *, name: str) -> FileSource:
        FileSource(fd, name=name).close()
        opened.append(os.open(tmp_path, os.O_RDONLY))
        assert opened == [fd]
        raise BadInputError("refused")

    monkeypatch.setattr("lkm.module.bulk.FileSource", refuse)
    with pytest.raises(BadInputError):
        read_information(str(module))
    assert os.fstat(opened[0]).st_ino == tmp_path.stat().st_ino
    os.close(opened[0])
