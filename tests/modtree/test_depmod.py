# SPDX-License-Identifier: MIT
"""depmod: equal to kmod's, incremental equal to full, and whole whatever is killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tree_builder import RELEASE, add_module, module_bytes, modules_dir, writable_copy

from lkm import process
from lkm.cli import run_command
from lkm.errors import BadInputError
from lkm.modtree.depmod import DepmodResult, is_up_to_date, run_depmod
from lkm.modtree.graph import build_graph
from lkm.modtree.index import Index
from lkm.modtree.search import find_changed, read_depmod_config
from lkm.modtree.state import load_state
from lkm.modtree.tree import read_tree
from lkm.modtree.trie import Trie
from lkm.modtree.undefined import find_unmet, read_map_exports, read_symvers_crcs

DEPMOD, MODPROBE = process.find_program("depmod"), process.find_program("modprobe")
needs_kmod = pytest.mark.skipif(
    DEPMOD is None or MODPROBE is None, reason="depmod, modprobe (kmod) are missing"
)
TEXTS = (
    "modules.dep",
    "modules.alias",
    "modules.softdep",
    "modules.symbols",
    "modules.devname",
    "modules.weakdep",
)
INDEXES = (
    "modules.dep.bin", "modules.alias.bin", "modules.symbols.bin", "modules.builtin.bin",
    "modules.builtin.alias.bin",
)  # fmt: skip


def kmod_depmod(root: Path, *words: str, release: str = RELEASE) -> str:
    done = subprocess.run(
        [str(DEPMOD), "-b", str(root), *words, release], capture_output=True, text=True, check=True
    )
    return done.stdout if "-n" in words else done.stderr


def contents(directory: Path) -> dict[str, object]:
    """What each file says: lines of texts in any order where kmod's own is that of a hash table."""
    found: dict[str, object] = {}
    for name in TEXTS:
        path = directory / name
        if path.exists():
            lines = path.read_bytes().splitlines()
            found[name] = sorted(lines) if name == "modules.symbols" else lines
    for name in INDEXES:
        path = directory / name
        if path.exists() and path.stat().st_size:
            found[name] = sorted(Trie(path.read_bytes(), name=str(path)))
    return found


def assert_as_kmod(root: Path, directory: Path, *words: str, **options: object) -> None:
    """Both write into the directory, one after another."""
    for name in (*TEXTS, *INDEXES):
        (directory / name).unlink(missing_ok=True)
    kmod_depmod(root, *words, release=directory.name)
    theirs = contents(directory)
    # Empty where there is no list of built-in modules: kmod writes no index at all.
    run_depmod(directory, **options)  # type: ignore[arg-type]
    ours = contents(directory)
    assert {name: ours[name] for name in theirs} == theirs


@needs_kmod
@pytest.mark.fetch
@pytest.mark.parametrize("name", ["debian:6.1", "debian:7.3"])
def test_a_distribution_kernel_comes_out_as_kmod_has_it(kernel_named, tmp_path: Path, name: str) -> None:
    real = kernel_named(name).modules
    directory = writable_copy(real, tmp_path)
    assert_as_kmod(tmp_path, directory)
    names = [entry.name for entry in read_tree(directory)[0].entries]
    assert len(names) > 900
    words = [str(MODPROBE), "-d", str(tmp_path), "-S", real.name, "-a", "-D", "-C", "/dev/null", *names]
    ours = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    kmod_depmod(tmp_path, release=real.name)
    theirs = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert ours == theirs
    assert ours.count("insmod") > 1000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """base <- middle <- top, and others, compressed in every way."""
    directory = modules_dir(tmp_path)
    add_module(directory, "kernel/base.ko", module_bytes("base", exports=["b_one", "b_two"]))
    add_module(
        directory,
        "kernel/sub/middle.ko.xz",
        module_bytes(
            "middle", exports=["m_one"], imports=["b_one", "printk"], aliases=["mid-dle", "x[a-z]-y"]
        ),
    )
    add_module(
        directory,
        "kernel/top-one.ko.gz" if b"-ZLIB" not in subprocess.run(
            [str(DEPMOD or "true"), "--version"], capture_output=True, check=False
        ).stdout else "kernel/top-one.ko",
        module_bytes(
            "top_one",
            imports=["m_one", "b_two"],
            aliases=["char-major-10-200", "devname:net/top", "broken[a", "pci:v00001d*"],
            information=["softdep=pre: base post: other", "weakdep=middle"],
        ),
    )  # fmt: skip
    add_module(directory, "kernel/other.ko.zst", module_bytes("other", imports=["printk"]))
    (directory / "modules.order").write_text(
        "kernel/top-one.ko\nkernel/sub/middle.ko\nkernel/base.ko\nkernel/other.ko\n"
    )
    (directory / "modules.builtin").write_text("kernel/built-in.ko\n")
    (directory / "modules.builtin.modinfo").write_bytes(b"built_in.license=GPL\0built_in.alias=in-side\0")
    return directory


