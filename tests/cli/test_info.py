# SPDX-License-Identifier: MIT
"""`lkm info`, `lkm params`, `lkm sections`: against modinfo, and for people and machines."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from elf_builder import Name, Piece, build_module

from lkm import process
from lkm.errors import LkmError
from lkm.module import read_module
from lkm.show.modinfo import modinfo_text, signature_information

needs_modinfo = pytest.mark.skipif(
    process.find_program("modinfo") is None, reason="modinfo (kmod) is missing"
)


def lkm(*words: str | Path, status: int = 0, cwd: Path | None = None) -> str:
    found = subprocess.run(
        [sys.executable, "-m", "lkm", *map(str, words)], capture_output=True, cwd=cwd, check=False
    )
    assert found.returncode == status, found.stderr.decode()
    return (found.stdout if status == 0 else found.stdout + found.stderr).decode("utf-8", "surrogateescape")


def modinfo(*words: str | Path, cwd: Path | None = None) -> bytes:
    program = process.find_program("modinfo")
    return subprocess.run([str(program), *map(str, words)], capture_output=True, check=True, cwd=cwd).stdout


def plain(path: Path, **options: object) -> bytes:
    module = read_module(path)
    pairs = [*module.information, *signature_information(module.signature)]
    text = modinfo_text(pairs, filename=str(path), **options)  # type: ignore[arg-type]
    return text.encode("utf-8", "surrogateescape")


@needs_modinfo
@pytest.mark.fetch
@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("debian:6.1", {}, ()),
        ("debian:6.1", {"separator": "\0"}, ("-0",)),
        ("debian:6.1", {"fields": ["parm"]}, ("-p",)),
        ("debian:7.3", {}, ()),
    ],
)
def test_every_module_of_a_distribution_kernel_is_shown_as_modinfo_does(
    kernel_named, name: str, options: dict, words: tuple[str, ...]
) -> None:
    modules = kernel_named(name).modules
    paths = sorted(path for path in modules.rglob("*.ko*") if path.is_file())
    assert len(paths) > 900
    for start in range(0, len(paths), 500):
        part = paths[start : start + 500]
        ours = b"".join(plain(path, **options) for path in part)
        theirs = modinfo(*words, *part)
        if ours != theirs:
            for path in part:
                assert plain(path, **options) == modinfo(*words, path), path


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    information = [
        "license=GPL", "author=A <a@b>", "author=Ünal", "description=Says hello", "alias=a-b",
        "vermagic=6.1 SMP ", "depends=b,c", "parmtype=day:int", "parm=day:The day", "parm=only:described",
        "parmtype=bare:charp", "fifteen_letters=x", "nothing", "empty=", "import_ns=USB",
    ]  # fmt: skip
    data = build_module(
        "hello",
        information=information,
        pieces=[Piece(".text", bytes(9), flags=6), Piece(".comment", b"GCC: (Test) 1\0", flags=0)],
        names=[Name("init_module", ".text", 0, 4, type=2), Name("printk")],
    )
    path = tmp_path / "hello.ko"
    path.write_bytes(data)
    return path


@needs_modinfo
@pytest.mark.parametrize(
    "words", [(), ("-0",), ("-F", "parm"), ("-F", "author"), ("-n",), ("-l",), ("-F", "none")]
)
def test_odd_information_is_shown_as_modinfo_does(hello: Path, words: tuple[str, ...]) -> None:
    ours = subprocess.run(
        [sys.executable, "-m", "lkm", "info", "--plain", *words, "./hello.ko"],
        capture_output=True,
        check=True,
        cwd=hello.parent,
    ).stdout
    assert ours == modinfo(*words, "./hello.ko", cwd=hello.parent)


def test_several_fields_are_shown_in_the_order_asked_for(hello: Path) -> None:
    assert lkm("info", "-F", "license", "-F", "author", hello) == "GPL\nA <a@b>\nÜnal\n"


def test_json_has_the_documented_fields(hello: Path) -> None:
    found = json.loads(lkm("info", "--json", hello))
    assert found["schema"] == 1
    (one,) = found["info"]
    assert one["name"] == "hello" and one["filename"] == str(hello)
    assert one["gpl_compatible"] is True and one["depends"] == ["b", "c"]
    assert one["can_unload"] is False  # an init, no exit
    assert one["parameters"][0] == {
        "name": "day", "type": "int", "default": None, "default_known": False, "default_shown": None,
        "permission": None, "permission_meaning": "unknown", "description": "The day", "count": None,
        "length": None, "own_functions": False, "taints": False,
    }  # fmt: skip
    assert one["imports"] == [{"name": "printk", "weak": False, "crc": None}]
    assert one["import_namespaces"] == ["USB"]
    assert one["compilers"] == ["GCC: (Test) 1"]
    assert one["signature"] is None


def test_what_modinfo_does_not_tell(hello: Path) -> None:
    text = lkm("info", hello)
    assert "GPL-compatible: may use symbols exported for GPL only" in text
    assert "no: it has an init function and no exit function" in text
    assert "compiled with: GCC: (Test) 1" in text


def test_a_terminal_is_not_sent_what_a_module_holds(tmp_path: Path) -> None:
    path = tmp_path / "evil.ko"
    path.write_bytes(build_module("evil", information=["license=GPL", "description=\x1b[2Jgone"]))
    text = lkm("info", path)
    assert "\x1b" not in text and "\\x1b[2Jgone" in text


def test_names_aliases_and_built_in_ones(tmp_path: Path) -> None:
    modules = tmp_path / "lib/modules/6.1.0"
    (modules / "kernel").mkdir(parents=True)
    data = build_module("a_b", information=["license=GPL", "alias=pci:v0000*d*", "alias=fs-x"])
    (modules / "kernel/a-b.ko.gz").write_bytes(gzip.compress(data))
    (modules / "modules.builtin").write_text("kernel/inside.ko\n")
    (modules / "modules.builtin.modinfo").write_bytes(
        b"inside.license=GPL\0inside.alias=in-alias\0inside.parmtype=p:int\0inside.parm=p:text\0"
    )
    where = ("-b", tmp_path, "-k", "6.1.0")
    path = f"{modules}/kernel/a-b.ko.gz\n"
    for name in ("a-b", "a_b", "pci:v00001234d1", "fs_x"):
        assert lkm("info", *where, "-n", name) == path, name
    assert "built in: part of the kernel image" in lkm("info", *where, "in_alias")
    expected = f"{'name:':16}inside\n{'filename:':16}(builtin)\n{'license:':16}GPL\n{'alias:':16}in-alias\n"
    assert lkm("info", *where, "--plain", "inside") == expected + f"{'parm:':16}p:text (int)\n"
    assert "no module 'zzz'" in lkm("info", *where, "zzz", status=1)
    assert "no module 'fs-x'" in lkm("info", *where, "-m", "fs-x", status=1)
    if process.find_program("modinfo") and process.find_program("depmod") and os.access("/", os.W_OK):
        subprocess.run([str(process.find_program("depmod")), "-b", str(tmp_path), "6.1.0"], check=True)
        assert lkm("info", *where, "--plain", "inside").encode() == modinfo(*where, "inside")


def test_wrong_words_are_told_with_the_next_thing_to_type(tmp_path: Path) -> None:
    (tmp_path / "x.ko").write_text("hello")
    assert "not an ELF file" in lkm("info", tmp_path / "x.ko", status=1)
    assert "no such file" in lkm("info", tmp_path / "none.ko", status=1)
    assert "is a directory" in lkm("info", f"{tmp_path}/", status=1)
    assert "cannot go together" in lkm("info", "--json", "-0", tmp_path / "x.ko", status=2)


def test_params_table_and_answers(hello: Path) -> None:
    assert "day" in lkm("params", hello)
    assert lkm("params", hello, "day=12") == "day=12: accepted\n"
    text = lkm("params", hello, "dai=1", "day=x", status=1)
    assert "did you mean day?" in text and "refused with EINVAL" in text
    found = json.loads(lkm("params", "--json", hello, "day=99999999999", status=1))
    assert found["values"][0]["error"] == "ERANGE"


def test_sections_bar_and_picture(hello: Path, tmp_path: Path) -> None:
    picture = tmp_path / "x.svg"
    assert " code\n" in lkm("sections", hello, "--svg", picture)
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    found = json.loads(lkm("sections", "--json", hello))
    assert {one["name"] for one in found["sections"]} > {".text", ".modinfo"}


def test_errors_are_values_of_the_library(tmp_path: Path) -> None:
    with pytest.raises(LkmError):
        read_module(tmp_path / "none.ko")
