# SPDX-License-Identifier: MIT
"""The process that reads a tree's Kconfig files: what it makes of them, and says where it cannot."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lkm import process
from lkm.errors import BadInputError
from lkm.kconfig.index import Index, open_index
from lkm.kconfig.tree import Tree

ERROR = (
    "answer := $(shell,echo n)\n$(error-if,$(answer),not so)\n$(error-if,$(shell,echo y),no such compiler)\n"
)
OPTION = 'config A\n\tbool "a"\n'


def index_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Index:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "Kconfig").write_text(text)
    return open_index(Tree(tmp_path, "6.1.1", (("ARCH", "x86_64"),)))


def runs(pid: str) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("rest", ["", "gibberish here\n"])
def test_what_a_tree_refuses_is_told_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    """And before what follows from it."""
    with pytest.raises(BadInputError, match="Kconfig:3: no such compiler"):
        index_of(tmp_path, monkeypatch, ERROR + OPTION + rest)


def test_a_help_text_is_as_it_is_written_however_it_is_indented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helps = "\thelp\n\n\t  One.\n\n\t    Two.\n        \tThree.\n\n"
    index = index_of(
        tmp_path, monkeypatch, OPTION + helps + OPTION.replace("A", "B") + "\thelp\nconfig C\n\tint\n"
    )
    found = [index.find(name) for name in "ABC"]
    assert [one and one.help for one in found] == ["One.\n\n  Two.\n      Three.", "", ""]
    assert [one and one.nodes[0].line for one in found] == [1, 10, 13]


def test_a_question_without_an_end_ends_with_the_reader(tmp_path: Path) -> None:
    (tmp_path / "Kconfig").write_text(f"x := $(shell,sleep 600 & echo $! > {tmp_path}/pid; wait)\n")
    code = (
        "import os, lkm.kconfig.shells; lkm.kconfig.shells._TIMEOUT = 2\n"
        "from lkm.kconfig.parse import main; os._exit(main())"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "out")]
    result = process.run(argv, env={**os.environ, "srctree": str(tmp_path)}, timeout=120)
    assert result.status != 0
    assert result.stderr.startswith("no answer after 2 s: sleep 600")
    pid = (tmp_path / "pid").read_text().strip()
    until = time.monotonic() + 60
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not runs(pid)
