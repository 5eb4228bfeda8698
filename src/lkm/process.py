# SPDX-License-Identifier: MIT
"""The one place that starts other programs.

A list, never a shell; standard input closed unless given; a timeout always; and the whole process group
ends with us, however we end (`setpriv --pdeathsig`, prctl(2) PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import LkmError, MissingError, OutOfTimeError

_trace: Callable[[str], None] | None = None


def set_trace(show: Callable[[str], None] | None) -> None:
    """`show` is called with each command line, quoted for a shell, before it runs (the command's `-v`)."""
    global _trace  # noqa: PLW0603 - one process, one trace, set once by the command line
    _trace = show


def trace(argv: Sequence[str], *, cwd: Path | None = None) -> None:
    """Shows a command that is about to run, where `-v` asked for it."""
    if _trace is not None:
        place = f"cd {shlex.quote(str(cwd))} && " if cwd else ""
        _trace(place + shlex.join(argv))


class CommandError(LkmError):
    """A command that must succeed did not; `result` has what it said."""

    def __init__(self, message: str, result: Result, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.result = result


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: `status` as a shell counts it (128 + signal), `seconds` of wall time."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def command(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(self.argv)

    def check(self, what: str = "", *, hint: str = "") -> Result:
        """Itself where the status is 0; else raises `CommandError` naming the command and its last words."""
        if self.status == 0:
            return self
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()
        last = "\n  ".join(said[-5:])
        how = f"signal {self.status - 128}" if self.status > 128 else f"status {self.status}"
        message = f"{what or self.argv[0]} failed ({how}): {self.command}" + (f"\n  {last}" if last else "")
        raise CommandError(message, self, hint=hint)


def find_program(name: str) -> Path | None:
    """The program on PATH, /usr/sbin and /sbin included, or None."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    for directory in [""] if "/" in name else path.split(os.pathsep):
        candidate = Path(directory, name)
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return candidate
    return None


def dies_with_us(argv: Sequence[str], *, by: str = "KILL") -> list[str]:
    """`argv` made to end when the thread that starts it ends, at kill -9 too (Linux: PR_SET_PDEATHSIG).

    `by`: the signal; a program that has children of its own to end takes TERM.
    """
    setpriv = find_program("setpriv")
    return [str(setpriv), "--pdeathsig", by, "--", *argv] if setpriv else list(argv)


def end_group(process: subprocess.Popen[bytes], *, grace: float = 2.0) -> None:
    """Ends the process group of `process`: SIGTERM, then SIGKILL after `grace` seconds; reaps it."""
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=wait)
            if number == signal.SIGTERM:
                continue  # the leader is gone; the SIGKILL round is for what it left behind
            return


@contextlib.contextmanager
def _started(
    words: Sequence[str],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    given: Sequence[int] = (),
    by: str = "KILL",
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs; its group is ended where the block raises, `TimeoutExpired` becomes our own.

    `given`: descriptors that become the program's, and are closed here.
    """
    trace(words, cwd=cwd)
    try:
        process = subprocess.Popen(
            dies_with_us(words, by=by),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=given,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise MissingError(f"{words[0]} is not on this machine", hint="lkm doctor") from error
    finally:
        for fd in given:
            os.close(fd)
    try:
        yield process
    except subprocess.TimeoutExpired:
        end_group(process)
        raise OutOfTimeError(f"no end after {timeout:g} s: {shlex.join(words)}") from None
    except BaseException:
        end_group(process)
        raise
    finally:
        # Only now: one that is to end tidies up before it meets a closed pipe.
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _result(words: tuple[str, ...], status: int, out: str, err: str, start: float) -> Result:
    """What came of a program with `Popen.returncode` as its status."""
    status = status if status >= 0 else 128 - status
    if status == 127 and find_program(words[0]) is None and not Path(words[0]).exists():
        raise MissingError(f"{words[0]} is not on this machine", hint="lkm doctor")
    return Result(words, status, out, err, time.monotonic() - start)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float = 600.0,
    errors: str = "replace",
    given: Sequence[int] = (),
) -> Result:
    """Runs `argv` to its end and returns its `Result`, whatever the status (see `Result.check`).

    `env` replaces the environment when given.  `timeout` is in seconds.  `errors`: what becomes of output
    that is not UTF-8 (`surrogateescape` keeps its bytes).  `given`: descriptors that become the program's;
    they are closed here, whatever comes.  Raises `MissingError` where the
    program is not there, `OutOfTimeError` where the time is up (the group is ended first).  An
    interrupt ends the group before it goes on.
    """
    words = tuple(str(word) for word in argv)
    start = time.monotonic()
    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    with _started(words, timeout=timeout, cwd=cwd, env=env, stdin=source, given=given) as process:
        out, err = process.communicate(stdin, timeout=timeout)
    return _result(words, process.returncode, out.decode("utf-8", errors), err.decode("utf-8", errors), start)


def run_fed(
    argv: Sequence[str | Path],
    chunks: Iterable[bytes],
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = 3600.0,
) -> Result:
    """As `run`, with standard input made of `chunks`, handed over as they come, however many there are.

    For programs that say little: what they write is read when they have ended.  One that stops reading ends
    the feeding.  An exception of `chunks` ends the program and goes on.
    """
    words = tuple(str(word) for word in argv)
    start = time.monotonic()
    with _started(words, timeout=timeout, env=env, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            with contextlib.suppress(OSError):  # a pipe of 1 MiB lets both sides work at once
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[os.write(pipe.fileno(), view) :]
                if time.monotonic() > start + timeout:
                    raise subprocess.TimeoutExpired(words, timeout)
        process.stdin = None  # closed; communicate() would flush it
        out, err = process.communicate(timeout=max(start + timeout - time.monotonic(), 0.1))
    said, complained = (part.decode("utf-8", "replace") for part in (out, err))
    return _result(words, process.returncode, said, complained, start)


@contextlib.contextmanager
def started(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: Sequence[int] = (),
    timeout: float = 600.0,
) -> Iterator[Callable[[bytes], Result]]:
    """Starts `argv`, and gives what hands it all its standard input and waits for its end, once.

    What it writes, on both ways, goes to a file, so that it waits for no reader; `Result.stdout` has it.
    `timeout` counts from the handing over.  One that was handed nothing is ended with the block.  `given`
    and errors as with `run`.
    """
    import tempfile  # whoever starts a program this way needs the time for other things first

    words = tuple(str(word) for word in argv)
    start = time.monotonic()
    with (
        tempfile.TemporaryFile() as said,
        _started(
            words, timeout=timeout, cwd=cwd, env=env, given=given,
            stdin=subprocess.PIPE, stdout=said.fileno(), stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip

        def finish(stdin: bytes) -> Result:
            process.communicate(stdin, timeout=timeout)
            said.seek(0)
            return _result(words, process.returncode, said.read().decode("utf-8", "replace"), "", start)

        yield finish
        if process.returncode is None:
            end_group(process)


def run_lines(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout: float = 600.0,
    dies_by: str = "KILL",
) -> Result:
    """As `run`, with standard error joined to standard output and each line handed over as it comes.

    `on_line` gets a line without its newline.  `dies_by`: the signal it gets where we are killed.
    """
    words = tuple(str(word) for word in argv)
    start = time.monotonic()
    lines: list[str] = []
    with _started(words, timeout=timeout, cwd=cwd, env=env, stderr=subprocess.STDOUT, by=dies_by) as process:
        assert process.stdout is not None
        for line in _lines_of(process.stdout.fileno(), start + timeout):
            lines.append(line)
            if on_line is not None:
                on_line(line)
        process.wait(timeout=max(start + timeout - time.monotonic(), 0.1))
    return _result(words, process.returncode, "".join(f"{line}\n" for line in lines), "", start)


def _lines_of(fd: int, deadline: float) -> Iterator[str]:
    """The lines of a program's output until it closes it; raises `TimeoutExpired` at `deadline`."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise subprocess.TimeoutExpired([], 0)
            data = os.read(fd, 65536)
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace")
            if not data:
                break
    if rest:
        yield rest.decode("utf-8", "replace")


def is_interactive() -> bool:
    """Whether a person sits at standard error (progress bars, questions)."""
    return sys.stderr.isatty()
