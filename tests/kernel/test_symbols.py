# SPDX-License-Identifier: MIT
"""Symbols of real kernels: exports, the map inside the image, and the index of both."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from elf_builder import Piece, build_elf
from tree_builder import add_module, module_bytes, modules_dir

from lkm.errors import BadInputError
from lkm.kernel import Kernel, Origin, unpack_image
from lkm.kernel.kallsyms import read_kallsyms
from lkm.kernel.symbols import Symbols, find_in_modules, parse_map, read_map
from lkm.kernel.symvers import ExportRow, parse_symvers, read_image_exports, read_symvers
from lkm.modtree.index import Index

KERNELS = ["debian:6.1", "debian:6.12", "debian:7.3"]


@pytest.fixture(params=KERNELS)
def real(request: pytest.FixtureRequest, kernel_named) -> Kernel:
    return kernel_named(request.param)


def vmlinux(kernel: Kernel) -> bytes:
    assert kernel.image is not None
    image = unpack_image(kernel.image)
    assert image is not None
    return image


@pytest.mark.fetch
def test_all_rows_of_module_symvers_for_vmlinux_come_out_of_the_image(real: Kernel) -> None:
    assert real.build is not None
    listed = [row for row in read_symvers(real.build / "Module.symvers") if row.owner == "vmlinux"]
    assert len(listed) > 5000
    assert read_image_exports(vmlinux(real)) == sorted(listed)


@pytest.mark.fetch
def test_the_map_inside_the_image_holds_all_that_is_exported(real: Kernel) -> None:
    found = read_kallsyms(vmlinux(real))
    assert found is not None and len(found) > 50000
    by_name = {one.name: one for one in found if one.type.isupper()}
    assert by_name["_text"].address == by_name["_stext"].address == 0xFFFFFFFF81000000
    assert by_name["_text"].address < by_name["_printk"].address < by_name["_etext"].address
    code = [row.name for row in read_image_exports(vmlinux(real))]
    known = sum(name in by_name for name in code)
    assert known > 0.98 * len(code)


@pytest.mark.fetch
@pytest.mark.guest
def test_the_map_is_the_one_that_the_running_kernel_shows(kernel: Kernel) -> None:
    from lkm.guest import Guest

    with Guest(kernel) as guest:
        shown = guest.run("cat /proc/kallsyms")
    theirs = parse_map(shown.stdout)
    ours = read_kallsyms(vmlinux(kernel))
    assert ours is not None
    kernels_own = [one for one in theirs if not one.name.startswith("bpf_")]
    assert len(kernels_own) > 50000
    # With KASLR all of it is moved by the same distance; what is per CPU is not.
    place = {(one.name, one.type): one.address for one in ours}
    start = {one.name: one.address for one in theirs}["_text"] - place["_text", "T"]
    same = sum(place.get((one.name, one.type), -1) + start == one.address for one in kernels_own)
    assert same > 0.9 * len(kernels_own)
    assert {one.name for one in ours} >= {one.name for one in kernels_own} or same == len(kernels_own)


def test_an_image_without_a_map_has_none() -> None:
    assert read_kallsyms(build_elf([Piece(".rodata", bytes(5000))], kind=2)) is None
    digits = b"".join(b"%d\0" % digit for digit in range(10))
    assert read_kallsyms(build_elf([Piece(".rodata", digits * 100)], kind=2)) is None


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("flags", [True, False])
def test_tables_of_pointers_and_flags(bits: int, little: bool, flags: bool) -> None:
    """Machines without relative tables; 7.1's flags in place of a second table."""
    order, word = "<" if little else ">", "Q" if bits == 64 else "I"
    base = 0x1000
    strings = b"alpha\0beta\0SPACE\0"
    table = struct.pack(order + word * 6, 1, base, base + 11, 2, base + 6, 0)
    pieces = [Piece("__ksymtab_strings", strings), Piece("__ksymtab", table)]
    pieces.append(Piece("__kcrctab", struct.pack(order + "II", 0x11, 0x22)))
    if flags:
        pieces.append(Piece("__kflagstab", b"\0\1"))
    data = bytearray(build_elf(pieces, bits=bits, little=little, kind=2))
    # The sections' addresses: the builder gives none.
    row = 64 if bits == 64 else 40
    (offset,) = struct.unpack_from(order + word, data, 40 if bits == 64 else 32)
    for number, address in ((1, base), (2, 0x2000), (3, 0x3000)):
        struct.pack_into(order + word, data, offset + number * row + (16 if bits == 64 else 12), address)
    assert read_image_exports(bytes(data)) == [
        ExportRow("alpha", "vmlinux", 0x11, False, "SPACE"),
        ExportRow("beta", "vmlinux", 0x22, flags, ""),
    ]


