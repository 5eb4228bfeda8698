# SPDX-License-Identifier: MIT
"""This machine, a copy and a record of it say the same; hostile records say nothing or are refused."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from lkm.errors import BadInputError, LkmError, UsageError
from lkm.hardware import Machine, open_root, read_machine
from lkm.hardware.root import Recorded

MACHINES = Path(__file__).parent / "machines"
HEAD = "lkm hardware 1\n"


def lasting(machine: Machine) -> Machine:
    """Without what differs from one moment to the next, and where it was read."""
    memory = replace(machine.memory, available=0, swap_free=0)
    return replace(machine, source="", memory=memory, nodes=(), disks=(), root=None)


@pytest.mark.parametrize("shell", [("sh",), ("busybox", "sh")], ids=["sh", "busybox"])
def test_a_record_of_this_machine_says_what_the_machine_says(shell: tuple[str, ...], tmp_path: Path) -> None:
    script = Path(str(files("lkm.hardware").joinpath("record.sh")))
    done = subprocess.run([*shell, str(script)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    path = tmp_path / "machine"
    path.write_text(done.stdout)
    recorded, live = read_machine(open_root(path)), read_machine(open_root(Path("/")))
    assert lasting(recorded) == replace(lasting(live), cpu=replace(live.cpu, arch=recorded.cpu.arch))
    assert [disk.name for disk in recorded.disks] == [disk.name for disk in live.disks]
    assert {node.name for node in recorded.nodes} == {node.name for node in live.nodes}


def unfold(record: Path, place: Path) -> None:
    """A record as the links and files it was made of, links first: some files were reached by way of one."""
    blocks = [block.split("\n") for block in re.split(r"\n(?=[FLX] )", record.read_text())[1:]]
    for line in sorted((block[0] for block in blocks if block[0][0] == "L"), key=lambda one: one.count("/")):
        _, name, target = line.split(" ", 2)
        path = place / name.lstrip("/")
        if not path.is_symlink():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
            (path.parent / target).resolve().mkdir(parents=True, exist_ok=True)
    for block in blocks:
        if block[0][0] == "F":
            path = place / block[0][2:].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(line.removeprefix("|") for line in block[1:] if line) + "\n")


def test_a_copied_directory_is_read_as_the_record_is(tmp_path: Path, q35: Machine) -> None:
    unfold(MACHINES / "q35", tmp_path / "copy")
    copied = read_machine(open_root(tmp_path / "copy"))
    assert replace(copied, source=q35.source) == q35


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("<html>\n")
    with pytest.raises(BadInputError, match=r"not what record\.sh writes"):
        open_root(path)
    with pytest.raises(UsageError, match="No such file"):
        open_root(tmp_path / "absent")
    with pytest.raises(UsageError, match="neither sys nor proc"):
        open_root(tmp_path)
    with pytest.raises(BadInputError, match="no bytes in hex"):
        Recorded("file", f"{HEAD}X /sys/firmware/devicetree/base/model\n|zz\n")


def test_links_that_go_round_or_out_lead_nowhere(tmp_path: Path) -> None:
    root = Recorded(
        "file", f"{HEAD}L /sys/a b\nL /sys/b a\nL /sys/c ../../etc\nL /etc/passwd x\nF /etc/p\n|x\n"
    )
    assert root.resolve("sys/a") == root.resolve("sys/c") == ""
    assert root.read("etc/p") is None and root.list("etc") == []
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys/out").symlink_to("/etc")
    (tmp_path / "sys/round").symlink_to("round")
    copy = open_root(tmp_path)
    assert copy.resolve("sys/out") == copy.resolve("sys/round") == ""


def test_an_empty_machine_is_a_machine(tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()
    for root in (open_root(tmp_path), Recorded("file", HEAD)):
        machine = read_machine(root)
        assert (machine.devices, machine.disks, machine.nodes, machine.root) == ((), (), (), None)
        assert machine.firmware.kind == "unknown" and machine.memory.total == 0


def test_damaged_records_are_read_as_far_as_they_go_or_refused() -> None:
    chance = random.Random(3)
    lines = (MACHINES / "q35").read_text().split("\n")
    for _ in range(25):
        damaged = lines.copy()
        for _ in range(30):
            at = chance.randrange(len(damaged))
            damaged[at] = chance.choice(
                ["", "|", "L /sys/x", "F", "X /sys/y", damaged[at][::-1], "|-1", "|9" * 9]
            )
        try:
            read_machine(
                Recorded("file", "\n".join([lines[0], *damaged[1 : chance.randrange(len(damaged))]]))
            )
        except LkmError:
            continue


def test_what_root_alone_may_read_is_told() -> None:
    text = f"{HEAD}L /sys/class/dmi/id ../../devices/virtual/dmi/id\nF /sys/class/dmi/id/sys_vendor\n|Maker\n"
    machine = read_machine(Recorded("file", f"{text}U /sys/class/dmi/id/product_serial\n"))
    assert machine.firmware.fields == (("vendor", "Maker"),)
    assert machine.firmware.denied == ("serial number",)
