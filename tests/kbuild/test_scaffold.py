# SPDX-License-Identifier: MIT
"""`lkm new`: names, and sources that build."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm import process
from lkm.errors import UsageError
from lkm.kbuild import build, new_module
from lkm.kbuild.scaffold import MAX_NAME
from lkm.kernel import Kernel


@pytest.mark.parametrize(
    ("name", "reason", "hint"),
    [
        ("", "empty", "my"),
        ("a-b", "dash", "a_b"),
        ("9lives", "digit", "my_9lives"),
        ("a b", "' '", "a_b"),
        ("hello.c", "'.'", "hello_c"),
        ("über", "'ü'", "ber"),
        ("_hidden", "a letter first", "hidden"),
        ("int", "word of the language", "my_int"),
        ("modules", "something else", "my_modules"),
        ("module", "module_init or module_exit", "my_module"),
        ("do", "word of the language", "my_do"),
        ("timer", "timer_init or timer_exit", "my_timer"),
        ("x" * (MAX_NAME + 1), "the kernel keeps 55", "x" * MAX_NAME),
        ("../up", "path", "up -C .."),
        ("a\nb", "'\\n'", "a_b"),
        ("-C", "a letter first", "C"),
    ],
)
def test_bad_names(name: str, reason: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)) as error:
        new_module(name, parent=tmp_path)
    assert error.value.hint == f"lkm new {hint}"
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    new_module("hello", parent=tmp_path)
    (tmp_path / "hello2").touch()
    with pytest.raises(UsageError, match="there already") as error:
        new_module("hello", parent=tmp_path)
    assert error.value.hint == "lkm new hello3"
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UsageError, match="there already"):
        new_module("link", parent=tmp_path)


def test_what_is_written(tmp_path: Path) -> None:
    made = new_module("hello", parent=tmp_path)
    names = {path.name for path in made.iterdir()}
    assert names == {"hello.c", "Makefile", ".gitignore", "test_hello.py"}
    for path in made.iterdir():
        assert "@" not in path.read_text(), path
    assert "SPDX-License-Identifier: GPL-2.0" in (made / "hello.c").read_text().splitlines()[0]
    compile((made / "test_hello.py").read_text(), "test_hello.py", "exec")


@pytest.mark.fetch
@pytest.mark.parametrize("series", ["6.1", "6.12", "7.3"])
@pytest.mark.parametrize("name", ["hello", "x" * MAX_NAME])
def test_it_builds_without_a_word(
    series: str,
    name: str,
    tmp_path: Path,
    kernel_named: Callable[[str], Kernel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = kernel_named(f"debian:{series}")
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    built = build(new_module(name, parent=tmp_path), kernel=kernel, make_words=["W=1"])
    assert built.ok, built.log
    assert built.diagnostics == ()
    assert built.modules[0].name == f"{name}.ko"


@pytest.mark.fetch
def test_make_by_hand(tmp_path: Path, kernel_named: Callable[[str], Kernel]) -> None:
    kernel = kernel_named("debian")
    made = new_module("hello", parent=tmp_path)
    before = {path.name for path in made.iterdir()}
    process.run(["make", f"KDIR={kernel.build}"], cwd=made).check()
    assert (made / "hello.ko").is_file()
    ignored = subprocess.run(["git", "init", "-q", made], check=False).returncode == 0
    if ignored:
        status = process.run(["git", "status", "--porcelain", "-uall"], cwd=made).check().stdout.split()
        assert {name for name in status if name != "??"} == before
    process.run(["make", f"KDIR={kernel.build}", "clean"], cwd=made).check()
    assert {path.name for path in made.iterdir()} - {".git"} == before


@pytest.mark.guest
def test_its_own_test_passes(tmp_path: Path) -> None:
    made = new_module("hello", parent=tmp_path)
    result = process.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", made], timeout=300)
    assert result.status == 0, result.stdout