@needs_kmod
def test_compressed_aliases_devnames_and_soft_dependencies(tree: Path, tmp_path: Path) -> None:
    assert_as_kmod(tmp_path, tree)
    assert "char-major" in (tree / "modules.alias").read_text()
    assert (tree / "modules.devname").read_text().endswith("top_one net/top c10:200\n")
    assert "top_one: pre" not in (tree / "modules.softdep").read_text()
    assert "weakdep top_one middle" in (tree / "modules.weakdep").read_text()


@needs_kmod
@pytest.mark.parametrize("versions", [True, False])
@pytest.mark.parametrize(("bits", "little"), [(32, True), (32, False), (64, False), (64, True)])
def test_every_elf_form_with_and_without_versions(
    tmp_path: Path, bits: int, little: bool, versions: bool
) -> None:
    directory = modules_dir(tmp_path)
    form = {"bits": bits, "little": little, "versions": versions}
    add_module(directory, "kernel/a.ko", module_bytes("a", exports=["a1", "a2"], **form))
    add_module(directory, "kernel/b.ko", module_bytes("b", exports=["b1"], imports=["a2"], **form))
    add_module(directory, "kernel/c.ko", module_bytes("c", imports=["b1", "a1"], **form))
    (directory / "modules.order").write_text("kernel/a.ko\nkernel/b.ko\nkernel/c.ko\n")
    assert_as_kmod(tmp_path, directory)
    assert "kernel/c.ko: kernel/b.ko kernel/a.ko" in (directory / "modules.dep").read_text()


ALL_PLACES = ("extra", "updates/deep", "weak-updates")


@needs_kmod
@pytest.mark.parametrize(
    ("rules", "places"),
    [
        ("", ALL_PLACES),
        ("search extra updates built-in\n", ALL_PLACES),
        # Of several that are equal kmod takes the one that the file system names first: none are equal here.
        ("search built-in updates\n", ("updates/deep",)),
        ("override base * weak-updates\n", ALL_PLACES),
        ("override base ^6\\.1 extra\n# a comment\n", ALL_PLACES),
        ("override base ^5 extra\n", ALL_PLACES),
        ("exclude extra\nexclude updates\n", ("extra", "updates/deep")),
        ("search \\\n  extra built-in\n", ALL_PLACES),
        ("nonsense here\nsearch extra\n", ALL_PLACES),
    ],
)
def test_which_of_several_wins(tree: Path, tmp_path: Path, rules: str, places: tuple[str, ...]) -> None:
    for place in places:
        add_module(tree, f"{place}/base.ko", module_bytes("base", exports=["b_one", "b_two"]))
    (tmp_path / "depmod.d").mkdir()
    (tmp_path / "depmod.d/rules.conf").write_text(rules)
    (tmp_path / "depmod.d/ignored.txt").write_text("search nowhere\n")
    config = tmp_path / "depmod.d"
    assert_as_kmod(tmp_path, tree, "-C", str(config), config_paths=[config])


