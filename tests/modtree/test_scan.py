# SPDX-License-Identifier: MIT
"""Facts of one module, however its file is compressed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tree_builder import add_module, module_bytes

from lkm.errors import BadInputError
from lkm.modtree.graph import build_graph
from lkm.modtree.scan import read_import_order
from lkm.modtree.tree import read_tree

# As big as real ones are: very small files are read in another way.
LONG = ["description=" + "long " * 400]


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_the_order_of_imports_is_the_symbol_tables(tmp_path: Path, suffix: str) -> None:
    path = add_module(
        tmp_path, f"own.ko{suffix}", module_bytes("own", imports=["two", "one", "three"], information=LONG)
    )
    assert list(read_import_order(str(path))) == [b"two", b"one", b"three"]


@pytest.mark.parametrize("suffix", ["", ".xz"])
def test_several_needs_are_put_in_order(tmp_path: Path, suffix: str) -> None:
    """With symbol versions the order of what is needed is looked up in the file, which may be compressed."""
    for name in ("one", "two"):
        add_module(tmp_path, f"{name}.ko{suffix}", module_bytes(name, exports=[f"{name}_symbol"]))
    user = module_bytes("user", imports=["two_symbol", "one_symbol"], information=LONG)
    add_module(tmp_path, f"user.ko{suffix}", user)
    tree, _ = read_tree(tmp_path)
    graph = build_graph(tree)
    names = [entry.name for entry in tree.entries]
    assert sorted(names[need] for need in graph.needs(names.index("user"))) == ["one", "two"]


def test_a_file_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"gone\.ko"):
        list(read_import_order(str(tmp_path / "gone.ko")))
