# SPDX-License-Identifier: MIT
"""What a module source is, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import BadInputError, UsageError
from lkm.kbuild import find_source


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["Kbuild", "Makefile"])
@pytest.mark.parametrize("text", ["obj-m := a.o\n", "obj-$(CONFIG_A) += a.o\n", "include $(src)/all.mk\n"])
def test_a_directory_with_a_kbuild_file(name: str, text: str, tmp_path: Path) -> None:
    file = write(tmp_path / name, text)
    assert find_source(tmp_path) == tmp_path.resolve()
    assert find_source(str(file)) == tmp_path.resolve()


def test_a_link_and_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "real/Makefile", "obj-m := a.o\n")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    assert find_source("link") == (tmp_path / "real").resolve()


def test_one_c_file(tmp_path: Path) -> None:
    assert find_source(write(tmp_path / "a.c")) == (tmp_path / "a.c").resolve()


@pytest.mark.parametrize(
    ("files", "path", "message", "hint"),
    [
        ({}, "nowhere", "no such file", "lkm new nowhere"),
        ({}, "no-where", "no such file", ""),
        ({"d/x.txt": ""}, "d", "looked for Kbuild and Makefile", "lkm new hello"),
        ({"d/a.c": ""}, "d", "looked for Kbuild and Makefile", "lkm build {}/d/a.c"),
        ({"d/a.mod.c": ""}, "d", "looked for Kbuild and Makefile", "lkm new hello"),
        ({"d/sub/Makefile": "obj-m := a.o"}, "d", "looked for Kbuild", "lkm build {}/d/sub"),
        (
            {"d/x/Makefile": "obj-m := a.o", "d/y/Kbuild": "obj-m += b.o", "d/z/Makefile": "all:"},
            "d",
            "looked for Kbuild",
            "lkm build {}/d/x; sources here: x, y",
        ),
        (
            {"d/a.c": "", "d/b.c": "", "d/b.mod.c": ""},
            "d",
            "no module source",
            "write a Makefile that says what they make: obj-m := a.o b.o",
        ),
        ({"d/Makefile": "all:\n\tcc a.c\n"}, "d", "names no module", "lkm new hello"),
        ({"d/a.txt": ""}, "d/a.txt", "not a module source", ""),
    ],
)
def test_what_is_none(files: dict[str, str], path: str, message: str, hint: str, tmp_path: Path) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises((BadInputError, UsageError), match=message) as error:
        find_source(tmp_path / path)
    assert error.value.hint == hint.format(tmp_path)
    assert str(tmp_path / path) in error.value.message


def test_a_circle_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UsageError):
        find_source(tmp_path / "a")