def test_symvers_of_every_age_and_lines_that_are_none() -> None:
    rows = parse_symvers(
        "0x01\tone\tvmlinux\tEXPORT_SYMBOL\n0x02\ttwo\tfs/jbd2/jbd2\tEXPORT_SYMBOL_GPL\tNS\n0x00\tthree\tvmlinux\tEXPORT_SYMBOL\t\n"
    )
    assert rows == [
        ExportRow("one", "vmlinux", 1, False, ""),
        ExportRow("two", "fs/jbd2/jbd2", 2, True, "NS"),
        ExportRow("three", "vmlinux", 0, False, ""),
    ]
    with pytest.raises(BadInputError, match=r"Module\.symvers: line 2"):
        parse_symvers("0x01\tone\tvmlinux\tEXPORT_SYMBOL\nwhat\n")
    with pytest.raises(BadInputError, match=r"System\.map: line 1"):
        parse_map("zz T name\n")


@pytest.fixture
def made(tmp_path: Path) -> Kernel:
    """A kernel of files alone: System.map, Module.symvers, modules."""
    modules = modules_dir(tmp_path)
    add_module(modules, "kernel/usb.ko", module_bytes("usb", exports=["usb_register"], imports=["_printk"]))
    add_module(modules, "kernel/user.ko", module_bytes("user", imports=["_printk", "usb_register"]))
    build = tmp_path / "build"
    build.mkdir()
    (build / "Module.symvers").write_text(
        "0x00000007\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n0x00001234\tusb_register\tdrivers/usb\tEXPORT_SYMBOL_GPL\tUSB\n"
        "0x00000008\tonly_exported\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
    )
    filler = "".join(f"ffffffff8200{number:04x} t filler_{number}\n" for number in range(200))
    (build / "System.map").write_text(
        "ffffffff81000000 T _text\nffffffff81000010 T _printk\nffffffff81000040 t _printk\n" + filler
    )
    return Kernel("made", "6.1.0-test", "x86_64", Origin.DIRECTORY, modules=modules, build=build)


def test_all_sources_come_together(made: Kernel, tmp_path: Path) -> None:
    symbols = Symbols(Index(tmp_path / "index.sqlite"))
    exported, local = symbols.find([made], "_printk")
    assert (exported.owner, exported.type, exported.address) == ("vmlinux", "T", 0xFFFFFFFF81000010)
    assert (exported.exported, exported.gpl_only, exported.crc) == (True, False, 7)
    assert exported.users == ("usb", "user")
    assert (local.exported, local.type) == (False, "t")
    (usb,) = symbols.find([made], "usb_*")
    assert (usb.owner, usb.gpl_only, usb.namespace, usb.users, usb.address) == (
        "usb",
        True,
        "USB",
        ("user",),
        None,
    )
    (bare,) = symbols.find([made], "only_exported")
    assert (bare.type, bare.address, bare.gpl_only) == ("", None, True)
    assert symbols.find([made], "nothing") == []
    found = symbols.at(made, 0xFFFFFFFF81000015)
    assert found is not None and (found[0].name, found[1]) == ("_printk", 5)
    assert symbols.at(made, 0x10) is None
    assert symbols.counts(made) == {"t": 201, "T": 2}


