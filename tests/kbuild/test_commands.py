# SPDX-License-Identifier: MIT
"""The command lines that Kbuild saves."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.kbuild.commands import (
    cmd_path,
    parse_cmd_file,
    parse_command,
    parse_dependency_file,
    read_cmd_file,
    read_command,
)

# As fixdep of 6.1 writes it, cut short.
OLD = """\
cmd_/m/hello.o :=  gcc-12 -Wp,-MMD,/m/.hello.o.d -DX='"a$(pound)b$$c"' -c -o /m/hello.o /m/hello.c

source_/m/hello.o := /m/hello.c

deps_/m/hello.o := \\
  /k/include/linux/kconfig.h \\
    $(wildcard include/config/FOO) \\
  /m/hello.h \\

/m/hello.o: $(deps_/m/hello.o)

$(deps_/m/hello.o):

/m/hello.o: $(wildcard ./tools/objtool/objtool)
#SYMVER greet 0xee2e4712
"""
NEW = OLD.replace("cmd_/m/", "savedcmd_", 1).replace("/m/", "")


@pytest.mark.parametrize(("text", "base"), [(OLD, "/m/"), (NEW, "")])
def test_both_shapes(text: str, base: str) -> None:
    saved = parse_cmd_file(text)
    assert saved is not None
    assert saved.target == f"{base}hello.o"
    assert saved.is_relative is (base == "")
    assert saved.dependencies == (f"{base}hello.c", "/k/include/linux/kconfig.h", f"{base}hello.h")
    assert "-DX='\"a#b$c\"'" in saved.command
    assert saved.symvers == ("#SYMVER greet 0xee2e4712",)


def test_rubbish(tmp_path: Path) -> None:
    for text in ("", "\n", "cmd_x = y\n", "\0" * 100):
        assert parse_cmd_file(text) is None
        assert parse_command(text) is None
    assert read_command(tmp_path / "absent.o") is None
    cmd_path(tmp_path / "a.o").write_bytes(b"savedcmd_a.o := \xff\xfe\n" + b"x" * 1000)
    assert read_command(tmp_path / "a.o") is not None
    assert read_cmd_file(tmp_path / "a.o") is not None
    assert cmd_path(Path("/m/sub/a.o")) == Path("/m/sub/.a.o.cmd")


def test_what_the_compiler_depends_on() -> None:
    text = "a.o: a.c \\\n /k/x.h \\\n ../with\\ space.h /k/$$y.h\n"
    assert parse_dependency_file(text) == ["a.c", "/k/x.h", "../with space.h", "/k/$y.h"]
    assert parse_dependency_file("") == []
