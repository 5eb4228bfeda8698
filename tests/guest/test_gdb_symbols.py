# SPDX-License-Identifier: MIT
"""The file that gives gdb the kernel's symbols and unwinding, compared with what binutils reads from it."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from lkm.elf import parse_elf
from lkm.guest.gdb.orc import build_debug_frame
from lkm.guest.gdb.symbols import build_symbol_file, find_own_symbols, make_symbols
from lkm.kernel import Kernel, Origin
from lkm.kernel.image import unpack_image
from lkm.kernel.kallsyms import MapSymbol, read_kallsyms

BASE = 0xFFFFFFFF81000000
TABLE = BASE + 0x100000

needs_readelf = pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not on this machine")


def read_frames(data: bytes, path: Path) -> str:
    """What readelf reads in `.debug_frame`."""
    path.write_bytes(data)
    argv = ["readelf", "--debug-dump=frames-interp", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def image_with(table: bytes, places: bytes) -> bytes:
    """A vmlinux with code, and these unwinding tables."""
    names = b"\0.text\0.orc_unwind_ip\0.orc_unwind\0.shstrtab\0"
    data = places + table + names
    rows = [
        (names.find(b".text"), 1, 6, BASE, 0, 0x1000),
        (names.find(b".orc_unwind_ip"), 1, 2, TABLE, 64, len(places)),
        (names.find(b".orc_unwind\0"), 1, 2, TABLE + len(places), 64 + len(places), len(table)),
        (names.find(b".shstrtab"), 3, 0, 0, 64 + len(places) + len(table), len(names)),
    ]
    sections = bytes(64) + b"".join(struct.pack("<IIQQQQIIQQ", *row, 0, 0, 1, 0) for row in rows)
    head = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, 64 + len(data), 0, 64, 0, 0, 64, 5, 4)
    return b"\x7fELF\x02\x01\x01" + bytes(9) + head + data + sections


def orc(*rows: tuple[int, int, int, int, int, int]) -> tuple[bytes, bytes]:
    """(.orc_unwind, .orc_unwind_ip) of (offset of the code, sp offset, bp offset, sp, bp, type) rows."""
    table = b"".join(struct.pack("<hhBB", *row[1:3], row[3] | row[4] << 4, row[5]) for row in rows)
    places = b"".join(struct.pack("<i", BASE + row[0] - TABLE - 4 * at) for at, row in enumerate(rows))
    return table, places


SYMBOLS = [MapSymbol(BASE, "T", "_text"), MapSymbol(BASE + 0x40, "t", "inside"), MapSymbol(8, "A", "percpu")]

# The same function three times: entered, rbp pushed, more stack; from rbp; in an interrupt; the last frame.
# Numbers as in asm/orc_types.h: UNDEFINED 0, PREV_SP, BP, SP, then the types CALL, REGS, END.
OLDEST = [(0, 8, 0, 5, 0, 0), (1, 16, -16, 5, 1, 0), (80, 16, -16, 4, 1, 0), (96, 0, 0, 5, 0, 1),
          (112, 0, 0, 0, 0, 4), (128, 8, 0, 5, 0, 0)]  # fmt: skip
MIDDLE = [(0, 8, 0, 5, 0, 2), (1, 16, -16, 5, 1, 2), (80, 16, -16, 4, 1, 2), (96, 0, 0, 5, 0, 3),
          (112, 0, 0, 0, 0, 1), (128, 8, 0, 5, 0, 2)]  # fmt: skip
NEWEST = [(0, 8, 0, 3, 0, 2), (1, 16, -16, 3, 8, 2), (80, 16, -16, 4, 8, 2), (96, 0, 0, 3, 0, 3),
          (112, 0, 0, 0, 0, 1), (128, 8, 0, 3, 0, 2)]  # fmt: skip


@needs_readelf
@pytest.mark.parametrize("rows", [OLDEST, MIDDLE, NEWEST], ids=["6.1", "6.12", "7.3"])
def test_unwinding_tables_of_all_versions_say_the_same(
    rows: list[tuple[int, int, int, int, int, int]], tmp_path: Path
) -> None:
    image = image_with(*orc(*rows))
    said = read_frames(build_symbol_file(SYMBOLS, parse_elf(image)), tmp_path / "symbols")
    # Rows: address, frame, rbp, return address.
    rows_read = re.findall(r"^ffffffff810000(\w\w +r.*\S)", said, re.MULTILINE)
    shown = [" ".join(row.split()) for row in rows_read]
    assert shown[:3] == ["00 rsp+8 s c-8", "01 rsp+16 c-16 c-8", "50 rbp+16 c-16 c-8"]
    # An interrupt's frame lies at the stack pointer, and all registers in it.
    assert shown[3].startswith("60 rsp+0 ")
    assert shown[3].endswith(" c+128")
    # What has no caller begins as the fourth kind does: its return address is undefined.
    kind = re.search(r"cie=(\w+) pc=ffffffff81000070\.\.ffffffff81000080", said)
    assert kind is not None
    assert re.search(rf"^{kind[1]} .*CIE.*\n.*\n.* rsp\+8 +u *$", said, re.MULTILINE)


def test_tables_that_do_not_fit_together_give_nothing() -> None:
    table, places = orc(*MIDDLE)
    assert build_debug_frame(table[:-6], places, TABLE) == b""
    assert build_debug_frame(b"", b"", TABLE) == b""
    assert build_debug_frame(table, places, TABLE) != b""


def test_without_an_image_the_symbols_have_a_section_all_the_same() -> None:
    elf = parse_elf(build_symbol_file(SYMBOLS, None))
    assert [(one.name, one.value) for one in elf.symbols[1:]] == [("_text", BASE), ("inside", BASE + 0x40)]
    assert elf.section(elf.symbols[1].section).name == ".text"


@pytest.mark.parametrize("runs", ["this one", "another"])
def test_an_own_vmlinux_is_taken_where_it_is_what_runs(runs: str, tmp_path: Path) -> None:
    source = tmp_path / "kernel.c"
    source.write_text(
        'const char linux_banner[] = "Linux version 6.1.0 (a@b) #1 SMP";\n'
        "int do_init_module(void *module) { return 0; }\nvoid _start(void) {}\n"
    )
    vmlinux = tmp_path / "vmlinux"
    flags = ["-g", "-static", "-nostdlib", "-fno-pic", "-no-pie", "-fno-stack-protector"]
    subprocess.run(["gcc", *flags, "-o", vmlinux, source], check=True)
    kernel = Kernel("own", "6.1.0", "x86_64", Origin.DIRECTORY, build=tmp_path)
    memory = b"Linux version 6.1.0 (a@b) #%d SMP" % (1 if runs == "this one" else 2)
    found = find_own_symbols(kernel, lambda address, size: memory[:size])
    if runs == "another":
        assert found is None
        return
    assert found is not None
    assert found.path == vmlinux
    assert found.lines
    assert found.loader == parse_elf(vmlinux.read_bytes()).symbols_named("do_init_module")[0].value


@needs_readelf
@pytest.mark.fetch
def test_a_real_kernels_symbols_are_all_there(kernel: Kernel) -> None:
    symbols = make_symbols(kernel, lambda: [])
    assert kernel.image is not None
    vmlinux = unpack_image(kernel.image)
    assert vmlinux is not None
    known = read_kallsyms(vmlinux)
    assert known is not None
    code = {(one.address, one.name) for one in known if one.type in "tT" and one.address >> 63}
    said = subprocess.run(["nm", symbols.path], capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in said.splitlines()]
    assert code <= {(int(address, 16), name) for address, _, name in words}
    assert (symbols.loader, "do_init_module") in code
    # Asked again it is the same file, not made anew.
    made = symbols.path.stat().st_mtime_ns
    assert make_symbols(kernel, lambda: []).path.stat().st_mtime_ns == made