@needs_kmod
def test_external_directories(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    add_module(outside, "base.ko", module_bytes("base", exports=["b_one", "b_two"]))
    add_module(outside, "new.ko", module_bytes("new", imports=["b_one"]))
    config = tmp_path / "e.conf"
    for order in ("search external built-in\n", "search built-in external\n"):
        config.write_text(f"{order}external * {outside}\n")
        assert_as_kmod(tmp_path, tree, "-C", str(config), config_paths=[config])
    config.write_text(f"external * {tmp_path / 'nowhere'}\n")
    run_depmod(tree, config_paths=[config])


@needs_kmod
def test_symbolic_links(tree: Path, tmp_path: Path) -> None:
    elsewhere = add_module(tmp_path, "elsewhere/linked.ko", module_bytes("linked", imports=["m_one"]))
    (tree / "weak").mkdir()
    (tree / "weak/linked.ko").symlink_to(elsewhere)
    (tree / "weak/nowhere.ko").symlink_to(tmp_path / "none")
    (tree / "build").symlink_to(tmp_path)
    assert_as_kmod(tmp_path, tree)
    assert "weak/linked.ko: kernel/sub/middle.ko.xz kernel/base.ko" in (tree / "modules.dep").read_text()


@needs_kmod
def test_only_the_files_that_are_named(tree: Path, tmp_path: Path) -> None:
    outside = add_module(tmp_path, "elsewhere/far.ko", module_bytes("far", imports=["b_one"]))
    files = [tree / "kernel/base.ko", tree / "kernel/sub/middle.ko.xz", outside]
    (tmp_path / "conf").write_text("exclude base.ko\n")
    kmod_files(tmp_path, *map(str, files))
    theirs = contents(tree)
    assert run_command(["depmod", "-b", str(tmp_path), RELEASE, *map(str, files)]) == 0
    ours = contents(tree)
    assert {name: ours[name] for name in theirs} == theirs
    assert (tree / "modules.dep").read_text().count("\n") == 3
    # A run for all afterwards knows that the files are not those of a run for all.
    assert run_command(["depmod", "-b", str(tmp_path), RELEASE]) == 0
    assert "other.ko" in (tree / "modules.dep").read_text()


def kmod_files(root: Path, *words: str) -> None:
    subprocess.run([str(DEPMOD), "-b", str(root), RELEASE, *words], check=True)


@pytest.mark.parametrize("words", [["kernel/base.ko"], [RELEASE, "base.ko"], [RELEASE, "/nowhere/base.ko"]])
def test_files_that_cannot_be_looked_at(tree: Path, tmp_path: Path, words: list[str]) -> None:
    assert run_command(["depmod", "-b", str(tmp_path), *words]) in {1, 2}
    assert not (tree / "modules.dep").exists()


@needs_kmod
@pytest.mark.parametrize("versions", [True, False])
def test_a_prefix_of_all_symbols(tmp_path: Path, versions: bool) -> None:
    directory = modules_dir(tmp_path)
    for name, exports, imports in (
        ("one", ["_a", "b"], []), ("two", ["_c"], ["_a", "_b"]), ("three", [], ["c", "_c", "__a", "a"]),
        ("four", ["_d"], []), ("five", [], ["_d", "_a", "_c"]), ("six", [], ["_b"]),
    ):  # fmt: skip
        data = module_bytes(name, exports=exports, imports=imports, versions=versions)
        add_module(directory, f"kernel/{name}.ko", data)
    order = [f"kernel/{name}.ko\n" for name in ("one", "two", "three", "four", "five", "six")]
    (directory / "modules.order").write_text("".join(order))
    kmod_depmod(tmp_path, "-P", "_")
    theirs = contents(directory)
    assert run_command(["depmod", "-b", str(tmp_path), "-P", "_", RELEASE]) == 0
    ours = contents(directory)
    assert {name: ours[name] for name in theirs} == theirs
    kmod_depmod(tmp_path)
    assert contents(directory)["modules.dep"] != theirs["modules.dep"]


@needs_kmod
def test_undefined_symbols_are_reported_as_kmod_does(tree: Path, tmp_path: Path) -> None:
    add_module(tree, "kernel/lost.ko", module_bytes("lost", imports=["nowhere_at_all", "b_one"]))
    symvers, system_map = tmp_path / "Module.symvers", tmp_path / "System.map"
    symvers.write_text(
        "0x00001234\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n0x00009999\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x00001234\tb_one\tkernel/base\tEXPORT_SYMBOL\t\n"
    )
    system_map.write_text("c0 R __ksymtab_printk\nc1 T printk\nc2 r __ksymtab_module_layout\n")

    def said(text: str) -> set[str]:
        return {line.partition("WARNING: ")[2] for line in text.splitlines() if " symbol " in line}

    graph = build_graph(read_tree(tree)[0])
    theirs = said(kmod_depmod(tmp_path, "-e", "-F", str(system_map)))
    assert {str(one) for one in find_unmet(graph, read_map_exports(system_map), versions=False)} == theirs
    assert any("nowhere_at_all" in line for line in theirs)
    theirs = said(kmod_depmod(tmp_path, "-e", "-E", str(symvers)))
    assert {str(one) for one in find_unmet(graph, read_symvers_crcs(symvers), versions=True)} == theirs
    assert any("disagrees" in line for line in theirs)


def test_circles_are_refused_and_the_old_files_stay(tree: Path) -> None:
    run_depmod(tree)
    before = contents(tree)
    add_module(tree, "kernel/r1.ko", module_bytes("r1", exports=["r_1"], imports=["r_2"]))
    add_module(tree, "kernel/r2.ko", module_bytes("r2", exports=["r_2"], imports=["r_1"]))
    with pytest.raises(BadInputError, match="r1 -> r2 -> r1"):
        run_depmod(tree)
    assert contents(tree) == before


def test_a_damaged_module_does_not_keep_the_others_from_being_listed(tree: Path) -> None:
    (tree / "kernel/bad.ko").write_bytes(b"\x7fELF garbage")
    result = run_depmod(tree)
    assert [error.message for error in result.problems] and "bad.ko" in result.problems[0].message
    assert "kernel/bad.ko:\n" in (tree / "modules.dep").read_text()


def test_quick_looks_at_times(tree: Path) -> None:
    assert not is_up_to_date(tree)
    run_depmod(tree)
    assert is_up_to_date(tree)
    os.utime(tree / "kernel/base.ko", (time.time() + 100, time.time() + 100))
    assert not is_up_to_date(tree)


def assert_equal_to_full(directory: Path, tmp_path: Path, name: str) -> None:
    ours = contents(directory)
    whole = tmp_path / f"full-{name}"
    run_depmod(directory, output=whole, full=True)
    assert contents(whole) == ours


def test_nothing_changed_reads_and_writes_nothing(tree: Path, tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    first = run_depmod(tree, index=index)
    assert first.read == first.modules == 4 and first.written
    again = run_depmod(tree, index=index)
    assert (again.read, again.written) == (0, ())
    os.utime(tree / "kernel/base.ko", (1, 1))
    touched = run_depmod(tree, index=index)
    assert (touched.read, touched.written) == (1, ())


def test_only_what_changed_is_read_and_written(tree: Path, tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    run_depmod(tree, index=index)
    add_module(tree, "kernel/other.ko.zst", module_bytes("other", imports=["printk"], aliases=["brand-new"]))
    result = run_depmod(tree, index=index)
    assert (result.read, set(result.written)) == (
        1,
        {"modules.alias", "modules.alias.bin"},
    )
    assert_equal_to_full(tree, tmp_path, "alias")
    add_module(tree, "kernel/other.ko.zst", module_bytes("other", imports=["b_two"], aliases=["brand-new"]))
    result = run_depmod(tree, index=index)
    assert (result.read, set(result.written)) == (1, {"modules.dep", "modules.dep.bin"})
    assert_equal_to_full(tree, tmp_path, "dep")
    # What another module exports is gone: the modules that used it are looked at, but not read.
    add_module(tree, "kernel/base.ko", module_bytes("base", exports=["b_one"]))
    result = run_depmod(tree, index=index)
    assert result.read == 1
    assert "modules.symbols.bin" in result.written and "modules.dep" in result.written
    assert_equal_to_full(tree, tmp_path, "symbols")


def test_what_comes_and_goes_is_seen_where_directories_are_not_read_again(tree: Path, tmp_path: Path) -> None:
    """Directories that were not changed for long are only asked for their time."""
    index = Index(tmp_path / "index.sqlite")
    link = tree / "kernel/linked.ko"
    link.symlink_to("base.ko")
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: add_module(tree, "kernel/sub/added.ko", module_bytes("added", imports=["b_one"])),
        (tree / "kernel/sub/added.ko").unlink,
        lambda: add_module(tree, "updates/base.ko", module_bytes("base", exports=["b_one", "b_new"])),
        lambda: (tree / "updates/base.ko").rename(tree / "extra.ko"),
        (tree / "extra.ko").unlink,
        lambda: add_module(tree, "kernel/sub/middle.ko.xz", module_bytes("middle", exports=["m_other"])),
        link.unlink,
        link.mkdir,
        lambda: (tree / "kernel/sub").rename(tree / "kernel/suburb"),
    ]
    for number, change in enumerate(changes):
        change()
        run_depmod(tree, index=index)
        assert_equal_to_full(tree, tmp_path, str(number))
        for place in [tree, *(path for path in tree.rglob("*") if path.is_dir())]:
            os.utime(place, (1_000_000_000 + number, 1_000_000_000 + number))
        for _ in range(2):
            run_depmod(tree, index=index)
        state = load_state(index, f"{tree.resolve()}\0{tree.resolve()}", tree)
        assert state is not None
        twice = (tree / "updates/base.ko").exists()
        if twice:  # which of two counts is decided anew each time
            assert state.tree.walked is None
        else:
            assert state.tree.walked is not None
            assert find_changed(tree, state.config, state.tree.walked, state.tree.entries) == []


def test_files_that_others_changed_are_written_again(tree: Path, tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite")
    run_depmod(tree, index=index)
    (tree / "modules.alias").write_text("gone\n")
    assert run_depmod(tree, index=index).written
    assert_equal_to_full(tree, tmp_path, "others")
    (tree / "modules.order").write_text("kernel/base.ko\n")
    run_depmod(tree, index=index)
    assert_equal_to_full(tree, tmp_path, "order")


def random_module(dice: random.Random, number: int) -> bytes:
    return module_bytes(
        f"m{number}",
        exports=[f"s{number}_{i}" for i in range(dice.randrange(4))],
        # Only from lower numbers, so that there is no circle.
        imports=[f"s{dice.randrange(number)}_{dice.randrange(4)}" for _ in range(dice.randrange(4))]
        if number
        else [],
        aliases=[f"al-{dice.randrange(6)}{'*' * dice.randrange(2)}" for _ in range(dice.randrange(4))],
        information=[f"softdep=pre: m{dice.randrange(9)}"] if dice.randrange(3) == 0 else [],
    )


@pytest.mark.parametrize("seed", range(6))
def test_any_series_of_changes_ends_as_a_full_run_would(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    directory = modules_dir(tmp_path)
    index = Index(tmp_path / "index.sqlite")
    for number in range(9):
        add_module(directory, f"kernel/m{number}.ko", random_module(dice, number))
    (directory / "modules.order").write_text("".join(f"kernel/m{dice.randrange(9)}.ko\n" for _ in range(7)))
    (directory / "modules.builtin").write_text("")
    for step in range(14):
        for _ in range(dice.choice([0, 1, 1, 1, 2])):
            number = dice.randrange(10)
            path = directory / f"kernel/m{number}.ko"
            if dice.randrange(6) == 0:
                path.unlink(missing_ok=True)
            else:
                add_module(directory, f"kernel/m{number}.ko", random_module(dice, number))
                os.utime(path, ns=(step + 1, step + 1))
        if dice.randrange(5) == 0:
            add_module(directory, "updates/m3.ko", random_module(dice, 3))
        run_depmod(directory, index=index)
        assert_equal_to_full(directory, tmp_path, f"{step}")


WRITER = """
import sys
from pathlib import Path
from lkm.modtree.depmod import run_depmod
print("go", flush=True)
while True:
    run_depmod(Path(sys.argv[1]), full=True, config_paths=[Path(sys.argv[2])])
    run_depmod(Path(sys.argv[1]), full=True, config_paths=[Path(sys.argv[3])])
"""


def test_a_kill_leaves_one_set_whole(tree: Path, tmp_path: Path) -> None:
    """Two sets are written by turns; killed at any moment, what lies there is one of the two."""
    add_module(
        tree, "extra/base.ko", module_bytes("base", exports=["b_one", "b_two"], aliases=["other-base"])
    )
    configs = []
    for rule in ("search extra built-in\n", "search built-in extra\n"):
        configs.append(tmp_path / f"{len(configs)}.conf")
        configs[-1].write_text(rule)
    sets = []
    for paths in ([configs[0]], [configs[1]]):
        run_depmod(tree, config_paths=paths)
        sets.append(contents(tree))
    assert sets[0] != sets[1]
    dice = random.Random(1)
    for _ in range(25):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tree), *map(str, configs)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(dice.random() * 0.05)
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        run_lock(tree)
        assert contents(tree) in sets
    run_depmod(tree)
    assert not [path for path in tree.iterdir() if path.name.startswith(".modules")]


def run_lock(directory: Path) -> None:
    """Waits for a renaming that goes on by itself."""
    import fcntl

    fd = os.open(directory, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.close(fd)


def test_result_and_release(tree: Path) -> None:
    result = run_depmod(tree)
    assert isinstance(result, DepmodResult)
    assert read_depmod_config("6.1", []).search == ("updates",)


def test_the_command(tree: Path, tmp_path: Path) -> None:
    def lkm(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lkm", "depmod", "-b", str(tmp_path), *words, RELEASE],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LKM_CACHE": str(tmp_path / "cache")},
        )

    shown = lkm("-n")
    assert shown.stdout.startswith("kernel/top-one.ko") and not (tree / "modules.dep").exists()
    if DEPMOD is not None:
        assert set(kmod_depmod(tmp_path, "-n").splitlines()) <= set(shown.stdout.splitlines())
    assert lkm().returncode == 0 and (tree / "modules.dep").exists()
    assert lkm("-o", str(tmp_path / "out")).returncode == 0
    assert contents(tmp_path / "out/lib/modules" / RELEASE) == contents(tree)
    assert '"read": 0' in lkm("--json").stdout
    assert lkm("-e").returncode == 2
    assert "no modules directory" in lkm("-m", "nowhere").stderr
