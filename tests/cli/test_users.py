# SPDX-License-Identifier: MIT
"""Others than root: two users at once, a home that cannot be written, none at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import lkm
from lkm.kernel import Kernel
from lkm.process import find_program

pytestmark = pytest.mark.guest
SOURCE = Path(lkm.__file__).parents[1]
ONE, OTHER = 64001, 64002  # user ids that nobody has


def command(user: int, *words: str | Path, home: Path, **settings: str) -> subprocess.Popen[str]:
    """`lkm WORDS` started as that user, who has nothing but a home."""
    argv = [
        "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--",
        sys.executable, "-m", "lkm", *words,
    ]  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(SOURCE)} | settings
    return subprocess.Popen(
        argv, env=environment, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def place(kernel: Kernel, examples: Path) -> Iterator[Path]:
    """A directory that all can read: a kernel's image, a module, and a home for each user."""
    if os.geteuid() != 0 or find_program("setpriv") is None:
        pytest.skip("only root can become another user, with setpriv")
    assert kernel.image is not None
    with tempfile.TemporaryDirectory(prefix="lkm-users-") as name:
        place = Path(name)
        place.chmod(0o755)
        shutil.copy(kernel.image, place / "vmlinuz")
        shutil.copy(lkm.build(examples / "hello", kernel=kernel).modules[0], place)
        for path in place.iterdir():
            path.chmod(0o644)
        for user in (ONE, OTHER):
            (place / str(user)).mkdir(mode=0o700)
            os.chown(place / str(user), user, user)
        probe = command(ONE, "--version", home=place)
        if probe.wait():
            pytest.skip("another user cannot run this interpreter or read the project")
        yield place


def test_two_users_at_once(place: Path) -> None:
    words = ("run", "--kernel", place / "vmlinuz", place / "hello.ko", "month=May")
    running = [command(user, *words, home=place / str(user)) for user in (ONE, OTHER)]
    for process in running:
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
        assert "Hello! We are on 1 May" in out
    for user in (ONE, OTHER):
        assert list((place / str(user)).glob(".cache/lkm/templates/*/mem"))


def test_anothers_cache_is_not_ones_own(place: Path) -> None:
    process = command(
        OTHER, "run", "--kernel", place / "vmlinuz", place / "hello.ko", home=place / str(OTHER),
        LKM_CACHE=str(place / str(ONE)),
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert str(place / str(ONE)) in err and "hint: " in err and "Traceback" not in err


@pytest.mark.parametrize("home", ["read-only", "none"])
def test_a_home_that_cannot_be_written(home: str, place: Path) -> None:
    where = place / home
    if home == "read-only":
        where.mkdir(mode=0o555)
    words = ("run", "--kernel", place / "vmlinuz", place / "hello.ko")
    process = command(ONE, *words, home=where)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert str(where) in err and "LKM_CACHE" in err and "Traceback" not in err
    room = place / str(ONE) / "room"
    process = command(ONE, *words, home=where, LKM_CACHE=str(room))  # what the hint says
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert "Hello!" in out
