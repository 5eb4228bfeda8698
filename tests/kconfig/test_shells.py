# SPDX-License-Identifier: MIT
"""The questions of Kconfig files, asked by a process of its own that writes the flat copy, too."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lkm.kconfig.shells import ShellError, Shells


def served(flat: Path, pipe: int | None = None) -> Shells:
    """Shells, and the process that asks them."""
    shells = Shells()
    pid = os.fork()
    if pid == 0:
        os._exit(shells.serve(flat, pipe))
    shells.begin(pid)
    if pipe is not None:
        os.close(pipe)
    return shells


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    return tmp_path / "flat"


def test_what_a_shell_says_is_what_kconfig_takes(flat: Path) -> None:
    shells = served(flat)
    said = {
        "echo one": "one",
        "printf 'a\\nb\\n\\n'": "a b",
        "echo hidden >&2; exit 3": "",
        "cat": "",
        "kill -9 $$": "",
        "printf '\\377'": "\ufffd",
        "echo $LKM_TEST_NOTHING$0": "/bin/sh",
    }
    marks = {command: shells.start(command) for command in said}
    assert [shells.resolve(marks[command]) for command in reversed(said)] == list(said.values())[::-1]
    assert shells.start("echo one") == marks["echo one"]
    nested = shells.start(f"echo two {marks['echo one']}")
    assert shells.resolve(f"<{nested}>") == "<two one>"
    shells.end()
    shells.wait()
    assert flat.read_text() == ""


def test_the_flat_copy_is_whole_in_its_file_and_in_the_pipe(flat: Path) -> None:
    source, sink = os.pipe()
    taken: list[bytes] = []
    thread = threading.Thread(target=lambda: taken.extend(_read(source)))
    shells = served(flat, sink)
    thread.start()
    late, soon = shells.start("sleep 0.2; echo late"), shells.start("echo soon")
    text = f"first\n{soon}\n" + "x" * 300_000 + f"\n{late} and {soon}\nlast ä\n"
    for at in range(0, len(text), 100_000):
        shells.put(text[at : at + 100_000])
    shells.end()
    shells.wait()
    thread.join()
    wanted = text.replace(late, "late").replace(soon, "soon")
    assert flat.read_text() == wanted
    assert b"".join(taken).decode() == wanted


def _read(fd: int) -> Iterator[bytes]:
    while part := os.read(fd, 4096):
        yield part
    os.close(fd)


def test_one_that_stops_reading_the_pipe_holds_nobody_up(flat: Path) -> None:
    source, sink = os.pipe()
    os.close(source)
    shells = served(flat, sink)
    shells.put("x" * 300_000)
    shells.end()
    shells.wait()
    assert flat.stat().st_size == 300_000


def test_a_question_without_an_answer_is_named(flat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm.kconfig.shells._TIMEOUT", 0.2)
    shells = served(flat)
    shells.start("exec sleep 600")
    with pytest.raises(ShellError, match=r"no answer after 0.2 s: exec sleep 600"):
        shells.end()
    with pytest.raises(ShellError, match="cannot be written"):
        shells.wait()


def test_a_copy_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    shells = served(tmp_path / "missing/flat")
    with pytest.raises(ShellError, match="No such file"):
        shells.end()
    with pytest.raises(ShellError, match="cannot be written"):
        shells.wait()
