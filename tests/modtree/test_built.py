# SPDX-License-Identifier: MIT
"""The modules of a build directory: `modules.order` tells where they lie, and nothing else does."""

from pathlib import Path

import pytest
from elf_builder import build_module

from lkm.errors import BadInputError
from lkm.modtree import find_module, load_order
from lkm.modtree.built import find_built, is_build, list_built, read_order
from lkm.modtree.index import Index, fresh_tree
from lkm.modtree.lookup import Lookup

# Linux 6.2 and later (o.), 5.3 to 6.1 (.ko), and before that with kernel/ in front.
WRITTEN = {"6.2": "{}.o", "5.3": "{}.ko", "5.2": "kernel/{}.ko"}
ORDER = ("kernel/own", "drivers/pps/pps_core", "drivers/pps/clients/pps-ktimer")


def add(root: Path, place: str, *, depends: str = "") -> Path:
    path = root / f"{place}.ko"
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.stem.replace("-", "_")
    path.write_bytes(
        build_module(name, information=["license=GPL", f"depends={depends}", f"alias=for:{name}"])
    )
    return path


@pytest.fixture(params=WRITTEN)
def build(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    build = tmp_path / "build"
    add(build, "kernel/own")
    add(build, "drivers/pps/pps_core")
    add(build, "drivers/pps/clients/pps-ktimer", depends="pps_core")
    add(build, "net/stale")  # of an earlier configuration
    add(build, "arch/x86/pps_core")
    (build / "include/config").mkdir(parents=True)
    (build / "modules.order").write_text("".join(f"{WRITTEN[request.param].format(one)}\n" for one in ORDER))
    (build / "modules.builtin").write_text("kernel/drivers/net/loopback.ko\n")
    return build


def test_modules_are_found_where_they_lie(build: Path) -> None:
    assert is_build(build)
    assert list_built(build) == [build / f"{one}.ko" for one in ORDER]
    assert find_module(build, "pps_ktimer") == build / "drivers/pps/clients/pps-ktimer.ko"
    assert find_module(build, "pps_core") == build / "drivers/pps/pps_core.ko"
    assert find_module(build, "own") == build / "kernel/own.ko"
    assert find_module(build, "stale") is None


def test_their_dependencies_come_first(build: Path) -> None:
    assert [path.name for path in load_order(build, ["pps-ktimer"])] == ["pps_core.ko", "pps-ktimer.ko"]


def test_names_aliases_and_what_is_built_in(build: Path) -> None:
    lookup = Lookup(build)
    assert [one.path for one in lookup.find("for:pps_ktimer")] == [
        build / "drivers/pps/clients/pps-ktimer.ko"
    ]
    assert lookup.find("for:stale") == []
    assert [one.built_in for one in lookup.find("loopback")] == [True]


def test_the_tree_has_the_order_of_the_build(build: Path, tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    tree, read = fresh_tree(index, build)
    assert [entry.name for entry in tree.entries] == ["own", "pps_core", "pps_ktimer"] and len(read) == 3
    assert fresh_tree(index, build)[1] == []
    add(build, "drivers/pps/pps_core", depends="own")  # built again
    assert [entry.name for entry in fresh_tree(index, build)[1]] == ["pps_core"]
    (build / "modules.order").write_text("kernel/own.o\n")  # configured otherwise
    assert [entry.name for entry in fresh_tree(index, build)[0].entries] == ["own"]


def test_one_that_is_missing_is_told(build: Path) -> None:
    (build / "drivers/pps/pps_core.ko").unlink()
    with pytest.raises(BadInputError, match=r"pps_core\.ko is not there, though .*modules\.order names it"):
        find_built(build, "pps_core")
    with pytest.raises(BadInputError, match="that build broke off"):
        load_order(build, ["pps_ktimer"])
    assert len(list_built(build)) == 2


def test_an_installed_directory_is_none(tmp_path: Path) -> None:
    add(tmp_path, "kernel/a")
    (tmp_path / "modules.order").write_text("kernel/a.ko\n")
    assert not is_build(tmp_path) and read_order(tmp_path) == ["kernel/a.ko"]
    assert find_module(tmp_path, "a") == tmp_path / "kernel/a.ko"
    assert read_order(tmp_path / "nowhere") == [] and not is_build(tmp_path / "nowhere")
