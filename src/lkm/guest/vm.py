# SPDX-License-Identifier: MIT
"""One QEMU process: started, listened to, ended.

Everything it needs from us it inherits as a file descriptor, so a process that is killed leaves no file,
and everything ends with the thread that starts it (PR_SET_PDEATHSIG counts threads, not processes), so
one thread starts all of them and lives as long as we do.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import queue
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from lkm import process
from lkm.errors import GuestLostError, LkmError, MissingError
from lkm.guest.agent import build_launcher
from lkm.guest.channel import Channel, Frame
from lkm.guest.machine import Ends, Machine, build_argv
from lkm.guest.qmp import Qmp

_LOOK = 0.003  # seconds between looks at a guest that cannot ring


# argv, descriptors to inherit, where its output goes, where the answer goes
_Job = tuple[Sequence[str], Sequence[int], int, "queue.SimpleQueue[subprocess.Popen[bytes] | BaseException]"]


class _Starter:
    """The one thread that starts processes."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self.__init__()  # type: ignore[misc]

    def start(self, argv: Sequence[str], fds: Sequence[int], errors: int) -> subprocess.Popen[bytes]:
        done: queue.SimpleQueue[subprocess.Popen[bytes] | BaseException] = queue.SimpleQueue()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="lkm-starter", daemon=True)
                self._thread.start()
        self._jobs.put((argv, fds, errors, done))
        result = done.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def _work(self) -> None:
        while True:
            argv, fds, errors, done = self._jobs.get()
            try:
                done.put(
                    subprocess.Popen(
                        argv,
                        stdin=subprocess.DEVNULL,
                        stdout=errors,
                        stderr=errors,
                        pass_fds=fds,
                        start_new_session=True,  # Ctrl-C at the terminal is ours
                    )
                )
            except BaseException as error:
                done.put(error)


_starter = _Starter()


