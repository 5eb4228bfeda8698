# SPDX-License-Identifier: MIT
"""What is loaded and unloaded in which order: equal to modprobe's own answer."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from elf_builder import Name, Piece, build_module
from tree_builder import RELEASE, add_module, module_bytes, modules_dir, writable_copy

from lkm import process
from lkm.errors import BadInputError
from lkm.modtree.depmod import run_depmod
from lkm.modtree.deps import direct_edges, find_dependencies
from lkm.modtree.plan import Planner
from lkm.modtree.probe import read_probe_config
from lkm.modtree.tree import add_file, read_tree
from lkm.modtree.unload import parse_loaded, plan_unload
from lkm.show.graph import graph_dot, graph_svg, graph_text

MODPROBE = process.find_program("modprobe")
needs_modprobe = pytest.mark.skipif(MODPROBE is None, reason="modprobe (kmod) is missing")


def modprobe(root: Path, *words: str, release: str = RELEASE, config: str = "/dev/null") -> str:
    argv = [str(MODPROBE), "-d", str(root), "-S", release, "-C", config, "-D", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def planner(directory: Path, config: Path | None = None) -> Planner:
    paths = [config] if config else []
    return Planner(read_tree(directory)[0], read_probe_config(directory, paths))


@needs_modprobe
@pytest.mark.fetch
@pytest.mark.parametrize("name", ["debian:6.1", "debian:7.3"])
def test_every_module_of_a_distribution_kernel_is_planned_as_modprobe_does(
    kernel_named, tmp_path: Path, name: str
) -> None:
    directory = writable_copy(kernel_named(name).modules, tmp_path)
    run_depmod(directory)
    ours = planner(directory)
    names = [entry.name for entry in ours.tree.entries]
    theirs = modprobe(tmp_path, "-a", *names, release=directory.name).splitlines()
    assert len(theirs) > len(names) > 900
    assert [str(step) for name in names for step in ours.plan([name], repeats=True)] == theirs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    directory = modules_dir(tmp_path)
    for name, more in {
        "base": {"exports": ["b1", "b2"], "aliases": ["net-pf-1", "pci:v00001d*"]},
        "middle": {"exports": ["m1"], "imports": ["b1"], "information": ["softdep=pre: soft post: late"]},
        "side": {"exports": ["s1"], "imports": ["b2"], "aliases": ["fs-side"]},
        "top": {
            "imports": ["m1", "s1"],
            "information": ["softdep=pre: fs-side absent symbol:b1", "weakdep=late"],
        },
        "soft": {"imports": ["b1"], "aliases": ["soft-alias"]},
        "late": {"aliases": ["pci:v00001d00002"]},
        "a-dash": {"imports": ["m1"]},
    }.items():
        add_module(directory, f"kernel/{name}.ko", module_bytes(name.replace("-", "_"), **more))  # type: ignore[arg-type]
    (directory / "modules.order").write_text("kernel/top.ko\nkernel/side.ko\nkernel/base.ko\n")
    (directory / "modules.builtin").write_text("kernel/inside.ko\n")
    (directory / "modules.builtin.modinfo").write_bytes(b"inside.alias=in-side\0")
    run_depmod(directory)
    return directory


RULES = [
    "",
    "options base a=1 b=\"x y\"\noptions top\tc=2\noptions base  d=3\n",
    "blacklist base\nblacklist side\n",
    "alias other top\nalias pat* side\nalias fs-side base\n",
    "install soft /bin/echo soft; /sbin/modprobe --ignore-install soft $CMDLINE_OPTS\noptions soft z=1\n",
    "install top /bin/true\n",
    "remove base /bin/false\n",
    "softdep side pre: late post: soft\nsoftdep b* pre: soft\n",
    "options late x=1 \\\n  y=2\n# options late z=3\nnonsense\noptions\n",
    "options net-pf-1 via=alias\n",
    "install command_only /bin/true\n",
    "softdep a-dash post: a_dash top\n",
]  # fmt: skip


@needs_modprobe
@pytest.mark.parametrize("rules", RULES)
def test_modprobe_d_is_read_as_modprobe_reads_it(tree: Path, tmp_path: Path, rules: str) -> None:
    (tmp_path / "zz.conf").write_text(rules)
    ours = planner(tree, tmp_path / "zz.conf")
    for name in (
        "base", "middle", "side", "top", "soft", "late", "a-dash", "a_dash", "other", "pattern", "fs-side",
        "inside", "in-side", "net-pf-1", "pci:v00001d00002", "symbol:b1", "command_only", "soft_alias",
    ):  # fmt: skip
        theirs = modprobe(tmp_path, "-a", name, config=str(tmp_path / "zz.conf")).splitlines()
        try:
            steps = ours.plan([name], repeats=True)
        except BadInputError:
            steps = []
        assert [str(step) for step in steps] == theirs, name


def test_each_module_is_there_once_and_says_why(tree: Path) -> None:
    steps = planner(tree).plan(["top", "middle"])
    names = [step.name for step in steps]
    assert sorted(names) == sorted(set(names))
    assert names.index("base") < names.index("middle") < names.index("top")
    assert names.index("soft") < names.index("middle") < names.index("late")
    why = {step.name: step.why for step in steps}
    assert why["top"] == "asked for"
    assert why["middle"] == "needed by top"
    assert why["soft"] == "soft dependency of middle, before it"


def test_a_file_elsewhere_is_planned_with_what_it_needs(tree: Path, tmp_path: Path) -> None:
    path = add_module(tmp_path, "mine/own-one.ko", module_bytes("own_one", imports=["m1", "printk"]))
    found, name = add_file(read_tree(tree)[0], path)
    steps = Planner(found).plan([name])
    assert [step.name for step in steps] == ["base", "middle", "own_one"]
    assert steps[-1].path == path


def test_a_name_that_is_nowhere_is_told(tree: Path) -> None:
    with pytest.raises(BadInputError, match="no module 'zzz'"):
        planner(tree).plan(["zzz"])


def test_the_command_line_of_a_kernel_gives_options_and_blacklists(tree: Path) -> None:
    config = read_probe_config(
        tree,
        [],
        cmdline='quiet a-dash.x=1 top.text="two words" modprobe.blacklist=late,side root=/dev/sda1 a.b.c=1',
    )
    assert config.options == (("a_dash", "x=1"), ("top", 'text="two words"'))
    assert config.blacklist == {"late", "side"}


def test_dependencies_both_ways(tree: Path) -> None:
    ours = planner(tree)
    top = find_dependencies(ours, "top")
    assert set(top.needs) == {"middle", "side"} and top.all_needs[0] == "base"
    assert top.symbols == {"middle": ("m1",), "side": ("s1",)}
    assert top.before == ("fs-side", "absent", "symbol:b1")
    assert top.weak == ("late",)
    base = find_dependencies(ours, "base")
    assert base.users == ("middle", "side", "soft")
    assert base.all_users == ("a_dash", "middle", "side", "soft", "top")
    assert find_dependencies(ours, "late").soft_users == ("middle",)


def test_graphs_in_three_forms(tree: Path) -> None:
    edges = direct_edges(planner(tree), ["top"])
    assert set(edges) == {"top", "middle", "side", "base"}
    text = graph_text(edges, ["top"])
    assert text[0] == "top" and sum("base" in line for line in text) == 2
    assert '"top" -> "middle";' in graph_dot(edges, ["top"])
    picture = ElementTree.fromstring(graph_svg(edges, ["top"], {"top": ("side",)}))
    assert sum("".join(one.itertext()) == "base" for one in picture) == 1
    circle = {"a": ("b",), "b": ("a",)}
    assert ElementTree.fromstring(graph_svg(circle, ["a"])) is not None
    assert graph_text(circle, ["a"])[-1].endswith("(see above)")


def test_circles_are_told(tree: Path) -> None:
    add_module(tree, "kernel/r1.ko", module_bytes("r1", exports=["r_1"], imports=["r_2", "b1"]))
    add_module(tree, "kernel/r2.ko", module_bytes("r2", exports=["r_2"], imports=["r_1"]))
    found = find_dependencies(planner(tree), "r1")
    assert found.circles == (("r1", "r2", "r1"),)
    assert set(found.all_needs) == {"base", "r2"}
    assert find_dependencies(planner(tree), "top").circles == ()


def test_unloading_goes_the_other_way(tree: Path) -> None:
    # What plan("middle") loads: base, soft, middle, late.
    found = plan_unload(planner(tree), ["middle"])
    assert [(one.name, one.why) for one in found] == [
        ("late", "soft dependency of middle, after it"),
        ("middle", "asked for"),
        ("soft", "soft dependency of middle, before it"),
        ("base", "soft dependency of middle, before it"),
    ]
    found = plan_unload(planner(tree), ["soft"])
    assert [one.name for one in found] == ["soft", "base"]


def loaded(text: str) -> dict:
    return parse_loaded(text)


@pytest.mark.parametrize(
    ("references", "names"), [(0, ["top", "side", "middle", "soft", "base"]), (1, ["top", "side", "middle"])]
)
def test_users_go_first_and_what_is_unused_after(tree: Path, references: int, names: list[str]) -> None:
    now = loaded(
        "top 100 0 - Live 0x0\nmiddle 100 1 top, Live 0x0\nside 100 1 top, Live 0x0\n"
        f"base 100 3 middle,side,soft, Live 0x0\nsoft 100 {references} - Live 0x0\n"
    )
    found = plan_unload(planner(tree), ["middle"], loaded=now)
    assert [one.name for one in found] == names  # base goes with its last user


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "middle 100 2 top, Live 0x0\ntop 100 0 - Live 0x0\n",
            "1 references are held by something that is no module",
        ),
        ("middle 100 0 [permanent], Live 0x0\n", "permanent"),
        ("middle 100 0 - Loading 0x0\n", "its state is Loading"),
        ("top 100 0 - Live 0x0\n", "it is not loaded"),
        ("middle 100 1 top, Live 0x0\ntop 100 5 - Live 0x0\n", "top cannot be unloaded and uses it"),
    ],
)
def test_why_something_cannot_be_unloaded(tree: Path, text: str, reason: str) -> None:
    found = plan_unload(planner(tree), ["middle"], loaded=loaded(text))
    assert reason in next(one for one in found if one.name == "middle").reason


def test_built_in_and_permanent_modules_are_known_from_files(tree: Path) -> None:
    data = build_module(
        "forever", pieces=[Piece(".text", bytes(4), flags=6)], names=[Name("init_module", ".text", type=2)]
    )
    add_module(tree, "kernel/forever.ko", data)
    ours = planner(tree)
    assert "no exit function" in plan_unload(ours, ["forever"])[0].reason
    assert "built into the kernel" in plan_unload(ours, ["inside"])[0].reason


def test_a_line_that_is_none_of_proc_modules_is_told() -> None:
    with pytest.raises(BadInputError, match="line 2"):
        loaded("a 1 0 - Live 0x0\nwhat\n")


def test_the_commands(tree: Path, tmp_path: Path) -> None:
    def lkm(*words: str, status: int = 0) -> str:
        argv = [sys.executable, "-m", "lkm", *words, "-b", str(tmp_path), "-k", RELEASE]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    assert "insmod" in lkm("plan", "top", "--no-config")
    if MODPROBE is not None:
        assert lkm("plan", "--plain", "--no-config", "top") == modprobe(tmp_path, "top")
    assert '"why": "needed by top"' in lkm("plan", "--json", "top")
    assert "rmmod top" in lkm("plan", "--unload", "top")
    assert "cannot be unloaded" in lkm("plan", "--unload", "inside", status=1)
    assert "no module 'zzz'" in lkm("plan", "zzz", status=1)
    assert "base for b1" in lkm("deps", "middle")
    assert "digraph" in lkm("deps", "--graph", "dot", "top")
    lkm("deps", "--graph", "svg", "-o", str(tmp_path / "x.svg"), "top")
    assert ElementTree.parse(tmp_path / "x.svg").getroot().tag.endswith("svg")
    assert '"all_users"' in lkm("deps", "--json", "base")
