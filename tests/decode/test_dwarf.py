# SPDX-License-Identifier: MIT
"""DWARF as compilers write it, read as binutils reads it: every address of every function."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from lkm.decode.code import CodeFile
from lkm.decode.dwarf.types import byte_size, find_member, member_path, pointed_to
from lkm.decode.dwarf.variables import find_global, variables_at
from lkm.elf.number import STT_FUNC
from lkm.errors import BadInputError

SOURCE = """\
struct list { struct list *next, *previous; };
struct point { int x, y; };
struct device {
    int id;
    unsigned long flags;
    struct list queue;
    const char *name;
    struct point corners[4];
    union { int whole; short half[2]; };
    void (*open)(struct device *);
};
struct device *the_device;
extern int work(const char *text, int number);
static inline __attribute__((always_inline)) int length(struct device *dev)
{
    int total = work(dev->name, 1);
    return total + dev->corners[2].y;
}
__attribute__((noinline)) int show(struct device *dev, int id)
{
    if (dev->id == id)
        return length(dev) + id;
    for (int i = 0; i < id; i++) {
        struct device *other = dev + i;
        if (work(other->name, i))
            id += length(other);
    }
    return id;
}
__attribute__((section(".init.text"), noinline)) int start(int id)
{
    return show(the_device, id) + 1;
}
__attribute__((cold, noinline)) int stop(int id)
{
    the_device->open(the_device);
    return length(the_device);
}
"""

ARM_COMPILERS = ["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-gcc-12", "aarch64-linux-gnu-gcc-14"]
FLAGS = [
    "-gdwarf-5",
    "-gdwarf-4",
    "-gdwarf-3",
    "-gdwarf-2",
    "-gdwarf-5 -gz=zlib",
    "-gdwarf-5 -ffunction-sections",
    "-gdwarf-5 -gno-variable-location-views -O1",
    "-gdwarf-5 -Os -fno-inline",
]


def compile_object(
    directory: Path, flags: str, *, compiler: str = "gcc", source: str = SOURCE, name: str = "thing"
) -> Path:
    path = directory / f"{name}.c"
    path.write_text(source)
    made = directory / f"{name}.ko"
    argv = [compiler, "-O2", "-c", *flags.split(), "-o", str(made), str(path)]
    subprocess.run(argv, check=True, cwd=directory)
    return made


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not on this machine")
    return found


def addr2line(path: Path, section: str, offsets: list[int], *, program: str) -> list[list[str]]:
    """For each offset: `function file:line` of the innermost inlined call first."""
    argv = [need(program), "-ifa", "-j", section, "-e", str(path), *map(hex, offsets)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    answers: list[list[str]] = []
    lines = iter(said.splitlines())
    for line in lines:
        if line.startswith("0x"):
            answers.append([])
        else:
            place = next(lines).partition(" (discriminator")[0]
            answers[-1].append(f"{line} {place}")
    return answers


def ours(code: CodeFile, address: int) -> list[str]:
    return [f"{one.function} {one.path or '??'}:{one.line or '?'}" for one in code.sites(address)]


def compare(path: Path, *, program: str = "addr2line") -> int:
    """Asks both for every byte of every function; how many were compared."""
    code, compared = CodeFile(path), 0
    for symbol in code.elf.symbols:
        if symbol.type != STT_FUNC or not symbol.size:
            continue
        section = code.elf.section(symbol.section).name
        offsets = list(range(symbol.value, symbol.value + symbol.size))
        expected = addr2line(path, section, offsets, program=program)
        base = code.debug.places[symbol.section]
        for offset, theirs in zip(offsets, expected, strict=True):
            assert ours(code, base + offset) == theirs, f"{symbol.name} at {section}+{offset:#x}"
            compared += 1
    return compared


@pytest.mark.parametrize("flags", FLAGS)
def test_every_address_has_the_lines_that_binutils_gives_it(tmp_path: Path, flags: str) -> None:
    need("gcc")
    assert compare(compile_object(tmp_path, flags)) > 100


def test_another_machines_object_is_read_alike(tmp_path: Path) -> None:
    compiler = next(filter(shutil.which, ARM_COMPILERS), None) or need(ARM_COMPILERS[0])
    made = compile_object(tmp_path, "-gdwarf-5", compiler=compiler)
    assert compare(made, program="aarch64-linux-gnu-addr2line") > 100


def test_several_units_in_one_object(tmp_path: Path) -> None:
    need("gcc")
    other = SOURCE.replace("show", "show_other").replace("start", "start_other").replace("stop", "stop_other")
    other = other.replace("struct device *the_device;", "extern struct device *the_device;")
    parts = [
        compile_object(tmp_path, "-gdwarf-5", name="one"),
        compile_object(tmp_path, "-gdwarf-4", name="two", source=other),
    ]
    whole = tmp_path / "whole.ko"
    subprocess.run(["ld", "-r", "-o", str(whole), *map(str, parts)], check=True)
    code = CodeFile(whole)
    found = {}
    for name in ("start", "start_other"):
        (symbol,) = code.elf.symbols_named(name)
        found[name] = code.sites(code.debug.places[symbol.section] + symbol.value + 4)[-1]
    assert found["start"].path.endswith("/one.c") and found["start"].function == "start"
    assert found["start_other"].path.endswith("/two.c") and found["start_other"].function == "start_other"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> CodeFile:
    need("gcc")
    return CodeFile(compile_object(tmp_path_factory.mktemp("dwarf"), "-gdwarf-5"))


def place_of(code: CodeFile, name: str) -> int:
    (symbol,) = code.elf.symbols_named(name)
    return code.debug.places[symbol.section] + symbol.value


def test_members_are_found_by_offset_and_by_name(code: CodeFile) -> None:
    unit = next(code.debug.units())
    device = find_global(unit, "the_device")
    assert device is not None
    struct = pointed_to(device.type)
    paths = {0: "id", 8: "flags", 16: "queue.next", 24: "queue.previous", 32: "name"}
    paths |= {40: "corners[0].x", 60: "corners[2].y", 72: "whole", 80: "open"}
    assert {offset: member_path(struct, offset) for offset in paths} == paths
    assert member_path(struct, 4096) == ""
    member = find_member(struct, "half")  # in a union without a name
    assert member is not None and member.offset == 72
    assert byte_size(struct) == 88


def test_the_variable_in_a_register_is_found(code: CodeFile) -> None:
    address = place_of(code, "show")
    scopes = code.scopes(address)
    found = {one.name: one.register for one in variables_at(code.debug, scopes, address)}
    assert found["dev"] == "rdi" and found["id"] == "rsi"


@pytest.mark.parametrize("name", ["", "abbrev", "str", "line", "rnglists"])
def test_damaged_debug_information_is_told_and_ends(code: CodeFile, tmp_path: Path, name: str) -> None:
    data = bytearray(code.path.read_bytes())
    section = code.elf.find_section(f".debug_{name or 'info'}")
    assert section is not None
    for step in range(0, section.size, max(section.size // 24, 1)):
        broken = bytearray(data)
        end = section.offset + section.size
        junk = zlib.compress(bytes([step & 255]) * 64)[: end - section.offset - step][:24]
        broken[section.offset + step : section.offset + step + len(junk)] = junk
        path = tmp_path / "broken.ko"
        path.write_bytes(bytes(broken))
        check_survives(path)


def check_survives(path: Path) -> None:
    from lkm.decode.trace import Files
    from lkm.klog.report import Frame

    broken = CodeFile(path)
    files = Files({"broken": [broken]}, None)
    files._chosen["broken"] = broken
    step = files.step(Frame("show", 8, None, "broken"), exact=True)
    assert step.frame.symbol == "show"


def test_what_is_no_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "not.ko"
    path.write_bytes(b"not an object")
    with pytest.raises(BadInputError, match="not an ELF file"):
        CodeFile(path)
