# SPDX-License-Identifier: MIT
"""Kernel logs of crashes in objects that a test compiled: the kernel's words, the object's own numbers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from lkm.decode.code import CodeFile
from lkm.decode.dwarf.debug import Site
from lkm.klog.report import Frame

SOURCE = """\
struct queue { struct queue *next; };
struct device_state {
    int id;
    struct queue queue;
    const char *name;
    int (*open)(int);
    int parts;
};
static struct device_state *the_device;
extern int work(const char *text, int number);

static inline int name_length(struct device_state *dev)
{
    return work(dev->name, 1); /* FIELD */
}

__attribute__((noinline)) int show(struct device_state *dev, int id)
{
    return name_length(dev) + id; /* CALL */
}

__attribute__((noinline)) int share(struct device_state *dev, int all)
{
    return all / dev->parts; /* DIVIDE */
}

__attribute__((noinline)) int set(int *where, int value)
{
    *where = value; /* STAR */
    return work("set", 1);
}

__attribute__((noinline)) int twice(int value)
{
    value += work("first", value); /* FIRST */
    return work("second", value) + 1; /* SECOND */
}

__attribute__((section(".init.text"))) int crash_init(void)
{
    return show(the_device, 3) + share(the_device, 9) + set(&the_device->id, 4); /* INIT */
}
"""


def need(program: str) -> str:
    """The program, or the test is skipped."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine")
    return program


def line_of(mark: str, source: str = SOURCE) -> int:
    """The number of the line with that comment."""
    return next(number for number, line in enumerate(source.splitlines(), 1) if f"/* {mark} */" in line)


def compile_module(directory: Path, *flags: str, source: str = SOURCE, name: str = "crash") -> Path:
    """`name`.ko in `directory`, as the kernel's compiler would make it, from `name`.c there."""
    path = directory / f"{name}.c"
    path.write_text(source)
    made = directory / f"{name}.ko"
    argv = [need("gcc"), "-O2", "-g", "-fcf-protection=none", "-mcmodel=kernel", "-fno-pic", "-c"]
    subprocess.run([*argv, *flags, "-o", str(made), str(path)], check=True, cwd=directory)
    return made


def find_offset(code: CodeFile, function: str, line: int, *, skip: int = 0) -> tuple[int, int]:
    """The first offset in a function that its own source line is `line` at, and the function's size."""
    found = code.find(Frame(function, 0, None, "crash"))
    assert found.symbol is not None
    offsets = [offset for offset in range(found.size) if _has_line(code.sites(found.address + offset), line)]
    return offsets[skip], code._size(found.symbol) or 0x1000


def _has_line(sites: tuple[Site, ...], line: int) -> bool:
    return any(site.line == line for site in sites[:1])


def make_log(
    code: CodeFile,
    function: str,
    offset: int,
    *,
    begin: str = "BUG: kernel NULL pointer dereference, address: 0000000000000010",
    registers: Mapping[str, int] | None = None,
    size: int = 0,
    caller: int = 0,
    with_code: bool = True,
) -> str:
    """What x86 prints of a fault at `function+offset` that `crash_init` called.

    `caller`: the offset in `crash_init` that is returned to, by default of its call in `SOURCE`.
    """
    found = code.find(Frame(function, offset, None, "crash"))
    assert found.symbol is not None
    size = size or code._size(found.symbol) or 0x1000
    section = code.elf.section(found.symbol.section)
    at = found.symbol.value + offset
    data = code.elf.read_section(section)[max(at - 42, 0) : at + 22]
    marked = min(at, 42)
    dump = " ".join(f"<{byte:02x}>" if index == marked else f"{byte:02x}" for index, byte in enumerate(data))
    values = {"rax": 0, "rbx": 0, "rcx": 0, "rdx": 0, "rsi": 0, "rdi": 0} | dict(registers or {})
    names = " ".join(f"{name.upper()}: {value:016x}" for name, value in list(values.items())[:3])
    more = " ".join(f"{name.upper()}: {value:016x}" for name, value in list(values.items())[3:])
    caller = caller or find_offset(code, "crash_init", line_of("INIT"), skip=6)[0]
    init = code.find(Frame("crash_init", 0, None, "crash"))
    lines = [
        begin,
        "#PF: supervisor read access in kernel mode",
        "#PF: error_code(0x0000) - not-present page",
        "Oops: 0000 [#1] PREEMPT SMP NOPTI",
        "CPU: 0 PID: 78 Comm: insmod Tainted: G           OE      6.1.0-56-cloud-amd64 #1  Debian 6.1.1",
        f"RIP: 0010:{function}+{offset:#x}/{size:#x} [crash]",
        *([f"Code: {dump}"] if with_code else []),
        "RSP: 0018:ffffc900001bbd88 EFLAGS: 00010246",
        names,
        more,
        "Call Trace:",
        " <TASK>",
        f" crash_init+{caller:#x}/{max(init.size, caller + 1):#x} [crash]",
        " ? __pfx_crash_init+0x10/0x10 [crash]",
        " do_one_initcall+0x59/0x220",
        " do_init_module+0x4a/0x1f0",
        " </TASK>",
        "Modules linked in: crash(OE+)",
        "---[ end trace 0000000000000000 ]---",
    ]
    return "".join(f"[    3.{number:06}] {line}\n" for number, line in enumerate(lines, 100))
