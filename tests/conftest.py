# SPDX-License-Identifier: MIT
"""What all tests share: a home of their own, one cache of kernels, and the kernel they run on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lkm import paths, process
from lkm.cli import run_command
from lkm.kernel import Kernel, find_kernel

if TYPE_CHECKING:
    from command_line import Command
    from own_build import OwnBuild

# Makers of test data that several test files import by name.
sys.path.insert(0, str(Path(__file__).parent / "support"))

EXAMPLES = Path(__file__).parents[1] / "examples"
# Kernels are fetched once for all tests, where a person's own lkm would look for them too.
CACHE = paths.cache_dir()
# A script's `./test &` ignores interrupts, and so would every program that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes a person's own settings; the cache is told by name."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "LKM_KERNEL", "NO_COLOR"):
            patch.delenv(name, raising=False)
        patch.setenv("LKM_CACHE", str(CACHE))
        yield


@pytest.fixture(scope="session")
def kernel() -> Kernel:
    """The kernel most tests run on: the distribution's current one."""
    return find_kernel(os.environ.get("LKM_TEST_KERNEL", "debian"))


@pytest.fixture(scope="session")
def own_kernel() -> OwnBuild:
    """A kernel of our own, built whole (preset `tiny`, some four minutes where it is not kept); read only.

    Tests that use it are marked `fetch`.
    """
    from own_build import build_own

    return build_own()


@pytest.fixture(scope="session")
def kernel_named() -> Callable[[str], Kernel]:
    """A kernel by name, fetched where it is not in the cache."""
    return find_kernel


@pytest.fixture
def run_lkm(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `lkm WORDS…` in this process, which ends with `status`; what it put out, and its errors."""

    def run(*words: str | Path, status: int = 0) -> tuple[str, str]:
        ended = run_command([str(word) for word in words])
        process.set_trace(None)  # `-v` lasts as long as the process
        out, err = capsys.readouterr()
        assert ended == status, err
        return out, err

    return run


@pytest.fixture
def command(run_lkm: Command) -> Command:
    """Runs `lkm kernel WORDS…`, as `run_lkm` does."""
    return partial(run_lkm, "kernel")


@pytest.fixture
def examples() -> Path:
    """The directory of the examples."""
    return EXAMPLES
