# SPDX-License-Identifier: MIT
"""`lkm kernel list | show | add | remove`, with the archive made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Command

from lkm.kernel.facts import FACTS, parse_facts

NEW, SPLIT = "6.1.0-56-cloud-amd64", "7.3.4+deb13-cloud-amd64"

if os.uname().machine != "x86_64":
    pytest.skip("the archive made here is for x86_64", allow_module_level=True)


def test_an_empty_cache(command: Command, cache: Path) -> None:
    out, err = command("list")
    running = f"the running kernel, {os.uname().release}, has neither image nor headers here\n"
    assert (out, err) == ("", running + "no kernel here yet; fetch one: lkm kernel add debian\n")
    assert json.loads(command("list", "--json")[0]) == {
        "schema": 1,
        "default": None,
        "kernels": [],
        "trees": [],
        "other_trees": [],
        "compilers": [],
    }
    out, err = command("show", status=3)
    assert out == "" and "hint: lkm kernel add debian" in err


def test_add_list_show_remove(archive: Any, command: Command) -> None:
    out, err = command("add", "debian:6.1", "debian:trixie-backports")
    lines = [line.split()[0] for line in out.splitlines()]
    assert lines == [f"debian:{NEW}", f"debian:{SPLIT}"]
    assert f"fetching debian:{NEW}" in err  # a line a step where standard error is no terminal

    out, err = command("list")
    first, second = out.splitlines()
    assert err == "", "what is not here is told where nothing is"
    assert first.split()[:3] == [f"debian:{NEW}", "can", "build"] and "gcc-99 (this machine)" in first
    assert second.startswith(f"* debian:{SPLIT} ") and " MiB " in second

    data = json.loads(command("list", "--json")[0])
    assert data["schema"] == 1 and data["default"] == f"debian:{SPLIT}"
    kernel = data["kernels"][0]
    assert kernel["release"] == NEW and kernel["origin"] == "distribution" and kernel["size"] > 1 << 20
    assert kernel["can_build"] is True and kernel["can_boot"] is True
    assert kernel["toolchain"]["compiler"] == "gcc-99" and kernel["toolchain"]["root"] is None

    out, _ = command("show", "debian:6.1")
    shown = {line[:16].strip(): line[17:] for line in out.splitlines() if line[:16].strip()}
    assert shown["release"] == NEW and shown["built with"] == "gcc-99 (Test 99.1.0-1) 99.1.0"
    assert shown["version"] == "6.1.192-2" and shown["suite"] == "bookworm" and shown["use"] == "can build"
    assert "this machine's own, the version the kernel was built with" in out
    assert "+ MODVERSIONS" in out and "- MODULE_SIG_FORCE" in out
    data = json.loads(command("show", "--json")[0])
    assert data["schema"] == 1 and data["release"] == SPLIT and data["fetched"]["suite"] == "trixie-backports"
    assert data["config_facts"]["MODVERSIONS"] is True

    assert command("remove", NEW)[0].startswith("freed ")
    assert json.loads(command("remove", f"debian:{SPLIT}", "--json")[0])["freed"] > 1 << 20
    assert command("list")[0] == ""


def test_what_can_be_fetched(archive: Any, command: Command) -> None:
    command("add", "debian:6.1", "--json")
    out, _ = command("list", "--all")
    assert out.count(f"debian:{NEW} ") == 1
    gone = next(line for line in out.splitlines() if "6.1.0-57" in line)
    assert "boots only" in gone and gone.endswith("bookworm")
    offers = {
        offer["release"]: offer for offer in json.loads(command("list", "--all", "--json")[0])["offers"]
    }
    assert (
        offers[SPLIT]["can_build"] and offers[SPLIT]["flavour"] == "cloud-amd64" and offers[SPLIT]["size"] > 0
    )
    assert offers[NEW]["current"] and not offers["6.1.0-50-cloud-amd64"]["current"]


def test_one_that_only_boots(archive: Any, command: Command) -> None:
    name = "debian:6.1.0-57-cloud-amd64"
    assert "no headers for it any more" in command("add", name, status=3)[1]
    assert "boots only" in command("add", "--boot-only", name)[0]
    assert "it has no headers" in command("show", name)[0]


def test_without_its_compiler(archive: Any, command: Command, fakes: Any) -> None:
    config = fakes.config("gcc-98 (Test 98.2.0-1) 98.2.0")
    archive.add_kernel("bookworm", "6.1.0-90-amd64", "6.1.900-1", config=config)
    archive.publish("bookworm")
    assert "gcc-98" in command("add", "debian:6.1.0-90", status=3)[1]
    assert "no compiler" in command("list")[0]
    out, _ = command("show", "6.1.0-90-amd64")
    assert "this machine has no gcc-98; lkm kernel add debian:6.1.0-90-amd64 fetches it" in out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("show", "nonsense"), 2, "no kernel 'nonsense'"),
        (("show", "debian:6.1"), 3, "debian:6.1 is not in the cache"),
        (("remove", "debian:6.1"), 2, "no kernel 'debian:6.1' in the cache"),
        (("add",), 2, "missing argument"),
        (("add", "host"), 3, "the running kernel"),
        (("add", "arch:6.9"), 2, "cannot be fetched yet"),
        (("frobnicate",), 2, "no such command"),
    ],
)
def test_wrong_use(words: tuple[str, ...], status: int, message: str, command: Command, cache: Path) -> None:
    if words == ("add", "host") and Path(f"/boot/vmlinuz-{os.uname().release}").exists():
        pytest.skip("the running kernel is there")
    out, err = command(*words, status=status)
    assert out == "" and message in err and "hint: " in err


def test_interrupted_while_it_fetches(archive: Any, cache: Path) -> None:
    code = (
        "import os, signal, sys\nfrom lkm.cli import common, run_command\n"
        "update = common.Bar.update\n"
        "def slow(self, what, done=0, total=None):\n"
        "    update(self, what, done, total)\n"
        "    if what.startswith('unpacking'):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "common.Bar.update = slow\n"
        "sys.exit(run_command(['kernel', 'add', 'debian:6.1']))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 130 and "interrupted" in ended.stderr and "Traceback" not in ended.stderr
    assert not [path for path in (cache / "kernels/debian").iterdir() if path.is_dir()]


def test_facts() -> None:
    facts = parse_facts("CONFIG_MODVERSIONS=y\n# CONFIG_KASAN is not set\nCONFIG_RUST=m\nCONFIG_SMP=n\n")
    assert set(facts) == set(FACTS)
    assert facts["MODVERSIONS"] and facts["RUST"] and not facts["KASAN"] and not facts["SMP"]
