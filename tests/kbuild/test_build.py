# SPDX-License-Identifier: MIT
"""Building with the kernel's real Kbuild: what sources look like, and what must never go wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lkm import process
from lkm.errors import BadInputError, MissingError, OutOfTimeError, UsageError
from lkm.kbuild import (
    Built,
    How,
    Severity,
    build,
    build_place,
    prune_builds,
    remove_builds,
    source_copy,
)
from lkm.kernel import Kernel

pytestmark = pytest.mark.fetch

MODULE = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
%s
static int __init one_init(void)
{
	pr_info("one: %%s %%d\\n", __FILE__, %s);
	return 0;
}
module_init(one_init);

MODULE_DESCRIPTION("a test");
MODULE_LICENSE("GPL");
"""


def module(value: str = "1", *, head: str = "") -> str:
    """A C file whose init says `value`, an expression."""
    return MODULE % (head, value)


@pytest.fixture(scope="module")
def kernel(kernel_named: Callable[[str], Kernel]) -> Kernel:
    """The quickest to build for: the machine's own compiler, no BTF."""
    return kernel_named("debian")


@pytest.fixture(scope="module")
def other(kernel_named: Callable[[str], Kernel]) -> Kernel:
    """One with a compiler of its own."""
    return kernel_named("debian:7.3")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test; the kernel stays where it is."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A module source of one file."""
    return write(tmp_path / "one", {"one.c": module(), "Makefile": "obj-m := one.o\n"})


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