class Vm:
    """A running QEMU.  `memory` describes its memory backend; `more` are further words of its command line.

    `fds` are inherited too.  Raises `MissingError` where QEMU cannot be started.
    """

    def __init__(
        self,
        machine: Machine,
        memory: str,
        *more: str,
        fds: Sequence[int] = (),
        channel: Channel | None = None,
    ) -> None:
        self.machine = machine
        self.channel = channel or Channel()
        self.closed = False
        self._console = os.memfd_create("lkm-console", os.MFD_CLOEXEC)
        self._console_start = 0
        self._errors = os.memfd_create("lkm-qemu", os.MFD_CLOEXEC)
        self._resets = os.memfd_create("lkm-resets", os.MFD_CLOEXEC)
        self._bell, bell = socket.socketpair()
        ours, monitor = socket.socketpair()
        self.qmp = Qmp(ours)
        self._pidfd = -1
        try:
            ends = Ends(self.channel.fd, bell.fileno(), monitor.fileno(), self._console, self._resets)
            self._process = self._start([*build_argv(machine, ends, memory), *more], [*_numbers(ends), *fds])
            try:
                self._pidfd = os.pidfd_open(self._process.pid)
            except BaseException:
                self.kill()
                raise
        except BaseException:
            self._give_back()
            raise
        finally:
            bell.close()
            monitor.close()
        self._bell.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._poll.register(self._pidfd, select.POLLIN)

    def _start(self, argv: Sequence[str], fds: Sequence[int]) -> subprocess.Popen[bytes]:
        process.trace(argv)
        try:
            try:
                return self._launch(argv, fds)
            except FileNotFoundError:
                # Another version of lkm that shares the cache may just have removed the launcher.
                return self._launch(argv, fds)
        except OSError as error:
            raise MissingError(
                f"{argv[0]} cannot be started: {error.filename}: {error.strerror}", hint="lkm doctor"
            ) from error

    def _launch(self, argv: Sequence[str], fds: Sequence[int]) -> subprocess.Popen[bytes]:
        return _starter.start([str(build_launcher()), str(os.getpid()), *argv], fds, self._errors)

    @property
    def bell(self) -> int:
        """Readable where the agent wants us to look."""
        return self._bell.fileno()

    @property
    def process_fd(self) -> int:
        """Readable once QEMU ended."""
        return self._pidfd

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self._process.pid

    @property
    def ran(self) -> float:
        """Seconds of processor time that QEMU has had: on a busy host the guest's time is not ours.

        Steps of 10 ms; it does not grow any more once QEMU ended.
        """
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_bytes()
        except OSError:
            return 0.0
        words = stat.rpartition(b")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def killed(self) -> bool:
        """Whether a signal ended QEMU."""
        return (self._process.poll() or 0) < 0

    @property
    def alive(self) -> bool:
        """Whether QEMU runs."""
        return not self.closed and self._process.poll() is None

    def next_frame(self, until: float) -> Frame | None:
        """The agent's next frame; None where `until` (time.monotonic) came first.

        Raises `GuestLostError` where QEMU ended and no frame is left.
        """
        while True:
            frame = self.channel.take()
            if frame is not None:
                return frame
            if not self.alive:
                frame = self.channel.take()
                if frame is None:
                    raise GuestLostError("QEMU ended")
                return frame
            wait = until - time.monotonic()
            most = 1.0 if self.channel.rings else _LOOK
            for fd, event in self._poll.poll(max(min(wait, most), 0) * 1000):
                if fd == self._bell.fileno():
                    self._hear(event)
            if wait <= 0:
                return self.channel.take()

    def _hear(self, event: int) -> None:
        """Takes the doorbell's bytes; they say only `look`."""
        try:
            if self._bell.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        if event & (select.POLLHUP | select.POLLERR | select.POLLIN):
            self._poll.unregister(self._bell)  # QEMU is about to end; the pidfd tells when

    @property
    def console_size(self) -> int:
        """Bytes that the serial console showed."""
        return os.fstat(self._console).st_size - self._console_start

    def console(self, start: int = 0, end: int | None = None) -> bytes:
        """What the serial console showed from byte `start` on, to `end`; zeros where it was let go."""
        end = self.console_size if end is None else end
        return os.pread(self._console, max(end - start, 0), self._console_start + start)

    def let_go_of_console(self, end: int) -> None:
        """Gives back the memory of what was shown before byte `end`."""
        length = (self._console_start + end) // mmap.PAGESIZE * mmap.PAGESIZE
        if length:
            with mmap.mmap(self._console, length) as shown:
                shown.madvise(mmap.MADV_REMOVE)

    def forget_console(self) -> None:
        """From now on the console begins here."""
        self._console_start = os.fstat(self._console).st_size

    @property
    def triple_fault(self) -> bool:
        """Whether QEMU saw a processor give up (target/i386/tcg/excp_helper.c, check_exception)."""
        size = os.fstat(self._resets).st_size
        return b"Triple fault" in os.pread(self._resets, 4096, max(size - 4096, 0))

    def errors(self) -> str:
        """What QEMU itself said."""
        data = os.pread(self._errors, min(os.fstat(self._errors).st_size, 65536), 0)
        return data.decode("utf-8", "replace").strip()

    def failure(self, what: str) -> LkmError:
        """The exception for a QEMU that did not do `what`, by what it said."""
        said = self.errors()
        signalled = -(self._process.poll() or 0)
        if signalled == signal.SIGBUS:
            return MissingError(
                "no space left on the disk for a saved guest", hint="df -h; lkm doctor --clear"
            )
        if signalled == signal.SIGKILL:
            return MissingError("QEMU was killed, as when memory runs out", hint="lkm run --memory 128")
        if "Cannot allocate memory" in said or "cannot set up guest memory" in said:
            return MissingError("not enough memory for a guest", hint="lkm run --memory 128")
        last = said.splitlines()[-1] if said else "it said nothing"
        return MissingError(f"QEMU did not {what}: {last}", hint="lkm doctor")

    def wait(self, timeout: float) -> bool:
        """Waits for QEMU's end; whether it came."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
            return True
        return False

    def close(self) -> None:
        """Kills QEMU and gives everything back."""
        if not self.closed:
            self.kill()
            self._give_back()

    def _give_back(self) -> None:
        self.closed = True
        for fd in (self._console, self._errors, self._resets, self._pidfd):
            if fd >= 0:
                os.close(fd)
        self._bell.close()
        self.qmp.close()
        self.channel.close()

    def kill(self) -> None:
        """Ends QEMU at once and reaps it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


def _numbers(ends: Ends) -> list[int]:
    return [ends.window, ends.bell, ends.monitor, ends.console, ends.resets]
