# SPDX-License-Identifier: MIT
"""What the lecture has one read: modules, the symbol map, dependencies; all beside the real thing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lkm
from lkm import process
from lkm.cli import run_command
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest

Ask = Callable[..., str]
ANNOTATED = """// SPDX-License-Identifier: GPL-2.0
#include <linux/init.h>
#include <linux/module.h>
static int table[64] __initdata = { 3, 1, 4, 1, 5 };
static noinline int kept_code(int number) { return number * 3; }
static noinline int __init only_at_start(void)
{
	int sum = 0, at;

	for (at = 0; at < 64; at++)
		sum += table[at];
	return sum;
}
static int __init marked_init(void) { return kept_code(only_at_start()) < 0 ? -EINVAL : 0; }
static void __exit marked_exit(void) { pr_info("%d\\n", kept_code(2)); }
module_init(marked_init);
module_exit(marked_exit);
MODULE_LICENSE("GPL");
"""


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """`lkm` as a person types it: what it says, its exit status checked."""

    def run(*words: object, status: int = 0) -> str:
        capsys.readouterr()
        assert run_command([str(word) for word in words]) == status
        told = capsys.readouterr()
        return told.out + told.err if status else told.out

    return run


@pytest.fixture(scope="module")
def guest(kernel: Kernel) -> Iterator[lkm.Guest]:
    """A guest to compare with."""
    with lkm.Guest(kernel, timeout=60) as guest:
        yield guest


@pytest.fixture(scope="module")
def exports(kernel: Kernel) -> dict[str, Path]:
    """The example with a dependency, built: greeter and visitor."""
    built = lkm.build(Path(__file__).parents[2] / "examples" / "exports", kernel=kernel)
    assert built.ok, built.log
    return {path.stem: path for path in built.modules}


def build_one(place: Path, name: str, source: str, kernel: Kernel) -> Path:
    directory = place / name
    directory.mkdir()
    (directory / f"{name}.c").write_text(source)
    (directory / "Makefile").write_text(f"obj-m += {name}.o\n")
    built = lkm.build(directory, kernel=kernel)
    assert built.ok, built.log
    return built.modules[0]


def kallsyms(guest: lkm.Guest) -> list[list[str]]:
    """/proc/kallsyms: address, letter, name, and the module where it is one's."""
    return [line.split() for line in guest.copy_out("/proc/kallsyms").decode().splitlines()]


# --- Module Information ------------------------------------------------------------------------------


def test_information_is_what_the_macros_say(ask: Ask, kernel: Kernel, examples: Path) -> None:
    path = lkm.build(examples / "first", kernel=kernel).modules[0]
    found = json.loads(ask("info", "--json", path))["info"][0]
    assert (found["description"], found["authors"]) == ("A first module", ["The lkm project"])
    assert (found["license"], found["depends"]) == ("GPL", [])
    assert found["vermagic"].split()[0] == kernel.release
    if modinfo := process.find_program("modinfo"):
        theirs = subprocess.run([modinfo, path], capture_output=True, text=True, check=True).stdout
        assert ask("info", "--plain", path) == theirs


def test_the_licence_is_not_only_informative(ask: Ask, kernel: Kernel, tmp_path: Path) -> None:
    """What it opens; and that the kernel is tainted by one that opens nothing."""
    source = ANNOTATED.replace('MODULE_LICENSE("GPL")', 'MODULE_LICENSE("Proprietary")')
    closed = build_one(tmp_path, "closed", source.replace("marked", "closed"), kernel)
    assert "not GPL-compatible: no symbol exported for GPL only" in ask("info", closed)
    assert json.loads(ask("info", "--json", closed))["info"][0]["gpl_compatible"] is False
    with lkm.Guest(kernel) as guest, guest.loaded(closed):
        assert int(guest.copy_out("/proc/sys/kernel/tainted")) & 1  # TAINT_PROPRIETARY_MODULE


# --- Annotations -------------------------------------------------------------------------------------


def test_what_is_annotated_lies_in_sections_of_its_own(
    ask: Ask, kernel: Kernel, guest: lkm.Guest, tmp_path: Path
) -> None:
    """`__init` is freed after init, `__exit` never loaded if built in; the loaded module shows it."""
    path = build_one(tmp_path, "marked", ANNOTATED, kernel)
    told = ask("sections", path)
    freed, dropped = told.split("freed after init:")[1].split("never loaded if built in:")
    assert ".init.text" in freed and "only_at_start()" in freed and "table 256" in freed
    assert ".exit.text" in dropped and "marked_exit()" in dropped
    with guest.loaded(path):
        kept = {words[2] for words in kallsyms(guest) if words[3:] == ["[marked]"]}
    assert {"kept_code", "marked_exit"} <= kept
    assert not kept & {"only_at_start", "marked_init", "table"}


# --- Module Parameters -------------------------------------------------------------------------------


def test_parameters_with_their_defaults_and_what_they_would_take(
    ask: Ask, kernel: Kernel, guest: lkm.Guest, examples: Path
) -> None:
    path = lkm.build(examples / "hello", kernel=kernel).modules[0]
    month, day = sorted(
        json.loads(ask("params", "--json", path))["parameters"], key=lambda one: -len(one["name"])
    )
    assert (month["type"], month["default"], month["permission"]) == ("charp", "January", "0660")
    assert (day["type"], day["default"], day["permission_meaning"]) == (
        "int",
        1,
        "not in sysfs: set at load only",
    )
    assert ask("params", path, "month=December", "day=31").count("accepted") == 2
    assert "EINVAL" in ask("params", path, "day=last", status=1)
    assert not guest.load(path, "day=last").ok
    assert "did you mean month?" in ask("params", path, "mnth=May", status=1)


