# SPDX-License-Identifier: MIT
"""A process that is held still, and goes on after."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lkm.leftovers.still import hold_still

THREADS = (
    "import threading; [threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start() for _ in 'ab']"
)


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process with threads that never rest."""
    with subprocess.Popen(
        [sys.executable, "-c", f"{THREADS}; print(flush=True)"], stdout=subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        one.stdout.readline()
        yield one
        one.kill()


def states(pid: int) -> set[str]:
    """How its threads are, by a letter each."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return {text.rpartition(")")[2].split()[0] for text in stats}


def test_all_its_threads_stand_still_and_go_on(busy: subprocess.Popen[bytes]) -> None:
    for _ in range(20):
        with hold_still(busy.pid):
            assert states(busy.pid) == {"T"}
        assert "T" not in states(busy.pid)
    assert busy.poll() is None


def test_it_goes_on_after_an_exception(busy: subprocess.Popen[bytes]) -> None:
    with pytest.raises(RuntimeError), hold_still(busy.pid):
        raise RuntimeError
    assert "T" not in states(busy.pid)


def test_one_that_ended_is_no_error_and_its_status_is_left(busy: subprocess.Popen[bytes]) -> None:
    busy.kill()
    os.waitid(os.P_PID, busy.pid, os.WEXITED | os.WNOWAIT)
    with hold_still(busy.pid):
        pass
    assert busy.wait() == -9
    with hold_still(busy.pid):
        pass