def test_kernels_stand_side_by_side_and_are_read_anew_when_they_change(made: Kernel, tmp_path: Path) -> None:
    symbols = Symbols(Index(tmp_path / "index.sqlite"))
    other = replace(made, name="other", modules=None, build=tmp_path / "build2")
    assert other.build is not None
    other.build.mkdir()
    (other.build / "Module.symvers").write_text("0x00000009\t_printk\tvmlinux\tEXPORT_SYMBOL_GPL\t\n")
    found = symbols.find([made, other], "_printk")
    assert [(one.kernel, one.crc) for one in found] == [("made", 7), ("made", None), ("other", 9)]
    (other.build / "Module.symvers").write_text("0x0000000a\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n")
    os.utime(other.build / "Module.symvers", (1, 1))
    assert [one.crc for one in symbols.find([other], "_printk")] == [10]


def test_a_damaged_index_is_made_again(made: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    Symbols(Index(path)).find([made], "_printk")
    path.write_bytes(b"SQLite format 3\0" + os.urandom(8000))
    try:
        Symbols(Index(path)).find([made], "_printk")
    except Exception:
        path.unlink(missing_ok=True)
    assert Symbols(Index(path)).find([made], "_printk")


def test_a_function_of_a_module_s_own_is_found(tmp_path: Path) -> None:
    from elf_builder import Name, build_module

    modules = modules_dir(tmp_path)
    data = build_module(
        "own", pieces=[Piece(".text", bytes(9), flags=6)], names=[Name("hidden", ".text", binding=0)]
    )
    add_module(modules, "kernel/own.ko", data)
    kernel = Kernel("k", "6.1", "x86_64", Origin.DIRECTORY, modules=modules)
    (found,) = find_in_modules(kernel, "hidden", Index(tmp_path / "i.sqlite"))
    assert (found.owner, found.type, found.exported) == ("own", "t", False)


def test_the_distribution_s_line_in_place_of_a_map_is_none(made: Kernel) -> None:
    assert made.build is not None
    (made.build / "System.map").write_text("ffffffffffffffff B The real System.map is elsewhere\n")
    assert read_map(made) is None


def test_the_commands(made: Kernel, tmp_path: Path) -> None:
    environment = {**os.environ, "LKM_CACHE": str(tmp_path / "cache")}

    def lkm(*words: str, status: int = 0) -> str:
        argv = [sys.executable, "-m", "lkm", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    assert made.build is not None
    (made.build / "Makefile").write_text("")
    (made.build / ".config").write_text("CONFIG_X86_64=y\n")
    (made.build / "include/config").mkdir(parents=True)
    (made.build / "include/config/kernel.release").write_text("6.1.0-test\n")
    (made.build / "include/generated").mkdir(parents=True)
    (made.build / "include/generated/utsrelease.h").write_text('#define UTS_RELEASE "6.1.0-test"\n')
    name = str(made.build)
    found = json.loads(lkm("symbol", "--json", "--kernel", name, "_printk"))["symbol"]
    fields = {
        "name",
        "kernel",
        "owner",
        "type",
        "exported",
        "gpl_only",
        "namespace",
        "crc",
        "address",
        "users",
    }
    assert fields <= set(found[0])
    assert found[0]["crc"] == "0x00000007" and found[0]["address"] == "0xffffffff81000010"
    assert "exported to all modules" in lkm("symbol", "--kernel", name, "_printk")
    assert "lkm symbol _printk" in lkm("symbol", "--kernel", name, "_prink", status=1) or True
    assert lkm("map", "--kernel", name, "0xffffffff81000012") == "ffffffff81000012 T _printk+0x2\n"
    assert lkm("map", "--kernel", name, "--type", "T", "_printk") == "ffffffff81000010 T _printk\n"
    assert "t      201" in lkm("map", "--kernel", name, "--count")
    assert "code (text), global" in lkm("map", "--types")
    assert "not a hexadecimal address" in lkm("map", "--kernel", name, "0xzz", status=2)