# --- About the Symbol Map ----------------------------------------------------------------------------


def test_the_symbol_map_is_that_of_the_running_kernel(ask: Ask, kernel: Kernel, guest: lkm.Guest) -> None:
    """Address, type and name as the running kernel has them, lower case local and upper case global."""
    running = {tuple(words) for words in kallsyms(guest) if "pm_power_off" in words[2]}
    found = {tuple(line.split()) for line in ask("map", "--kernel", kernel.name, "pm_power_off").splitlines()}
    assert found == running
    assert {letter for _, letter, name in found if name == "pm_power_off"} <= {"B", "D"}
    address = next(address for address, _, name in found if name == "pm_power_off")
    inside = f"0x{int(address, 16) + 4:x}"
    assert ask("map", "--kernel", kernel.name, inside).strip().endswith(" pm_power_off+0x4")
    legend = dict(line.split("  ", 1) for line in ask("map", "--types").splitlines())
    assert "global" in legend["T"] and "local" in legend["t"]


# --- Kernel Dynamic Linker ---------------------------------------------------------------------------


def test_only_what_is_exported_may_be_used(ask: Ask, kernel: Kernel) -> None:
    """Not even what is not static: `start_kernel` is global and not exported, `pm_power_off` is exported."""
    hidden, offered = (
        json.loads(ask("symbol", "--json", "--kernel", kernel.name, name))["symbol"][0]
        for name in ("start_kernel", "pm_power_off")
    )
    assert (hidden["type"], hidden["exported"]) == ("T", False)
    assert (offered["owner"], offered["exported"]) == ("vmlinux", True)
    assert "no module may use it" in ask("symbol", "--kernel", kernel.name, "start_kernel")
    assert kernel.build is not None
    rows = [line.split("\t") for line in (kernel.build / "Module.symvers").read_text().splitlines()]
    kinds = {row[1]: row[3] for row in rows}
    assert "start_kernel" not in kinds
    assert offered["gpl_only"] == (kinds["pm_power_off"] == "EXPORT_SYMBOL_GPL")


def test_an_export_for_gpl_only_is_told(ask: Ask, exports: dict[str, Path]) -> None:
    (export,) = json.loads(ask("info", "--json", exports["greeter"]))["info"][0]["exports"]
    assert (export["name"], export["gpl_only"]) == ("greeter_greet", True)
    imports = json.loads(ask("info", "--json", exports["visitor"]))["info"][0]["imports"]
    assert "greeter_greet" in {one["name"] for one in imports}


# --- Module Dependencies -----------------------------------------------------------------------------


@pytest.fixture
def installed(exports: dict[str, Path], kernel: Kernel, tmp_path: Path) -> Path:
    """A root with the two modules installed, and nothing said of dependencies."""
    directory = tmp_path / "lib/modules" / kernel.release
    (directory / "extra").mkdir(parents=True)
    for path in exports.values():
        shutil.copy(path, directory / "extra")
    return tmp_path


def test_dependencies_are_inferred_and_written_by_depmod(ask: Ask, installed: Path, kernel: Kernel) -> None:
    ask("depmod", "-b", installed, kernel.release)
    listed = (installed / "lib/modules" / kernel.release / "modules.dep").read_text().splitlines()
    assert sorted(listed) == ["extra/greeter.ko:", "extra/visitor.ko: extra/greeter.ko"]
    assert ask("info", "-F", "depends", "-b", installed, "-k", kernel.release, "visitor") == "greeter\n"
    told = ask("deps", "-b", installed, "-k", kernel.release, "visitor")
    assert "greeter for greeter_greet" in told


def test_the_plan_is_what_modprobe_does(ask: Ask, installed: Path, kernel: Kernel, guest: lkm.Guest) -> None:
    """Y before X for loading, X before Y for unloading, with modprobe itself in the guest."""
    modprobe = process.find_program("modprobe")
    if modprobe is None:
        pytest.skip("modprobe (kmod) is missing")
    where = ("-b", installed, "-k", kernel.release, "--no-config")
    ask("depmod", "-b", installed, kernel.release)
    directory = installed / "lib/modules" / kernel.release
    for path in directory.rglob("*"):
        if path.is_file():
            guest.copy_in(path, f"/lib/modules/{kernel.release}/{path.relative_to(directory)}")
    program = guest.copy_program(modprobe, "/sbin/modprobe")

    loads = guest.run([program, "-v", "visitor"])
    assert loads.status == 0, loads.stderr
    names = [Path(line.split()[1]).stem for line in loads.stdout.splitlines()]
    assert [one["name"] for one in json.loads(ask("plan", "--json", *where, "visitor"))["plan"]] == names
    assert names == ["greeter", "visitor"]

    (installed / "loaded").write_bytes(guest.copy_out("/proc/modules"))
    stuck = ask("plan", *where, "--unload", "--loaded", installed / "loaded", "greeter")
    assert stuck.splitlines()[0].startswith("rmmod visitor")
    unloads = guest.run([program, "-v", "-r", "visitor"])
    assert unloads.status == 0, unloads.stderr
    names = [line.split()[1] for line in unloads.stdout.splitlines()]
    planned = json.loads(ask("plan", "--json", *where, "--unload", "visitor"))["unload"]
    assert [one["name"] for one in planned] == names == ["visitor", "greeter"]
