# SPDX-License-Identifier: MIT
"""Finding modules and the order to load them in, on small directories made to order."""

import gzip
from pathlib import Path

import pytest
from elf_builder import build_module

from lkm.errors import BadInputError
from lkm.modtree import built_in_modules, find_module, load_order


def add(root: Path, place: str, *, depends: str = "", softdep: str = "") -> Path:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.partition(".")[0].replace("-", "_")
    information = ["license=GPL", f"depends={depends}", *([f"softdep={softdep}"] if softdep else [])]
    data = build_module(name, information=information)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def tree(tmp_path):
    add(tmp_path, "kernel/a.ko", depends="b-b,c", softdep="pre: soft absent post: after")
    add(tmp_path, "kernel/b-b.ko.gz", depends="c")
    add(tmp_path, "kernel/sub/c.ko")
    add(tmp_path, "kernel/soft.ko", depends="built")
    add(tmp_path, "kernel/after.ko")
    add(tmp_path, "kernel/lost.ko", depends="nowhere")
    add(tmp_path, "kernel/x.ko", depends="y")
    add(tmp_path, "kernel/y.ko", depends="x")
    (tmp_path / "modules.order").write_text(
        "kernel/a.ko\nkernel/b-b.ko\nkernel/sub/c.ko\nkernel/soft.ko\nkernel/after.ko\n"
    )
    (tmp_path / "modules.builtin").write_text("kernel/built.ko\n")
    (tmp_path / "build").symlink_to("/")
    return tmp_path


@pytest.mark.parametrize("with_order", [True, False])
def test_dependencies_come_first(tree, with_order: bool) -> None:
    if not with_order:
        (tree / "modules.order").unlink()
    names = [path.name for path in load_order(tree, ["a"])]
    assert names == ["c.ko", "b-b.ko.gz", "soft.ko", "a.ko", "after.ko"]
    assert [path.name for path in load_order(tree, ["a"], soft=False)] == ["c.ko", "b-b.ko.gz", "a.ko"]


def test_files_are_looked_for_among_each_other_first(tree, tmp_path) -> None:
    mine = add(tmp_path / "mine", "c.ko")
    top = add(tmp_path / "mine", "top.ko", depends="c,built")
    assert load_order(tree, [top, mine]) == [mine, top]
    assert load_order(None, [top, mine, add(tmp_path / "mine", "built.ko")])[-1] == top


def test_find_folds_dashes_and_prefers_updates(tree) -> None:
    assert find_module(tree, "b_b") == find_module(tree, "b-b") == tree / "kernel/b-b.ko.gz"
    assert find_module(tree, "built") is None
    assert built_in_modules(tree) == {"built"}
    assert find_module(tree, "nowhere") is None
    newer = add(tree, "updates/a.ko")
    assert find_module(tree, "a") == newer


def test_what_cannot_be_ordered_is_told(tree) -> None:
    with pytest.raises(BadInputError, match="nowhere, which lost depends on"):
        load_order(tree, ["lost"])
    with pytest.raises(BadInputError, match="x -> y -> x"):
        load_order(tree, ["x"])
    with pytest.raises(BadInputError, match="module zzz is not in"):
        load_order(tree, ["zzz"])