def listing(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def names(built: Built) -> list[str]:
    assert built.ok, built.log
    return [path.name for path in built.modules]


def said(built: Built) -> str:
    return "\n".join(f"{item.severity}: {item.text}" for item in built.diagnostics)


def value_of(built: Built, text: str) -> bool:
    """Whether the first module holds a text."""
    assert built.ok, built.log
    return text.encode() in built.modules[0].read_bytes()


# What sources look like


def test_the_source_is_not_littered_and_a_second_build_does_nothing(source: Path, kernel: Kernel) -> None:
    before = listing(source)
    first, second = build(source, kernel=kernel), build(source, kernel=kernel)
    assert (first.how, second.how) == (How.KBUILD, How.NOTHING)
    assert names(first) == names(second) == ["one.ko"]
    assert listing(source) == before
    assert second.modules[0].is_relative_to(build_place(source, kernel, {}))


def test_one_source_for_two_kernels(source: Path, kernel: Kernel, other: Kernel) -> None:
    modules = [build(source, kernel=which).modules[0] for which in (kernel, other)]
    for which, path in zip((kernel, other), modules, strict=True):
        assert f"vermagic={which.release} ".encode() in path.read_bytes()
        assert build(source, kernel=which).how is How.NOTHING


def test_headers_beside_below_and_above(tmp_path: Path, kernel: Kernel) -> None:
    tree = write(
        tmp_path / "tree",
        {
            "common.h": "#define COMMON 1\n",
            "include/mine.h": '#include "../deep/far.h"\n#define MINE (FAR + 1)\n',
            "deep/far.h": "#define FAR 40\n",
            "drivers/one/one.c": module(
                "COMMON + MINE + BESIDE + BELOW",
                head='#include "../../common.h"\n#include <mine.h>\n#include "beside.h"\n'
                '#include "sub/below.h"\n',
            ),
            "drivers/one/beside.h": "#define BESIDE 2\n",
            "drivers/one/sub/below.h": "#define BELOW 3\n",
            "drivers/one/Makefile": "obj-m := one.o\nccflags-y := -I$(src)/../../include\n",
        },
    )
    one = tree / "drivers/one"
    before = listing(tree)
    assert names(build(one, kernel=kernel)) == ["one.ko"]
    assert listing(tree) == before
    for header in ("common.h", "deep/far.h", "drivers/one/sub/below.h"):
        old = build(one, kernel=kernel)
        assert old.how is How.NOTHING
        before_bytes = old.modules[0].read_bytes()
        text = (tree / header).read_text()
        (tree / header).write_text(text.replace("\n", "00\n"))
        new = build(one, kernel=kernel)
        assert new.how is not How.NOTHING
        assert new.ok, new.log
        assert new.modules[0].read_bytes() != before_bytes


def test_a_makefile_for_both_as_in_the_lecture(tmp_path: Path, kernel: Kernel) -> None:
    makefile = (
        "ifneq ($(KERNELRELEASE),)\n  obj-m += one.o\nelse\n"
        "  KERNELDIR_LKP ?= /lib/modules/$(shell uname -r)/build\n  PWD := $(shell pwd)\n\n"
        "all:\n\tmake -C $(KERNELDIR_LKP) M=$(PWD) modules\n\n"
        "clean:\n\tmake -C $(KERNELDIR_LKP) M=$(PWD) clean\n"
        "endif\n"
    )
    source = write(tmp_path / "one", {"one.c": module(), "Makefile": makefile})
    assert names(build(source, kernel=kernel)) == ["one.ko"]
    assert build(source, kernel=kernel).how is How.NOTHING


def test_a_makefile_for_both_without_a_condition(tmp_path: Path, kernel: Kernel) -> None:
    makefile = "obj-m += one.o\nall:\n\tmake -C /lib/modules/$(shell uname -r)/build M=$(PWD) modules\n"
    source = write(tmp_path / "one", {"one.c": module(), "Makefile": makefile})
    assert names(build(source, kernel=kernel)) == ["one.ko"]


def test_kbuild_is_preferred_to_makefile(tmp_path: Path, kernel: Kernel) -> None:
    files = {
        "one.c": module(),
        "two.c": module(),
        "Kbuild": "obj-m := two.o\n",
        "Makefile": "obj-m := one.o\n",
    }
    assert names(build(write(tmp_path / "s", files), kernel=kernel)) == ["two.ko"]


def test_subdirectories_and_modules_of_the_same_name_order(tmp_path: Path, kernel: Kernel) -> None:
    files = {
        "Makefile": "obj-m := a/ b/\n",
        "a/Makefile": "obj-m := user.o\nccflags-y := -I$(src)/../b\n",
        "a/user.c": module("shared_value()", head='#include "shared.h"\n'),
        "b/Kbuild": "obj-m := shared.o\nshared-objs := part.o\n",
        "b/part.c": '#include <linux/module.h>\n#include "shared.h"\nint shared_value(void) { return 7; }\n'
        'EXPORT_SYMBOL_GPL(shared_value);\nMODULE_DESCRIPTION("x");\nMODULE_LICENSE("GPL");\n',
        "b/shared.h": "int shared_value(void);\n",
    }
    source = write(tmp_path / "s", files)
    built = build(source, kernel=kernel)
    assert names(built) == ["shared.ko", "user.ko"]
    assert [path.parent.name for path in built.modules] == ["b", "a"]
    (source / "b/part.c").write_text(files["b/part.c"].replace("7", "8"))
    assert build(source, kernel=kernel).how is How.FAST


def test_objects_of_a_directory_above(tmp_path: Path, kernel: Kernel) -> None:
    tree = write(
        tmp_path / "tree",
        {
            "common/util.c": '#include "util.h"\nint util(void) { return 5; }\n',
            "common/util.h": "int util(void);\n",
            "one/main.c": module("util()", head='#include "../common/util.h"\n'),
            "one/Makefile": "obj-m := one.o\none-y := main.o ../common/util.o\n",
        },
    )
    before = listing(tree)
    assert names(build(tree / "one", kernel=kernel)) == ["one.ko"]
    assert listing(tree) == before
    (tree / "common/util.c").write_text('#include "util.h"\nint util(void) { return 6; }\n')
    new = build(tree / "one", kernel=kernel)
    assert new.how is not How.NOTHING
    assert new.ok


def test_exports_of_another_source(tmp_path: Path, kernel: Kernel) -> None:
    provider = write(
        tmp_path / "provider",
        {
            "provider.c": "#include <linux/module.h>\nint given(void);\nint given(void) { return 1; }\n"
            'EXPORT_SYMBOL(given);\nMODULE_DESCRIPTION("x");\nMODULE_LICENSE("GPL");\n',
            "Makefile": "obj-m := provider.o\n",
        },
    )
    user = write(
        tmp_path / "user",
        {"user.c": module("given()", head="int given(void);"), "Makefile": "obj-m := user.o\n"},
    )
    alone = build(user, kernel=kernel)
    assert not alone.ok
    assert '"given"' in said(alone)
    first = build(provider, kernel=kernel)
    words = [f"KBUILD_EXTRA_SYMBOLS={first.output / 'Module.symvers'}"]
    together = build(user, kernel=kernel, make_words=words)
    assert names(together) == ["user.ko"]
    assert b"depends=provider\0" in together.modules[0].read_bytes()
    # The other's exports change: so must the versions that this one asks for.
    text = (provider / "provider.c").read_text()
    (provider / "provider.c").write_text(text.replace("given(void)", "given(int *unused)"))
    build(provider, kernel=kernel)
    assert build(user, kernel=kernel, make_words=words).how is How.KBUILD


@pytest.mark.parametrize("name", ["my module", "a:b(1) $HOME", 'it\'s "said"', "back\\slash ünïcode"])
def test_odd_paths(name: str, tmp_path: Path, kernel: Kernel) -> None:
    head = "static inline int broken(void) { int unused_here; return 0; }"
    source = write(tmp_path / name, {"one.c": module(head=head), "Makefile": "obj-m := one.o\n"})
    built = build(source, kernel=kernel, make_words=["KCFLAGS=-Wunused-variable"])
    assert names(built) == ["one.ko"]
    assert built.diagnostics[0].path == source / "one.c"
    assert value_of(built, f"{source}/one.c")
    assert str(built.output).encode() not in built.modules[0].read_bytes()


def test_one_c_file(tmp_path: Path, kernel: Kernel) -> None:
    files = {"my file.c": module("BESIDE", head='#include "beside.h"\n'), "beside.h": "#define BESIDE 1\n"}
    directory = write(tmp_path / "d", files | {"Makefile": "nothing of ours\n", "other.c": "rubbish"})
    before = listing(directory)
    built = build(directory / "my file.c", kernel=kernel)
    assert names(built) == ["my_file.ko"]
    assert value_of(built, f"{directory}/my file.c")
    assert listing(directory) == before
    assert build(directory / "my file.c", kernel=kernel).how is How.NOTHING
    (directory / "beside.h").write_text("#define BESIDE 2\n")
    assert build(directory / "my file.c", kernel=kernel).how is not How.NOTHING


def test_what_a_module_was_made_from(tmp_path: Path, kernel: Kernel) -> None:
    files = {"Kbuild": "obj-m := one.o\none-y := main.o ../shared/part.o\n", "main.c": module()}
    source = write(tmp_path / "one", files)
    write(tmp_path / "shared", {"part.c": "int part(void);\nint part(void) { return 1; }\n"})
    (one,) = build(source, kernel=kernel).modules
    for path in (source / "main.c", tmp_path / "shared/part.c"):
        copy = source_copy(one, path)
        assert copy is not None and copy != path and copy.read_bytes() == path.read_bytes()
    assert source_copy(one, source / "other.c") is None
    assert source_copy(one, tmp_path.parent / "main.c") is None
    (tmp_path / "odd name.c").write_text(module("2"))
    (odd,) = build(tmp_path / "odd name.c", kernel=kernel).modules
    copy = source_copy(odd, tmp_path / "odd name.c")
    assert copy is not None and copy.name == "odd_name.c" and copy.read_text() == module("2")
    assert source_copy(source / "main.ko", source / "main.c") is None


def test_a_directory_that_cannot_be_written(source: Path, kernel: Kernel) -> None:
    for path in (source / "one.c", source / "Makefile"):
        path.chmod(0o444)
    source.chmod(0o555)
    os.utime(source / "one.c", (0, 0))
    assert names(build(source, kernel=kernel)) == ["one.ko"]
    if os.getuid() == 0:
        assert build(source, kernel=kernel, in_place=True).ok  # root may write everywhere
    else:
        with pytest.raises(BadInputError, match="cannot be written"):
            build(source, kernel=kernel, in_place=True)
    source.chmod(0o755)


def test_the_directory_that_make_starts_in(tmp_path: Path, kernel: Kernel) -> None:
    """`$(PWD)` and `$(M)` in flags, which work by hand, work here too."""
    words = ("PWD", "M", "src", "obj")
    files = {f"{word}/{word}.h": "" for word in words}
    files["one.c"] = module(head="".join(f"#include <{word}.h>\n" for word in words))
    flags = " ".join(f"-I$({word})/{word}" for word in words)
    files["Makefile"] = f"obj-m := one.o\nccflags-y := {flags}\n"
    assert names(build(write(tmp_path / "s", files), kernel=kernel)) == ["one.ko"]


def test_products_of_make_by_hand_are_left_alone(source: Path, kernel: Kernel) -> None:
    by_hand = build(source, kernel=kernel, in_place=True)
    assert by_hand.modules == (source / "one.ko",)
    (source / "one.o").write_bytes(b"rubbish")
    before = {path: path.read_bytes() for path in source.iterdir()}
    assert names(build(source, kernel=kernel)) == ["one.ko"]
    assert {path: path.read_bytes() for path in source.iterdir()} == before


def test_in_place_by_a_fetched_compiler(source: Path, other: Kernel) -> None:
    """The compiler's cage lets it write in the source there, and nowhere else of the person's."""
    built = build(source, kernel=other, in_place=True)
    assert built.modules == (source / "one.ko",), built.log


def test_the_same_bytes_as_in_place(source: Path, kernel: Kernel) -> None:
    assert build(source, kernel=kernel).modules[0].read_bytes() == (
        build(source, kernel=kernel, in_place=True).modules[0].read_bytes()
    )


def test_an_object_that_comes_ready_made(source: Path, kernel: Kernel, tmp_path: Path) -> None:
    blob = write(
        tmp_path / "blob",
        {
            "Makefile": "obj-m := one.o\none-y := main.o given.o\n",
            "main.c": module("given()", head="int given(void);"),
        },
    )
    compiler = kernel.toolchain.compiler if kernel.toolchain else ""
    code = b"int given(void); int given(void) { return 3; }"
    subprocess.run(
        [compiler, "-c", "-mcmodel=kernel", "-fno-pic", "-o", blob / "given.o", "-xc", "-"],
        input=code,
        check=True,
    )
    (blob / ".given.o.cmd").touch()  # Kbuild wants one, and people make it
    before = (blob / "given.o").read_bytes()
    built = build(blob, kernel=kernel)
    assert names(built) == ["one.ko"]
    assert (blob / "given.o").read_bytes() == before


# What changes


def test_a_touched_file_is_not_a_changed_one(source: Path, kernel: Kernel) -> None:
    build(source, kernel=kernel)
    (source / "one.c").touch()
    assert build(source, kernel=kernel).how is How.NOTHING


def test_older_contents_with_their_old_time(source: Path, kernel: Kernel) -> None:
    shutil.copy2(source / "one.c", source / "one.c.old")
    os.utime(source / "one.c.old", (1, 1))
    (source / "one.c").write_text(module("12345"))
    build(source, kernel=kernel)
    new = build(source, kernel=kernel).modules[0].read_bytes()
    (source / "one.c.old").replace(source / "one.c")
    old = build(source, kernel=kernel)
    assert old.how is not How.NOTHING
    assert old.modules[0].read_bytes() != new


def test_two_edits_of_the_same_size_within_a_moment(source: Path, kernel: Kernel) -> None:
    seen = set()
    for value in ("1111", "2222", "3333", "4444"):
        (source / "one.c").write_text(module(value))
        os.utime(source / "one.c", (1000, 1000))
        seen.add(build(source, kernel=kernel).modules[0].read_bytes())
    assert len(seen) == 4


def test_a_changed_makefile(source: Path, kernel: Kernel) -> None:
    old = build(source, kernel=kernel).modules[0].read_bytes()
    (source / "Makefile").write_text("obj-m := one.o\nccflags-y := -DDEBUG -Os\n")
    new = build(source, kernel=kernel)
    assert new.how is How.KBUILD
    assert new.modules[0].read_bytes() != old


def test_files_that_come_and_go(source: Path, kernel: Kernel) -> None:
    write(source, {"two.c": module("2"), "Makefile": "obj-m := one.o two.o\n"})
    assert sorted(names(build(source, kernel=kernel))) == ["one.ko", "two.ko"]
    (source / "two.c").unlink()
    broken = build(source, kernel=kernel)
    assert not broken.ok
    assert "two" in said(broken)
    (source / "Makefile").write_text("obj-m := one.o\n")
    built = build(source, kernel=kernel)
    assert names(built) == ["one.ko"]
    assert not list(built.output.glob("two*.ko"))
    assert not list(build_place(source, kernel, {}).rglob("two.ko"))


def test_a_header_that_comes_to_hide_another(tmp_path: Path, kernel: Kernel) -> None:
    files = {
        "one.c": module("X", head="#include <x.h>\n"),
        "late/x.h": "#define X 1111\n",
        "early/keep": "",
        "Makefile": "obj-m := one.o\nccflags-y := -I$(src)/early -I$(src)/late\n",
    }
    source = write(tmp_path / "s", files)
    old = build(source, kernel=kernel).modules[0].read_bytes()
    (source / "early/x.h").write_text("#define X 2222\n")
    assert build(source, kernel=kernel).modules[0].read_bytes() != old


def test_papers_beside_the_source_do_not_matter(source: Path, kernel: Kernel) -> None:
    build(source, kernel=kernel)
    write(source, {"README.md": "words", "test_one.py": "pass", ".one.c.swp": "editor", "one.c~": "editor"})
    assert build(source, kernel=kernel).how is How.NOTHING


def test_a_rule_of_its_own_is_kbuilds_to_decide(tmp_path: Path, kernel: Kernel) -> None:
    outside = tmp_path / "number"
    outside.write_text("1111\n")
    makefile = (
        f"obj-m := one.o\n$(obj)/one.o: $(obj)/made.h\n$(obj)/made.h: {outside}\n"
        '\techo "#define MADE $$(cat $<)" > $@\nccflags-y := -I$(obj)\nclean-files := made.h\n'
    )
    source = write(
        tmp_path / "s", {"one.c": module("MADE", head="#include <made.h>\n"), "Makefile": makefile}
    )
    before = listing(source)
    old = build(source, kernel=kernel)
    assert names(old) == ["one.ko"]
    old_bytes = old.modules[0].read_bytes()
    outside.write_text("2222\n")
    assert build(source, kernel=kernel).modules[0].read_bytes() != old_bytes
    assert listing(source) == before


def test_an_answer_of_the_shell_is_asked_for_again(tmp_path: Path, kernel: Kernel) -> None:
    outside = tmp_path / "number"
    outside.write_text("1111")
    makefile = f"obj-m := one.o\nccflags-y := -DX=$(shell cat {outside})\n"
    source = write(tmp_path / "s", {"one.c": module("X"), "Makefile": makefile})
    old = build(source, kernel=kernel).modules[0].read_bytes()
    outside.write_text("2222")
    assert build(source, kernel=kernel).modules[0].read_bytes() != old


def test_an_included_makefile_above(tmp_path: Path, kernel: Kernel) -> None:
    tree = write(
        tmp_path / "tree",
        {
            "flags.mk": "ccflags-y += -DX=1111\n",
            "one/one.c": module("X"),
            "one/Makefile": "obj-m := one.o\ninclude $(src)/../flags.mk\n",
        },
    )
    old = build(tree / "one", kernel=kernel).modules[0].read_bytes()
    assert build(tree / "one", kernel=kernel).how is How.NOTHING
    (tree / "flags.mk").write_text("ccflags-y += -DX=2222\n")
    assert build(tree / "one", kernel=kernel).modules[0].read_bytes() != old


def test_a_file_that_the_assembler_reads(tmp_path: Path, kernel: Kernel) -> None:
    head = 'asm(".section .rodata\\n.incbin \\"" INPUT "\\"\\n.previous\\n");'
    files = {
        "one.c": module(head=head),
        "data.txt": "1111",
        "Makefile": "obj-m := one.o\nccflags-y := -DINPUT='\"$(src)/data.txt\"'\n",
    }
    source = write(tmp_path / "s", files)
    old = build(source, kernel=kernel).modules[0].read_bytes()
    (source / "data.txt").write_text("2222")
    new = build(source, kernel=kernel)
    assert value_of(new, "2222")
    assert new.modules[0].read_bytes() != old


def test_make_words_are_builds_apart(source: Path, kernel: Kernel) -> None:
    plain = build(source, kernel=kernel)
    debug = build(source, kernel=kernel, make_words=["KCFLAGS=-DDEBUG -O1"])
    assert plain.modules[0] != debug.modules[0]
    assert plain.modules[0].read_bytes() != debug.modules[0].read_bytes()
    assert build(source, kernel=kernel).how is How.NOTHING
    assert build(source, kernel=kernel, make_words=["KCFLAGS=-DDEBUG -O1"]).how is How.NOTHING


def test_another_kernel_in_the_same_directory(source: Path, kernel: Kernel, tmp_path: Path) -> None:
    assert kernel.build is not None
    copy = tmp_path / "src" / kernel.build.name
    shutil.copytree(kernel.build, copy, symlinks=True)
    for beside in kernel.build.parent.iterdir():
        if beside != kernel.build:
            (copy.parent / beside.name).symlink_to(beside)
    for link in [path for path in copy.iterdir() if path.is_symlink()]:
        target = (kernel.build / link.name).resolve()
        link.unlink()
        link.symlink_to(target)
    own = replace(kernel, name="own", build=copy)
    build(source, kernel=own)
    assert build(source, kernel=own).how is How.NOTHING
    config = copy / "include/generated/autoconf.h"
    config.write_text(config.read_text() + "#define LKM_TEST 1\n")
    assert build(source, kernel=own).how is How.KBUILD


def test_someone_touches_what_was_made(source: Path, kernel: Kernel) -> None:
    built = build(source, kernel=kernel)
    good = built.modules[0].read_bytes()
    built.modules[0].write_bytes(b"rubbish")
    assert build(source, kernel=kernel).modules[0].read_bytes() == good
    built.modules[0].unlink()
    assert build(source, kernel=kernel).modules[0].read_bytes() == good


def test_a_damaged_record_is_no_record(source: Path, kernel: Kernel) -> None:
    build(source, kernel=kernel)
    record = build_place(source, kernel, {}) / "record.json"
    for rubbish in ("", '{"format": 1}'):
        record.write_text(rubbish)
        assert build(source, kernel=kernel).how is How.KBUILD


# What fails


def test_an_error_then_its_mend(source: Path, kernel: Kernel) -> None:
    build(source, kernel=kernel)
    (source / "one.c").write_text(module("2"))
    assert build(source, kernel=kernel).how is How.FAST
    (source / "one.c").write_text(module("nowhere"))
    broken = build(source, kernel=kernel)
    assert not broken.ok
    assert broken.how is How.FAST
    assert broken.modules == ()
    first = broken.diagnostics[0]
    assert (first.path, first.line, first.severity) == (source / "one.c", 6, Severity.ERROR)
    assert "'nowhere' undeclared" in first.text
    assert "nowhere" in first.source_line
    assert not build(source, kernel=kernel).ok
    (source / "one.c").write_text(module("3"))
    mended = build(source, kernel=kernel)
    assert mended.how is How.FAST
    assert mended.diagnostics == ()
    (source / "one.c").write_text(module("2"))
    assert build(source, kernel=kernel).ok


def test_a_warning_is_told_as_long_as_it_holds(source: Path, kernel: Kernel) -> None:
    write(source, {"two.c": module("2"), "Makefile": "obj-m := one.o two.o\n"})
    (source / "one.c").write_text(module(head="static int unused_here(void) { return 1; }"))
    builds = [build(source, kernel=kernel)]
    builds.append(build(source, kernel=kernel))
    for value in ("3", "4"):
        (source / "two.c").write_text(module(value))
        builds.append(build(source, kernel=kernel))
    (source / "Makefile").write_text("obj-m := one.o two.o\nccflags-two.o := -DX\nCFLAGS_two.o := -DX\n")
    builds.append(build(source, kernel=kernel))
    assert [built.how for built in builds] == ["kbuild", "nothing", "fast", "fast", "kbuild"]
    for built in builds:
        assert [item.option for item in built.warnings] == ["-Wunused-function"]
        assert built.diagnostics[0].path == source / "one.c"


def test_what_a_tool_says_before_make_gives_up_is_the_cause(source: Path, kernel: Kernel) -> None:
    built = build(source, kernel=kernel, make_words=["KBUILD_EXTRA_SYMBOLS=/nowhere/Module.symvers"])
    assert [item.text for item in built.errors] == ["/nowhere/Module.symvers: No such file or directory"]


def test_more_commands_than_a_word_of_a_command_line_holds(tmp_path: Path, kernel: Kernel) -> None:
    """128 KiB (MAX_ARG_STRLEN): some 25 modules, of which one has changed."""
    names = [f"m{number}" for number in range(30)]
    files = {f"{name}.c": module(head=f"int of_{name};\nEXPORT_SYMBOL(of_{name});") for name in names}
    files["Makefile"] = f"obj-m := {' '.join(f'{name}.o' for name in names)}\n"
    source = write(tmp_path / "s", files)
    assert build(source, kernel=kernel).how is How.KBUILD
    for name in names[:8]:
        (source / f"{name}.c").write_text(files[f"{name}.c"].replace("int of_", "long of_"))
    built = build(source, kernel=kernel)
    assert built.ok, built.log
    assert len(built.modules) == len(names)


def test_an_undefined_symbol_is_told_where_it_is_used(source: Path, kernel: Kernel) -> None:
    (source / "one.c").write_text(module(head="int nobody_has(void);\nint x(void) { return nobody_has(); }"))
    (error,) = build(source, kernel=kernel).errors
    assert "nobody_has" in error.text and "nobody_has" in error.source_line
    assert (source / "one.c").read_text().splitlines()[error.line - 1] == error.source_line
    assert error.source_line[error.column - 1 :].startswith("nobody_has")


def test_a_file_that_is_named_and_not_there(source: Path, kernel: Kernel) -> None:
    (source / "Makefile").write_text("obj-m := one.o missing.o\n")
    built = build(source, kernel=kernel)
    assert not built.ok
    assert "missing.o" in said(built)
    assert "No rule to make target" in said(built)


def test_a_makefile_with_a_mistake(source: Path, kernel: Kernel) -> None:
    (source / "Makefile").write_text("obj-m := one.o\nthis is no makefile\n")
    built = build(source, kernel=kernel)
    assert not built.ok
    (item,) = built.errors
    assert (item.path, item.line, item.text) == (source / "Makefile", 2, "missing separator")


def test_no_module_comes_of_it(source: Path, kernel: Kernel) -> None:
    (source / "Makefile").write_text("obj-m-if-only := one.o\n")
    built = build(source, kernel=kernel)
    assert built.ok
    assert built.modules == ()


def test_what_cannot_be_built(source: Path, kernel: Kernel, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="headers"):
        build(source, kernel=replace(kernel, build=None))
    with pytest.raises(MissingError, match="compiler"):
        build(source, kernel=replace(kernel, toolchain=None))
    assert kernel.toolchain is not None
    absent = replace(kernel.toolchain, compiler="gcc-99")
    with pytest.raises(MissingError, match="gcc-99") as missing:
        build(source, kernel=replace(kernel, toolchain=absent))
    assert "gcc-99" in missing.value.hint
    with pytest.raises(UsageError, match="for lkm to set"):
        build(source, kernel=kernel, make_words=["M=/tmp"])
    with pytest.raises(UsageError, match="KEY=value"):
        build(source, kernel=kernel, make_words=["modules"])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadInputError, match="looked for Kbuild and Makefile"):
        build(empty, kernel=kernel)


