# SPDX-License-Identifier: MIT
"""What the machine lacks is found, with the command that mends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.cli import run_command
from lkm.doctor import Finding, State, examine
from lkm.kernel import Kernel, Origin

Capture = pytest.CaptureFixture[str]


def test_a_machine_that_runs_this_suite_lacks_nothing(capfd: Capture) -> None:
    assert run_command(["doctor", "--tests"]) == 0
    assert "missing" not in capfd.readouterr().out


def test_each_finding_says_what_it_is_for() -> None:
    findings = examine()
    assert len({finding.name for finding in findings}) == len(findings)
    assert all(finding.purpose for finding in findings)


def test_a_missing_program_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Capture
) -> None:
    apt = tmp_path / "apt-get"
    apt.touch(0o755)
    monkeypatch.setattr("lkm.process.find_program", lambda name: apt if name == "apt-get" else None)
    assert run_command(["doctor"]) == 3
    said = capfd.readouterr()
    assert "qemu-system-x86_64   not found" in said.out
    assert "apt-get install -y --no-install-recommends qemu-system-x86" in said.out
    assert "lkm doctor --fix" in said.err


def test_json(capfd: Capture) -> None:
    assert run_command(["doctor", "--json"]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert answer["schema"] == 1
    states = {finding["state"] for finding in answer["findings"]}
    assert states <= {state.value for state in State}


def test_a_cache_that_cannot_be_written_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", "/proc/lkm")
    (cache,) = [finding for finding in examine() if finding.name == "cache"]
    assert cache.state is not State.GOOD


def test_a_debug_kernel_is_known_by_its_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where none is at hand it is said where to read how to get one."""

    def finding(config: str, *, built: bool = True) -> Finding:
        (tmp_path / "config").write_text(config)
        image = tmp_path / "bzImage" if built else None
        kernel = Kernel("debug", "6.12.0-debug", "x86_64", Origin.OWN, image, tmp_path / "config")
        monkeypatch.setattr("lkm.doctor.list_kernels", lambda: [kernel])
        monkeypatch.setattr("lkm.doctor.find_kernel", lambda *_, **__: kernel)
        return next(one for one in examine() if one.name == "debug kernel")

    none = finding("CONFIG_SMP=y\n# CONFIG_KASAN is not set\n")
    assert none.state is State.NOTE
    assert (Path(__file__).parents[1] / none.text.rpartition(" ")[2]).is_file()
    good = finding("CONFIG_KASAN=y\nCONFIG_DEBUG_KMEMLEAK=y\n")
    assert (good.state, good.text) == (State.GOOD, "debug: KASAN, kmemleak")
    assert finding("CONFIG_KASAN=y\n", built=False).state is State.NOTE
