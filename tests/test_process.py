# SPDX-License-Identifier: MIT
"""Other programs: how they end, what they say, and that none is left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lkm import process
from lkm.errors import MissingError, OutOfTimeError
from lkm.process import Result


def start(argv: list[str], seconds: float) -> Result:
    with process.started(argv, timeout=seconds) as finish:
        return finish(b"fed\n")


# Four ways to run a program, in one shape.
RUNNERS: dict[str, Callable[[list[str], float], Result]] = {
    "run": lambda argv, seconds: process.run(argv, timeout=seconds),
    "fed": lambda argv, seconds: process.run_fed(argv, [b"fed\n"], timeout=seconds),
    "started": start,
    "lines": lambda argv, seconds: process.run_lines(argv, timeout=seconds),
}


@pytest.fixture(params=sorted(RUNNERS))
def runner(request: pytest.FixtureRequest) -> Callable[[list[str], float], Result]:
    return RUNNERS[request.param]


def test_status_and_words(runner: Callable[[list[str], float], Result]) -> None:
    result = runner(["sh", "-c", "echo said; exit 3"], 60)
    assert (result.status, result.stdout) == (3, "said\n")
    assert runner(["sh", "-c", "kill -9 $$"], 60).status == 137
    assert runner(["sh", "-c", "exit 127"], 60).status == 127


def test_a_program_that_is_not_there(runner: Callable[[list[str], float], Result]) -> None:
    with pytest.raises(MissingError, match="nowhere-to-be-found"):
        runner(["nowhere-to-be-found"], 60)


def test_the_whole_group_ends_when_the_time_is_up(
    runner: Callable[[list[str], float], Result], tmp_path: Path
) -> None:
    """One that ignores SIGTERM, and the child that it has."""
    pids = tmp_path / "pids"
    with pytest.raises(OutOfTimeError, match=r"no end after 3 s: sh -c"):
        runner(["sh", "-c", f"trap '' TERM; sleep 600 & echo $$ $! > {pids}; wait; sleep 600"], 3)
    for pid in pids.read_text().split():
        until = time.monotonic() + 10
        while _runs(pid) and time.monotonic() < until:
            time.sleep(0.01)
        assert not _runs(pid)


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_feeds_it_raises_what_it_raises() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one"
        raise TimeoutError("of a connection")

    with pytest.raises(TimeoutError, match="of a connection"):
        process.run_fed(["cat"], chunks())


def test_one_that_stops_reading_ends_the_feeding() -> None:
    assert process.run_fed(["true"], (bytes(1 << 20) for _ in range(1000))).status == 0


def test_one_started_and_handed_nothing_ends_with_the_block(tmp_path: Path) -> None:
    with process.started(["sh", "-c", f"echo $$ > {tmp_path}/pid; cat; sleep 600"]):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
    assert not _runs((tmp_path / "pid").read_text().strip())


def test_one_started_reads_what_it_was_given_before_it_is_handed_its_input() -> None:
    source, sink = os.pipe()
    with process.started(["sh", "-c", f"cat /dev/fd/{source}; cat; echo $1 >&2"], given=[source]) as finish:
        assert process.run(["sh", "-c", f"echo given > /dev/fd/{sink}"], given=[sink]).status == 0
        result = finish(b"handed\n")
    assert (result.stdout, result.stderr) == ("given\nhanded\n\n", "")


def test_lines_come_as_they_are_said() -> None:
    came: list[str] = []
    result = process.run_lines(["sh", "-c", "echo one; echo two >&2; printf three"], on_line=came.append)
    assert came == ["one", "two", "three"]
    assert (result.stdout, result.stderr) == ("one\ntwo\nthree\n", "")


def test_its_pipe_is_closed_only_once_it_ended(tmp_path: Path) -> None:
    """What tidies up as it is told to end still says so, without a broken pipe."""

    def stop(line: str) -> None:
        raise RuntimeError(line)

    script = (
        f"trap 'echo tidied && touch {tmp_path}/tidied; exit' TERM; echo begun; while :; do sleep 0.05; done"
    )
    with pytest.raises(RuntimeError, match="begun"):
        process.run_lines(["sh", "-c", script], on_line=stop)
    assert (tmp_path / "tidied").exists()


def test_no_descriptor_is_left(runner: Callable[[list[str], float], Result]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    runner(["true"], 60)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