def test_a_cache_where_kbuild_cannot_work(
    source: Path, kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "my cache"))
    with pytest.raises(BadInputError, match="space"):
        build(source, kernel=kernel)


def test_a_cache_that_cannot_be_written(
    source: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", "/proc/nowhere")
    with pytest.raises(MissingError, match="cannot write"):
        build(source, kernel=kernel)


def test_out_of_time_and_then_again(tmp_path: Path, kernel: Kernel) -> None:
    files = {
        "one.c": module(),
        "Makefile": "obj-m := one.o\n$(obj)/one.o: $(obj)/slow\n$(obj)/slow:\n\tsleep 60\n",
    }
    source = write(tmp_path / "one", files)
    with pytest.raises(OutOfTimeError):
        build(source, kernel=kernel, timeout=2)
    (source / "Makefile").write_text("obj-m := one.o\n")
    assert names(build(source, kernel=kernel)) == ["one.ko"]


# Several at once, and sudden ends


def test_many_at_once(source: Path, kernel: Kernel) -> None:
    found: list[Built] = []
    threads = [threading.Thread(target=lambda: found.append(build(source, kernel=kernel))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(built.how for built in found) == ["kbuild", "nothing", "nothing", "nothing"]
    assert len({built.modules[0].read_bytes() for built in found}) == 1


def test_a_killed_build_leaves_nothing_wrong(source: Path, kernel: Kernel) -> None:
    good = build(source, kernel=kernel).modules[0].read_bytes()
    code = (
        "import pickle,sys; from lkm.kbuild import build;"
        "build(sys.argv[1], kernel=pickle.loads(bytes.fromhex(sys.argv[2])))"
    )
    import pickle

    for delay in (0.15, 0.3, 0.6, 1.0):
        (source / "one.c").write_text(module("2222"))
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(source), pickle.dumps(kernel).hex()], start_new_session=True
        )
        time.sleep(delay)
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()
        (source / "one.c").write_text(module())
        built = build(source, kernel=kernel)
        assert built.ok, built.log
        assert built.modules[0].read_bytes() == good


# What is told


def test_debug_information_names_the_real_source(source: Path, kernel: Kernel) -> None:
    built = build(source, kernel=kernel)
    data = built.modules[0].read_bytes()
    assert str(source).encode() in data
    assert str(built.output).encode() not in data
    assert b"/usr/src/linux-headers-" in data
    assert str(kernel.build).encode() not in data
    if (readelf := process.find_program("readelf")) is not None:
        dwarf = process.run([readelf, "--debug-dump=info", built.modules[0]]).stdout
        assert f"{source}/one.c" in dwarf


def test_compile_commands(source: Path, kernel: Kernel) -> None:
    built = build(source, kernel=kernel, compile_commands=True)
    (entry,) = json.loads((built.output / "compile_commands.json").read_text())
    assert entry["file"] == str(source / "one.c")
    assert entry["arguments"][-1] == entry["file"]
    assert entry["output"] == str(built.output / "one.o")
    assert (source / "compile_commands.json").read_text() == (
        built.output / "compile_commands.json"
    ).read_text()
    syntax = [*entry["arguments"], "-fsyntax-only"]
    syntax[syntax.index("-o") : syntax.index("-o") + 2] = []
    assert process.run(syntax, cwd=Path(entry["directory"])).status == 0
    assert build(source, kernel=kernel).how is How.NOTHING


def test_lines_come_as_they_are_said(source: Path, kernel: Kernel) -> None:
    lines: list[str] = []
    built = build(source, kernel=kernel, on_line=lines.append)
    assert "".join(f"{line}\n" for line in lines) == built.log
    assert any(line.startswith("  CC [M]") for line in lines)


def test_old_builds_go(source: Path, kernel: Kernel, tmp_path: Path) -> None:
    other = shutil.copytree(source, tmp_path / "other")
    place, others = (build_place(which, kernel, {}) for which in (source, other))
    for which in (source, other):
        build(which, kernel=kernel)
    assert prune_builds() == 0
    shutil.rmtree(other)
    assert prune_builds() == 0
    for path in (others, others / "record.json"):
        os.utime(path, (time.time() - 2 * 86400,) * 2)
    assert prune_builds() > 100_000
    assert not others.exists()
    for path in (place, place / "record.json"):
        os.utime(path, (0, 0))
    assert prune_builds() > 100_000
    assert not place.exists()


def test_remove_builds(source: Path, kernel: Kernel) -> None:
    built = build(source, kernel=kernel)
    assert remove_builds() > 100_000
    assert not built.modules[0].exists()
    assert remove_builds() == 0
    assert build(source, kernel=kernel).how is How.KBUILD
