# SPDX-License-Identifier: MIT
"""Targets of make that name directories and files, in small made-up sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.compile.targets import find_empty, find_near_target, find_option, settle_targets
from lkm.errors import UsageError

MAKEFILE = """\
obj-y += manage.o chip.o
obj-$(CONFIG_IRQ_TIMINGS) += debugfs.o \\
\ttimings.o # by and by
obj-$(CONFIG_OTHER) += my-timings.o
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Sources with kernel/irq/, tools/objtool/ and Documentation/."""
    tree = tmp_path / "src"
    for name in ("kernel/irq", "tools/objtool", "Documentation", "include/linux"):
        (tree / name).mkdir(parents=True)
    (tree / "kernel/Makefile").write_text("obj-y += irq/ fork.o\n")
    (tree / "kernel/irq/Makefile").write_text(MAKEFILE)
    (tree / "tools/objtool/Makefile").touch()
    (tree / "Documentation/Makefile").touch()
    for name in ("fork", "irq/manage", "irq/chip", "irq/timings", "irq/my-timings"):
        (tree / f"kernel/{name}.c").touch()
    return tree


def test_a_directory_is_one_without_its_slash_too(tree: Path, tmp_path: Path) -> None:
    given = ("kernel/irq", "kernel", "kernel/irq//", "kernel/irq/manage.o", "bzImage")
    settled = ("kernel/irq/", "kernel/", "kernel/irq/", "kernel/irq/manage.o", "bzImage")
    assert settle_targets(tree, tmp_path / "o", given) == settled
    others = (
        "tools/objtool",
        "Documentation",
        "include/linux",
        "kernel/irq/gone",
    )  # make says what these are
    assert settle_targets(tree, tmp_path / "o", others) == others


@pytest.mark.parametrize(
    ("target", "near"),
    [
        ("kernel/irqs/", "kernel/irq/"),
        ("kernle/irq/", "kernel/irq/"),
        ("kernel/nothere/", "kernel/"),
        ("x/", ""),
    ],
)
def test_a_directory_that_is_not_there(tree: Path, tmp_path: Path, target: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"^{target}: no such directory in the sources, {tree}") as caught:
        settle_targets(tree, tmp_path / "o", (target,))
    assert caught.value.hint == f"lkm kernel build -O {tmp_path}/o {near}".rstrip()


def test_one_that_make_left_empty_is_not_there(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "o/kernel/irqs").mkdir(parents=True)
    with pytest.raises(UsageError, match="kernel/irqs: no such directory"):
        settle_targets(tree, tmp_path / "o", ("kernel/irqs",))


@pytest.mark.parametrize(
    ("target", "near"),
    [
        ("bzImgae", "bzImage"),
        ("bzimage", "bzImage"),
        ("KCFLAGS", "KCFLAGS=VALUE"),
        ("CONFIG_a2", "CONFIG_a2=VALUE"),
        ("kernel/irq/manage.oo", "kernel/irq/manage.o"),
        ("kernel/irqs/mange.ko", "kernel/irq/manage.ko"),
        ("kernel/irqs", "kernel/irq/"),
        ("kernel/fork.c", "kernel/fork.o"),
        ("fork.o", "kernel/fork.o"),
        ("kernel/irq/timings.o", "kernel/irq/timings.o"),
        ("nosuchfile.o", ""),
        ("drivers/x/y.o", ""),
    ],
)
def test_what_was_meant(tree: Path, target: str, near: str) -> None:
    assert find_near_target(tree, target) == near


def test_the_option_that_builds_a_file(tree: Path) -> None:
    assert find_option(tree, "kernel/irq/timings.o") == "IRQ_TIMINGS"
    assert find_option(tree, "kernel/irq/my-timings.o") == "OTHER"
    assert find_option(tree, "kernel/irq/chip.o") == "" and find_option(tree, "gone/x.o") == ""


def test_a_directory_in_which_nothing_was_made(tmp_path: Path) -> None:
    (tmp_path / "drivers/net").mkdir(parents=True)
    (tmp_path / "drivers/net/modules.order").touch()
    (tmp_path / "kernel/irq").mkdir(parents=True)
    (tmp_path / "kernel/irq/manage.o").touch()
    targets = ("drivers/net/", "kernel/", "drivers/gone/", "bzImage")
    assert find_empty(tmp_path, targets) == ["drivers/net/", "drivers/gone/"]
