# SPDX-License-Identifier: MIT
"""The copy of a source that Kbuild works in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.errors import BadInputError
from lkm.kbuild import mirror as subject
from lkm.kbuild.mirror import Mirror, compare, find_generated, levels_above, link_above, mirror_of, scan, sync


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write(tmp_path / "proj/mod/Makefile", "obj-m := a.o\n")
    write(tmp_path / "proj/mod/a.c", "int a;\n")
    return tmp_path / "proj/mod"


@pytest.fixture
def mirror(source: Path, tmp_path: Path) -> Mirror:
    made = mirror_of(source, tmp_path / "cache")
    made.work.mkdir(parents=True)
    return made


def copied(mirror: Mirror) -> set[str]:
    return {str(path.relative_to(mirror.root)) for path in mirror.root.rglob("*") if path.is_file()}


def test_products_litter_and_hidden_directories_stay_out(source: Path, mirror: Mirror) -> None:
    for name in [
        "a.o",
        ".a.o.cmd",
        "a.ko",
        "a.mod",
        "a.mod.c",
        "a.mod.o",
        ".a.o.d",
        "Module.symvers",
        "modules.order",
        ".module-common.o",
        ".tmp_a.o",
        "compile_commands.json",
        ".git/config",
        ".a.c.swp",
        "a.c~",
        "#a.c#",
        "a.c.orig",
        "__pycache__/x.pyc",
    ]:
        write(source / name)
    for name in ("sub/b.h", ".config", "blob.o", "fw.o_shipped", "README", "with space.c"):
        write(source / name)
    assert set(scan(mirror)) == {
        "Makefile",
        "a.c",
        "sub/b.h",
        ".config",
        "blob.o",
        "fw.o_shipped",
        "README",
        "with space.c",
    }


def test_special_files_and_links(source: Path, mirror: Mirror, tmp_path: Path) -> None:
    os.mkfifo(source / "pipe")
    (source / "dangling").symlink_to("nowhere")
    (source / "circle").symlink_to(".")
    write(tmp_path / "elsewhere/x.h")
    (source / "beside").symlink_to(tmp_path / "elsewhere")
    (source / "link.h").symlink_to("a.c")
    assert set(scan(mirror)) == {"Makefile", "a.c", "beside/x.h", "link.h"}


def test_only_new_contents_are_changes(source: Path, mirror: Mirror) -> None:
    first = scan(mirror)
    assert compare(mirror, first, {}) == {"Makefile", "a.c"}
    sync(mirror, first, first)
    (source / "a.c").touch()
    second = scan(mirror)
    assert second != first
    assert compare(mirror, second, first) == set()
    write(source / "a.c", "int b;\n")
    write(source / "c.h")
    (source / "Makefile").unlink()
    third = scan(mirror)
    changed = compare(mirror, third, second)
    assert changed == {"a.c", "c.h", "Makefile"}
    sync(mirror, third, changed)
    assert copied(mirror) == {"a.c", "c.h"}
    assert (mirror.root / "a.c").read_text() == "int b;\n"


def test_a_copy_is_no_link_and_keeps_its_execute_bit(source: Path, mirror: Mirror) -> None:
    write(source / "gen.sh").chmod(0o755)
    files = scan(mirror)
    sync(mirror, files, files)
    (mirror.root / "a.c").write_text("written by a rule")
    assert (source / "a.c").read_text() == "int a;\n"
    assert os.access(mirror.root / "gen.sh", os.X_OK)


def test_a_file_that_becomes_a_directory_and_back(source: Path, mirror: Mirror) -> None:
    write(source / "x")
    before = scan(mirror)
    sync(mirror, before, before)
    (source / "x").unlink()
    write(source / "x/y.h")
    after = scan(mirror)
    sync(mirror, after, compare(mirror, after, before))
    assert (mirror.root / "x/y.h").is_file()
    (source / "x/y.h").unlink()
    (source / "x").rmdir()
    write(source / "x")
    again = scan(mirror)
    sync(mirror, again, compare(mirror, again, after))
    assert (mirror.root / "x").is_file()


def test_large_files_are_linked(source: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_COPY", 100)
    write(source / "firmware.bin", "x" * 1000)
    files = scan(mirror)
    sync(mirror, files, files)
    assert (mirror.root / "firmware.bin").readlink() == source / "firmware.bin"


def test_too_many_files(source: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_FILES", 5)
    for number in range(10):
        write(source / f"{number}.h")
    with pytest.raises(BadInputError, match="more than 5 files"):
        scan(mirror)


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        (b'#include "../a.h"', 1),
        (b'#include "../../a/../b.h"', 2),
        (b"-I$(src)/..", 1),
        (b"case 1 ... 3: printf(x, ...)", 0),
        (b"a..b", 0),
        (b"$(src)/../../../x ../y", 3),
    ],
)
def test_levels_above(text: bytes, levels: int) -> None:
    assert levels_above(text) == levels


def test_what_lies_above_is_linked(source: Path, mirror: Mirror, tmp_path: Path) -> None:
    write(tmp_path / "proj/include/x.h", "above")
    link_above(mirror, 1)
    assert (mirror.root / "../include/x.h").read_text() == "above"
    assert not os.path.lexists(mirror.root / "../../proj")
    link_above(mirror, 2)
    assert (mirror.root / "../../proj/include/x.h").read_text() == "above"
    (tmp_path / "proj/include/x.h").unlink()
    (tmp_path / "proj/include").rmdir()
    write(tmp_path / "proj/late.h")
    link_above(mirror, 1)
    assert not os.path.lexists(mirror.root / "../include")
    assert (mirror.root / "../late.h").is_file()
    link_above(mirror, 99)


def test_objects_above_widen_the_mirror(tmp_path: Path) -> None:
    write(tmp_path / "proj/mod/Makefile", "obj-m := m.o\nm-y := a.o ../common/b.o\n")
    write(tmp_path / "proj/common/b.c")
    made = mirror_of(tmp_path / "proj/mod", tmp_path / "cache")
    assert (made.source, made.within) == (tmp_path / "proj", "mod")
    assert set(scan(made)) == {"mod/Makefile", "common/b.c"}
    assert made.work == made.root / "mod"


def test_odd_names(tmp_path: Path) -> None:
    write(tmp_path / "my module/Makefile", "obj-m := a.o\n")
    made = mirror_of(tmp_path / "my module", Path("/c"))
    assert " " not in str(made.work)
    lone = mirror_of(write(tmp_path / "my module/b c.c"), Path("/c"))
    assert subject.target_name(lone, "b c.c") == "b_c.c"


def test_a_lone_file_sees_what_is_beside_it(tmp_path: Path) -> None:
    only = write(tmp_path / "d/a.c")
    for name in ("beside.h", "sub/x.h", "Makefile", "b.o", ".b.o.cmd", ".hidden"):
        write(tmp_path / "d" / name)
    made = mirror_of(only, tmp_path / "cache")
    made.work.mkdir(parents=True)
    files = scan(made)
    sync(made, files, files)
    assert {path.name for path in made.root.iterdir()} == {"a.c", "Kbuild", "beside.h", "sub"}
    assert (made.root / "Kbuild").read_text() == "obj-m := a.o\n"
    assert find_generated(made, files) == ""


def test_generated_files_are_found(mirror: Mirror) -> None:
    files = scan(mirror)
    sync(mirror, files, files)
    for product in ("a.o", "a.ko", ".a.o.cmd", "a.mod.c", "modules.order"):
        write(mirror.root / product)
    assert find_generated(mirror, files) == ""
    write(mirror.root / "sub/made.h")
    assert find_generated(mirror, files) == "sub/made.h"


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_kbuilds_to_complain_of(source: Path, mirror: Mirror) -> None:
    write(source / "secret").chmod(0)
    files = scan(mirror)
    sync(mirror, files, files)
    assert "secret" not in copied(mirror)
