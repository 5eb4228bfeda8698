# SPDX-License-Identifier: MIT
"""The lecture's rules for modules, said before the kernel says them: `lkm check`, then a guest."""

from __future__ import annotations

from pathlib import Path

import pytest

import lkm
from lkm.kernel import Kernel

pytestmark = pytest.mark.guest

_USES = """// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/kobject.h>
%s
static struct kobject *own;
static int __init own_init(void) { own = kobject_create_and_add("own", NULL); %s; return 0; }
module_init(own_init);
static void __exit own_exit(void) { kobject_put(own); }
module_exit(own_exit);
MODULE_LICENSE("GPL");
"""


def build_module(directory: Path, kernel: Kernel, *, before: str = "", call: str = "") -> Path:
    directory.mkdir()
    (directory / "own.c").write_text(_USES % (before, call))
    (directory / "Kbuild").write_text("obj-m += own.o\n")
    # modpost would say it first; a module that somebody else built is to be judged here.
    built = lkm.build(directory, kernel=kernel, make_words=["KBUILD_MODPOST_WARN=1"])
    assert built.ok, built.log
    return built.modules[0]


def load(path: Path, kernel: Kernel, *before: Path) -> tuple[int, str]:
    """The errno and the kernel's words."""
    with lkm.Guest(kernel) as guest:
        for other in before:
            assert guest.load(other).ok
        step = guest.load(path)
        return step.errno, guest.log().text


def test_the_licence_is_not_only_informative(kernel: Kernel, tmp_path: Path) -> None:
    """Module Information: it is used to check whether symbols in the kernel may be used."""
    path = build_module(tmp_path / "own", kernel)
    assert lkm.check(path, kernel=kernel).loads
    closed = tmp_path / "own.ko"
    closed.write_bytes(path.read_bytes().replace(b"license=GPL\0", b"license=Own\0"))
    verdict = lkm.check(closed, kernel=kernel)
    assert (verdict.rule, verdict.error) == ("gpl-only", "ENOENT")
    assert "exported to GPL-compatible modules only, and its licence is 'Own'" in verdict.findings[-1].why
    number, said = load(closed, kernel)
    assert number == verdict.errno
    assert verdict.message in said
    assert "licen" not in verdict.message, "the kernel says nothing of the licence"


def test_modules_only_have_access_to_symbols_explicitly_exported(kernel: Kernel, tmp_path: Path) -> None:
    """Kernel Dynamic Linker: no access to a function of the kernel, even if it is not static."""
    path = build_module(
        tmp_path / "own", kernel, before="extern int nr_processes(void);", call="nr_processes()"
    )
    verdict = lkm.check(path, kernel=kernel)
    assert (verdict.rule, verdict.error) == ("not-exported", "ENOENT")
    assert "nr_processes is in this kernel, but not exported" in verdict.findings[-1].why
    number, said = load(path, kernel)
    assert number == verdict.errno
    assert verdict.message in said


def test_a_module_needs_those_it_depends_on_before_it(kernel: Kernel, examples: Path) -> None:
    """Module Dependencies: modules must be inserted in the proper order."""
    greeter, visitor = lkm.build(examples / "exports", kernel=kernel).modules
    alone = lkm.check(visitor, kernel=kernel, loaded=[], beside=[greeter])
    assert (alone.rule, alone.error) == ("not-loaded", "ENOENT")
    assert alone.hint == "load greeter, then visitor"
    assert load(visitor, kernel)[0] == alone.errno
    in_order = lkm.check(visitor, kernel=kernel, beside=[greeter])
    assert in_order.loads
    assert in_order.order == ("greeter",)
    assert load(visitor, kernel, greeter)[0] == 0


def test_the_version_magic_is_the_kernels(kernel: Kernel, tmp_path: Path) -> None:
    """Module Information: vermagic."""
    path = build_module(tmp_path / "own", kernel)
    data = path.read_bytes()
    start = data.index(b"vermagic=") + 9
    magic = data[start : data.index(b"\0", start)]
    other = tmp_path / "other.ko"
    other.write_bytes(data.replace(b"vermagic=" + magic, b"vermagic=" + magic.replace(b"SMP", b"UP ")))
    verdict = lkm.check(other, kernel=kernel)
    assert (verdict.rule, verdict.error) == ("vermagic", "ENOEXEC")
    assert "this kernel has SMP, it was built with UP" in verdict.findings[-1].why
    number, said = load(other, kernel)
    assert number == verdict.errno
    assert verdict.message in said


def test_a_failed_run_says_the_same_as_the_verdict(kernel: Kernel, tmp_path: Path) -> None:
    """Loading a Module: why insmod failed."""
    path = build_module(tmp_path / "own", kernel, before="extern int o_gone(void);", call="o_gone()")
    result = lkm.run([path], kernel=kernel)
    assert not result.ok
    verdict = lkm.check(path, kernel=kernel)
    assert verdict.findings[-1].why in result.hint
    assert verdict.message in "\n".join(record.text for record in result.log)
