# SPDX-License-Identifier: MIT
"""A guest held still while its memory is read: a list or tree that changes meanwhile leads astray."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STOPS = 0.3  # seconds that its threads have to stop in; a busy host lets each wait for its turn
_POLL = 0.0002


@contextmanager
def hold_still(pid: int) -> Iterator[None]:
    """QEMU's process `pid`, a child of ours, runs not at all for the block (SIGSTOP).

    Nothing is left stopped: where we are killed, QEMU is with us, stopped or not.  One that has ended is no
    error here.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        until = time.monotonic() + _STOPS
        while not _has_stopped(pid) and time.monotonic() < until:
            time.sleep(_POLL)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _has_stopped(pid: int) -> bool:
    """Whether all its threads have stopped, or it ended; its status is left for whom it concerns."""
    try:
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
