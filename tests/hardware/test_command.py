# SPDX-License-Identifier: MIT
"""`lkm doctor --hardware` as it is typed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest
from own_build import OwnBuild

from lkm.cli import run_command
from lkm.hardware import Machine, open_root, read_machine
from lkm.hardware.report import build_report
from lkm.hardware.service import Kernel
from lkm.kernel import Kernel as BootKernel
from lkm.show.hardware import hardware_lines

MACHINE = str(Path(__file__).parent / "machines/q35")


Lkm = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lkm(capsys: pytest.CaptureFixture[str]) -> Lkm:
    """`lkm doctor ...`: status, what it says, what it says beside."""

    def run(*words: str) -> tuple[int, str, str]:
        status = run_command(["doctor", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits(width: int, q35: Machine) -> None:
    lines = list(hardware_lines(build_report(q35, Kernel()), kvm="no", width=width))
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert re.search(r"00:02\.0  Ethernet .* e1000 \(module\)", text)
    assert re.search(r"vda  16 MiB virtio +virtio_blk < virtio-pci +/mnt \(ext4\)", text)
    assert re.search(r"firmware +BIOS, virtual machine: QEMU", text)
    assert re.search(r"00:07\.0 +audio .* none", text)
    assert "PNP0C0F" not in text and re.search(r"without a driver, .* on ACPI", text)
    every = "\n".join(hardware_lines(build_report(q35, Kernel()), width=width, every=True))
    assert "PNP0C0F:00" in every and "la57: 5-level page tables" in every


def test_what_a_column_has_no_room_for_goes_on_below(q35: Machine) -> None:
    lines = list(hardware_lines(build_report(q35, Kernel()), width=80))
    at = next(number for number, line in enumerate(lines) if line.startswith("  00:02.0  "))
    more = takewhile(lambda line: line.startswith("    "), lines[at + 1 :])
    title = " ".join(" ".join([lines[at].partition(" e1000")[0], *more]).split())
    assert title == "00:02.0 Ethernet Intel Corporation 82540EM Gigabit Ethernet Controller"
    assert "…" not in "".join(lines)


def test_in_a_pipe_a_row_is_a_line(lkm: Lkm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = lkm("--hardware", "--from", MACHINE)
    assert re.search(r"^  00:02\.0  .* 82540EM Gigabit Ethernet Controller  +e1000 \(module\)", out, re.M)


def test_a_machine_from_a_file(lkm: Lkm, kernel: BootKernel) -> None:
    status, out, err = lkm("--hardware", "--from", MACHINE, "--kernel", kernel.name)
    assert status == 0 and "e1000 (module)" in out
    assert f"lkm kernel configure -O DIR --for-hardware {MACHINE}" in err
    assert "KVM" not in out  # that would be this machine's


def test_this_machine(lkm: Lkm) -> None:
    status, out, _ = lkm("--hardware")
    assert status == 0
    for label in ("CPU", "KVM", "memory", "firmware", "kernel"):
        assert re.search(rf"^{label} ", out, re.MULTILINE)


@pytest.mark.fetch
def test_what_an_own_kernel_lacks_for_this_machines_root(
    lkm: Lkm, own_kernel: OwnBuild, tmp_path: Path
) -> None:
    mount = "F /proc/self/mountinfo\n|21 1 254:0 / / rw - ext4 /dev/vda rw\n"
    path = tmp_path / "machine"
    text = re.sub(r"F /proc/self/mountinfo\n(\|.*\n)*", mount, Path(MACHINE).read_text())
    path.write_text(text)
    status, out, err = lkm("--hardware", "--from", str(path), "--kernel", str(own_kernel.build))
    assert status == 0 and "options by Linux 6.1" in " ".join(out.split())
    line = re.search(rf"configure -O {own_kernel.build} set (.*)", err)
    assert line is not None
    # What they need comes first; this kernel has no block layer and no PCI.
    words = line[1].split()
    assert words[-3:] == ["EXT4_FS=y", "VIRTIO_BLK=y", "VIRTIO_PCI=y"]
    assert {"BLOCK=y", "PCI=y"} <= set(words[:-3])


def test_a_machine_of_another_kind_asks_no_kernel_of_this_one(lkm: Lkm) -> None:
    status, out, _ = lkm("--hardware", "--from", MACHINE.replace("q35", "virt"), "--all")
    assert status == 0 and "no kernel's modules are known" in out
    assert len(re.findall(r"^  \w+\.virtio_mmio ", out, re.MULTILINE)) == 32


def test_many_devices_that_are_alike_share_a_row(kernel: BootKernel) -> None:
    machine = read_machine(open_root(Path(MACHINE).with_name("virt")))
    lines = list(hardware_lines(build_report(machine, Kernel(modules=kernel.modules)), width=80))
    assert max(map(len, lines)) <= 80
    assert sum("virtio_mmio ×32" in line for line in lines) == 1


def test_json(lkm: Lkm, kernel: BootKernel) -> None:
    _, out, _ = lkm("--hardware", "--from", MACHINE, "--kernel", kernel.name, "--json")
    said = json.loads(out)
    assert (said["schema"], said["kvm"], said["running"], said["sources"]) == (1, None, False, None)
    assert said["kernel"] == kernel.name
    machine = said["machine"]
    assert (machine["release"], machine["cpu"]["threads"]) == ("6.1.0-56-amd64", 2)
    assert {disk["name"] for disk in machine["disks"]} == {"nvme0n1", "sda", "sdb", "vda"}
    (card,) = (one for one in said["services"] if one["device"]["name"] == "0000:00:02.0")
    assert card["device"]["driver"] == card["module"] == "e1000"
    assert (card["device"]["form"], card["device"]["ids"]) == ("module", "8086:100e")


def test_the_recorder_is_the_script_itself(lkm: Lkm) -> None:
    status, out, _ = lkm("--recorder")
    assert status == 0 and out.startswith("#!/bin/sh\n") and "lkm hardware 1" in out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--from", MACHINE), 2, "--from goes with --hardware"),
        (("--all",), 2, "--all goes with --hardware"),
        (("--hardware", "--from", "/nonexistent"), 2, "/nonexistent: No such file"),
        (("--hardware", "--from", __file__), 1, "not what record.sh writes"),
        (("--hardware", "--from", "/usr"), 2, "neither sys nor proc in it"),
        (("--hardware", "--tree", "0.1"), 2, "no sources of that version"),
        (("--hardware", "--fix"), 2, "--fix"),
    ],
)
def test_wrong_use(lkm: Lkm, words: tuple[str, ...], status: int, message: str) -> None:
    done = lkm(*words)
    assert (done[0], message in done[2]) == (status, True), done
