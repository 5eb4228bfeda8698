# SPDX-License-Identifier: MIT
"""The fast path makes the bytes, and tells the diagnostics, that a clean Kbuild does: edit by edit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lkm.kbuild import Built, How, build
from lkm.kernel import Kernel

PROVIDER = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include "shared.h"

static int base = 1;
module_param(base, int, 0444);

int provider_value(int add)
{
	return base + add + SHARED;
}
EXPORT_SYMBOL_GPL(provider_value);

MODULE_DESCRIPTION("exports a function");
MODULE_LICENSE("GPL");
"""
USER = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include "shared.h"

static int step = 2;
module_param(step, int, 0644);

static int __init user_init(void)
{
	pr_info("user: %d\\n", provider_value(step));
	return 0;
}
module_init(user_init);

static void __exit user_exit(void)
{
	pr_info("user: gone\\n");
}
module_exit(user_exit);

MODULE_DESCRIPTION("uses another module's function");
MODULE_LICENSE("GPL");
"""
PAIR_MAIN = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include "shared.h"

static int __init pair_init(void)
{
	return pair_part(3) == 3 + SHARED ? 0 : -EINVAL;
}
module_init(pair_init);

MODULE_DESCRIPTION("made of two files");
MODULE_LICENSE("GPL");
"""
PAIR_PART = """\
// SPDX-License-Identifier: GPL-2.0
#include <linux/kernel.h>
#include "shared.h"

int pair_part(int value)
{
	return value + SHARED;
}
"""
SHARED = """\
/* SPDX-License-Identifier: GPL-2.0 */
#define SHARED 4
int provider_value(int add);
int pair_part(int value);
"""
FILES = {
    "provider.c": PROVIDER,
    "user.c": USER,
    "pair_main.c": PAIR_MAIN,
    "pair_part.c": PAIR_PART,
    "shared.h": SHARED,
    "Makefile": "obj-m := user.o provider.o pair.o\npair-y := pair_main.o pair_part.o\n",
}


@dataclass(frozen=True)
class Edit:
    """One change of a file, and how it should be built; `ok`: whether it builds."""

    name: str
    file: str
    old: str
    new: str
    how: How | None = How.FAST
    ok: bool = True
    says: str = ""
    more: tuple[tuple[str, str, str], ...] = field(default=())


EDITS = [
    Edit("body", "user.c", '"user: %d\\n"', '"user: value %d\\n"'),
    Edit("comment only", "user.c", "#include <linux/module.h>", "/* a comment */\n#include <linux/module.h>"),
    Edit(
        "new static function",
        "user.c",
        "static int __init",
        "static noinline int twice(int i)\n{\n\treturn 2 * i;\n}\n\nstatic int __init",
        more=(("user.c", "provider_value(step)", "provider_value(twice(step))"),),
    ),
    Edit(
        "new include of a kernel header",
        "user.c",
        '#include "shared.h"',
        '#include <linux/seq_file.h>\n#include "shared.h"',
    ),
    Edit("new undefined symbol of the kernel", "user.c", "return 0;", "ktime_get();\n\treturn 0;"),
    Edit(
        "undefined symbol of nobody",
        "user.c",
        "return 0;",
        "extern int nobodys(void);\n\treturn nobodys();",
        how=How.KBUILD,
        ok=False,
        says="nobodys",
    ),
    Edit("changed parameter", "user.c", "module_param(step, int, 0644)", "module_param(step, int, 0444)"),
    Edit(
        "new parameter",
        "user.c",
        "static int __init",
        "static bool loud;\nmodule_param(loud, bool, 0);\nstatic int __init",
    ),
    Edit("licence", "pair_main.c", 'MODULE_LICENSE("GPL")', 'MODULE_LICENSE("Dual MIT/GPL")'),
    Edit(
        "licence that may not use the symbol",
        "user.c",
        'MODULE_LICENSE("GPL")',
        'MODULE_LICENSE("Proprietary")',
        how=How.KBUILD,
        ok=False,
        says="GPL-incompatible",
    ),
    Edit(
        "no licence", "user.c", 'MODULE_LICENSE("GPL");', "", how=How.KBUILD, ok=False, says="MODULE_LICENSE"
    ),
    Edit("body of who exports", "provider.c", "base + add", "base - add"),
    Edit("changed header", "shared.h", "#define SHARED 4", "#define SHARED 5"),
    Edit(
        "changed prototype",
        "shared.h",
        "provider_value(int add)",
        "provider_value(long add)",
        how=None,  # the fast path only where symbols have no versions: they change
        more=(("provider.c", "provider_value(int add)", "provider_value(long add)"),),
    ),
    Edit(
        "new export",
        "pair_part.c",
        "int pair_part(",
        "int other(void);\nint other(void)\n{\n\treturn 0;\n}\nEXPORT_SYMBOL(other);\nint pair_part(",
        how=None,
    ),
    Edit(
        "export that the other uses is gone",
        "provider.c",
        "EXPORT_SYMBOL_GPL(provider_value);",
        "",
        how=How.KBUILD,
        ok=False,
        says="provider_value",
    ),
    Edit(
        "static export",
        "provider.c",
        "int base = 1;",
        "int base = 1;\nint one(void);\nstatic int other(void)\n{\n\treturn 1;\n}\nEXPORT_SYMBOL(other);",
        how=How.KBUILD,
        ok=False,
        says="other",
    ),
    Edit("part of two files", "pair_part.c", "value + SHARED", "SHARED + 1 + value"),
    Edit(
        "warning",
        "user.c",
        "static int __init",
        "static int unused_here(void)\n{\n\treturn 1;\n}\n\nstatic int __init",
        says="unused_here",
    ),
    Edit(
        "section mismatch",
        "user.c",
        "static void __exit user_exit(void)\n{",
        "static noinline int __init early(void)\n{\n\treturn provider_value(0);\n}\n"
        "int late(void);\nint late(void)\n{\n\treturn early();\n}\n"
        "static void __exit user_exit(void)\n{",
        says="section mismatch",
    ),
    Edit("error", "user.c", "return 0;", "return zero;", ok=False, says="zero"),
    Edit("error in who exports", "provider.c", "base + add", "nothing + add", ok=False, says="nothing"),
    Edit("error in a header", "shared.h", "#define", "syntax error\n#define", ok=False, says="syntax"),
]


