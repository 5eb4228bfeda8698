# SPDX-License-Identifier: MIT
"""Every verb that takes `--kernel`, with a kernel that was built here and never installed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import Command
from own_build import OwnBuild

from lkm.kernel.own import register_own

pytestmark = [pytest.mark.fetch, pytest.mark.guest]

KERNEL = ("--kernel", "own:tiny")


@pytest.fixture
def own(own_kernel: OwnBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBuild:
    """The kernel by the name `tiny`, in a cache of this test's own."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    register_own("tiny", own_kernel.build)
    return own_kernel


def test_reading_verbs(own: OwnBuild, run_lkm: Command) -> None:
    core = own.build / "drivers/pps/pps_core.ko"
    timer = own.build / "drivers/pps/clients/pps-ktimer.ko"
    steps = json.loads(run_lkm("plan", "pps-ktimer", "--no-config", "--json", *KERNEL)[0])["plan"]
    assert [step["path"] for step in steps] == [str(core), str(timer)]
    assert "pps_register_source" in run_lkm("deps", "pps_ktimer", *KERNEL)[0]
    assert str(core) in run_lkm("info", "pps_core", *KERNEL)[0]
    assert "used by 1 modules: pps_ktimer" in run_lkm("symbol", "pps_register_source", *KERNEL)[0]
    out, _ = run_lkm("check", "pps-ktimer", *KERNEL)
    assert "loads" in out and "first load: pps_core" in out
    built_in = (own.build / "modules.builtin").read_text().split()[-1].rpartition("/")[2].removesuffix(".ko")
    _, err = run_lkm("check", built_in, *KERNEL, status=1)
    assert f"{built_in} is built into own:tiny: there is nothing to load" in err
    _, err = run_lkm("check", "nowhere", *KERNEL, status=2)
    assert "nowhere: there is no such file, and no such module in own:tiny" in err


def test_the_map_is_system_map(own: OwnBuild, run_lkm: Command) -> None:
    lines = (own.build / "System.map").read_text().splitlines()
    address, letter, name = next(line.split() for line in lines if line.endswith(" T _printk"))
    (found,) = json.loads(run_lkm("symbol", name, "--json", *KERNEL)[0])["symbol"]
    assert (found["type"], int(found["address"], 16)) == (letter, int(address, 16))
    assert f"{name}+0x0" in run_lkm("map", f"0x{address}", *KERNEL)[0]


def test_modules_are_built_and_run(own: OwnBuild, run_lkm: Command, examples: Path, tmp_path: Path) -> None:
    source = tmp_path / "hello"
    shutil.copytree(examples / "hello", source)
    result = json.loads(run_lkm("run", str(source), "month=May", "day=3", "--json", *KERNEL)[0])
    assert result["outcome"] == "ok" and result["kernel"]["release"] == own.release
    assert any("3 May" in record["text"] for record in result["log"])

    result = json.loads(run_lkm("run", "pps-ktimer", "--json", *KERNEL)[0])  # the kernel's own, by name
    assert result["outcome"] == "ok"
    assert [module["name"] for module in result["modules"]] == ["pps_core", "pps_ktimer"]

    assert json.loads(run_lkm("kernel", "list", "--json")[0])["kernels"][0]["own"]["used"] > 0
    assert "used today" in run_lkm("kernel", "list")[0]
    before = sorted(path.name for path in own.build.iterdir())
    assert int(json.loads(run_lkm("kernel", "remove", "tiny", "--json")[0])["freed"]) > 1 << 20  # the guest
    assert sorted(path.name for path in own.build.iterdir()) == before


def test_a_kernel_that_is_configured_anew_is_built_against_anew(
    own: OwnBuild, run_lkm: Command, examples: Path, tmp_path: Path
) -> None:
    build = tmp_path / "copy"
    shutil.copytree(own.build, build, symlinks=True)
    source = tmp_path / "hello"
    shutil.copytree(examples / "hello", source)

    def built_for() -> str:
        (module,) = json.loads(run_lkm("build", str(source), "--json", "--kernel", str(build))[0])["modules"]
        return str(json.loads(run_lkm("info", str(module), "--json")[0])["info"][0]["vermagic"]).split()[0]

    assert built_for() == own.release
    header = build / "include/generated/utsrelease.h"
    text = header.read_text().replace(own.release, f"{own.release}-next")
    header.write_text(text)
    assert built_for() == f"{own.release}-next"