QUICK = {
    "body",
    "new undefined symbol of the kernel",
    "changed header",
    "part of two files",
    "body of who exports",
}
CASES = [
    pytest.param(series, edit, id=f"{series}-{re.sub(r'[^a-z]+', '-', edit.name)}", marks=marks)
    for series in ("6.1", "6.12", "7.3")
    for edit in EDITS
    for marks in [[pytest.mark.fetch, *([] if series == "6.1" or edit.name in QUICK else [pytest.mark.slow])]]
]


@dataclass(frozen=True)
class Bench:
    """One source, one kernel, and two caches; what is edited is put back by the next test."""

    source: Path
    kernel: Kernel
    cache: Path
    other: Path

    def build(self, *, clean: bool = False) -> Built:
        """In the first cache as it is, or from nothing in the other one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LKM_CACHE", str(self.other if clean else self.cache))
            return build(self.source, kernel=self.kernel, clean=clean)

    def write(self) -> None:
        """The source as it is before any edit."""
        self.source.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (self.source / name).write_text(text)


@pytest.fixture(scope="module")
def benches(
    tmp_path_factory: pytest.TempPathFactory, kernel_named: Callable[[str], Kernel]
) -> Callable[[str], Bench]:
    made: dict[str, Bench] = {}

    def bench(series: str) -> Bench:
        if series not in made:
            place = tmp_path_factory.mktemp(f"fast-{series}")
            kernel = kernel_named(f"debian:{series}")
            made[series] = Bench(place / "source", kernel, place / "cache", place / "other")
            made[series].write()
            assert made[series].build().how is How.KBUILD
        return made[series]

    return bench


def apply(source: Path, edit: Edit) -> None:
    for name, old, new in ((edit.file, edit.old, edit.new), *edit.more):
        text = (source / name).read_text()
        assert old in text
        (source / name).write_text(text.replace(old, new, 1))


def contents(built: Built) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in built.modules}


@pytest.mark.parametrize(("series", "edit"), CASES)
def test_as_kbuild_does(series: str, edit: Edit, benches: Callable[[str], Bench]) -> None:
    bench = benches(series)
    bench.write()
    assert bench.build().ok
    apply(bench.source, edit)
    fast, clean = bench.build(), bench.build(clean=True)
    assert fast.ok is clean.ok is edit.ok, fast.log
    assert fast.diagnostics == clean.diagnostics
    assert contents(fast) == contents(clean)
    assert [path.name for path in fast.modules] == [path.name for path in clean.modules]
    assert edit.says in " ".join(item.text for item in fast.diagnostics)
    assert edit.how is None or fast.how is edit.how, fast.log
    again = bench.build()
    assert (again.ok, again.diagnostics) == (edit.ok, fast.diagnostics)
    assert again.how is (How.NOTHING if edit.ok else fast.how)
