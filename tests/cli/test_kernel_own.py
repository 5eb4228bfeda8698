# SPDX-License-Identifier: MIT
"""Own kernels and kernel sources in `lkm kernel list | show | remove`; each is a small made-up directory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import pytest
from command_line import Command
from own_maker import RELEASE, make_build, make_sources

from lkm.cli import kernel_own, run_command
from lkm.errors import BadInputError
from lkm.guest.identity import find_image
from lkm.kernel import find_kernel
from lkm.kernel.own import LOCK_NAME, find_own, own_dir, register_own
from lkm.paths import locked


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    for name in ("HOME", "XDG_CONFIG_HOME", "LKM_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("LKM_KERNEL", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path / "lkm_cache"


@pytest.fixture
def sources(cache: Path) -> Path:
    """Sources in the cache."""
    return make_sources()


def test_own_kernels_and_sources_are_listed(command: Command, sources: Path, tmp_path: Path) -> None:
    make_build(own_dir() / "6.12.9-guest", sources)
    register_own("mine", make_build(tmp_path / "mine", sources, image=False, seconds=None))
    out, err = command("list")
    assert "hint: lkm kernel build own:mine goes on with it\n" in err and "running kernel" not in err
    guest, mine, tree = out.splitlines()
    assert guest.split()[0] == "own:6.12.9-guest" and "KiB" in guest and "built today, never booted" in guest
    assert "broke off" in mine and "and not ended" in mine
    assert tree.split()[:2] == ["linux-6.12.9", "verified"]
    assert "signed by Greg; own:6.12.9-guest, own:mine" in tree

    data = json.loads(command("list", "--json")[0])
    first, second = (kernel["own"] for kernel in data["kernels"])
    assert (first["state"], first["linked"], first["version"]) == ("built", False, "6.12.9")
    assert first["on_disk"] > 8192 and first["used"] is None and first["sources"] == str(sources)
    assert first["record"]["compiler"] == "gcc 12.2.0"
    assert (second["state"], second["directory"]) == ("broke off", str(tmp_path / "mine"))
    (listed,) = data["trees"]
    assert listed["needed_by"] == ["own:6.12.9-guest", "own:mine"] and listed["verified"] is True
    assert listed["size"] > 50_000


def test_show_tells_all_of_an_own_kernel(command: Command, sources: Path, cache: Path) -> None:
    build = make_build(own_dir() / "mine", sources)
    out, _ = command("show", "own:mine")
    shown = {line[:16].strip(): line[17:] for line in out.splitlines() if line[:16].strip()}
    assert shown["origin"] == "own" and shown["state"] == "built: built today, never booted"
    assert shown["sources"] == str(sources) and "signed by Greg Kroah-Hartman" in out
    assert "KBUILD_BUILD_USER=nobody" in out and "-j2, gcc 12.2.0" in shown["built"]
    assert shown["System.map"] == f"{build / 'System.map'}, 75 bytes, 3 symbols"
    assert shown["boot protocol"].startswith("2.15")
    data = json.loads(command("show", "mine", "--json")[0])
    assert data["own"]["state"] == "built" and data["header"]["version"].startswith(RELEASE)

    (build / "arch/x86/boot/bzImage").unlink()
    assert f"lkm kernel build -O {build}" in command("show", "own:mine")[0]  # it is configured
    out, _ = command("show", "linux-6.12.9")
    assert "yes: signed by Greg Kroah-Hartman" in out and "own:mine" in out
    assert json.loads(command("show", "linux-6.12.9", "--json")[0])["tree"]["needed_by"] == ["own:mine"]


def test_show_tells_how_far_a_build_directory_is(command: Command, sources: Path, tmp_path: Path) -> None:
    """By its path, with a name and without one."""
    failed = make_build(tmp_path / "failed", sources, image=False, status=2)
    for named in (False, True):
        if named:
            register_own("mine", failed)
        out, _ = command("show", str(failed))
        shown = {line[:16].strip(): line[17:] for line in out.splitlines() if line[:16].strip()}
        assert shown["state"] == "failed: the last build failed: 2 errors"
        assert shown["use"] == "nothing yet" and f"lkm kernel build -O {failed}" in out
        assert json.loads(command("show", str(failed), "--json")[0])["own"]["state"] == "failed"


def test_each_that_broke_off_has_its_line(command: Command, sources: Path) -> None:
    for name in ("first", "other"):
        make_build(own_dir() / name, sources, seconds=None)
    _, err = command("list")
    for name in ("first", "other"):
        assert f"hint: lkm kernel build own:{name} goes on with it\n" in err


def test_remove_tells_what_stays(command: Command, sources: Path, tmp_path: Path) -> None:
    elsewhere = make_build(tmp_path / "mine", sources)
    register_own("mine", elsewhere)
    build = make_build(own_dir() / "other", sources)

    _, err = command("remove", "linux-6.12.9", status=2)
    assert "linux-6.12.9 is what own:mine, own:other was built from" in err
    assert "hint: lkm kernel remove own:mine first; or --force" in err

    for name, place in (("other", build), ("mine", elsewhere)):  # one that is linked, too
        with locked(place / LOCK_NAME):
            assert f"own:{name} is being built now" in command("remove", name, status=2)[1]
    out, err = command("remove", "own:mine")
    assert out == "freed 0 bytes\n" and f"its build directory {elsewhere} stays (" in err
    assert f"hint: rm -r {elsewhere}" in err and (elsewhere / ".config").is_file()

    out, err = command("remove", "other")
    assert out.startswith("freed ") and f"own:other is forgotten; {build} is removed" in err
    assert not build.exists()
    register_own("lost", elsewhere.rename(tmp_path / "lost")).build.rename(tmp_path / "back")
    assert "was gone already" in command("remove", "lost")[1]

    assert json.loads(command("remove", "linux-6.12.9", "--json")[0])["freed"] > 50_000
    assert not sources.exists() and list(sources.parent.iterdir()) in (
        [],
        [sources.parent / ".linux-6.12.9.lock"],
    )
    assert "no kernel 'linux-6.12.9' in the cache" in command("remove", "linux-6.12.9", status=2)[1]


def test_sources_that_lkm_did_not_get_are_listed(command: Command, sources: Path, tmp_path: Path) -> None:
    mine = sources.rename(tmp_path / "linux-mine")
    make_build(own_dir() / "one", mine)
    assert "linux-mine" in (out := command("list")[0]) and f"{mine}, not got by lkm; own:one" in out
    data = json.loads(command("list", "--json")[0])
    assert data["other_trees"] == [{"path": str(mine), "needed_by": ["own:one"]}] and data["trees"] == []


def test_a_build_directory_elsewhere_goes_where_that_is_asked_for(
    command: Command, sources: Path, tmp_path: Path
) -> None:
    build = make_build(tmp_path / "mine", sources)
    register_own("mine", build)
    (build / ".git").mkdir()
    _, err = command("remove", "mine", "--with-directory", status=2)
    assert f"{build} is not removed: there is more in it" in err and find_own("mine") is not None
    (build / ".git").rmdir()
    with locked(build / LOCK_NAME):
        assert "is being built" in command("remove", "mine", "--with-directory", status=2)[1]
    out, err = command("remove", "mine", "--with-directory")
    assert not build.exists() and f"{build} is removed" in err and "0 bytes" not in out
    assert sources.is_dir() and find_own("mine") is None

    inside = make_build(tmp_path / "tree", sources)
    (inside / "sources").mkdir()
    (inside / "Makefile").write_text(f"include {inside}/sources/Makefile\n")
    register_own("inside", inside)
    (inside / "kept").symlink_to(sources)
    record = inside / ".lkm-build.json"
    record.write_text(record.read_text().replace(str(sources), str(inside / "sources")))
    assert "its sources are in it" in command("remove", "inside", "--with-directory", status=2)[1]
    assert (inside / ".config").is_file()


def test_a_wrong_name_to_remove_gets_the_nearest(command: Command, sources: Path) -> None:
    make_build(own_dir() / "6.12.9-guest", sources)
    for wrong, near in (
        ("linux-6.12.8", "linux-6.12.9"),
        ("6.12.9-gest", "6.12.9-guest"),
        ("own:6.12.9-gest", "own:6.12.9-guest"),
        ("nothing-like-it", ""),
    ):
        _, err = command("remove", wrong, status=2)
        assert f"hint: lkm kernel {f'remove {near}' if near else 'list'}\n" in err


def test_lines_fit_a_terminal(
    command: Command,
    sources: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = own_dir() / "6.12.9-guest-with-a-long-name"
    make_build(place, sources, seconds=None)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for words in (["list"], ["show", f"own:{place.name}"]):
        lines = click.unstyle(command(*words)[0]).splitlines()
        assert [line for line in lines if len(line) > 80 and max(map(len, line.split())) < 40] == []
    assert [line for line in lines if line.startswith("options          ")]
    assert "not ended" in command("list")[0]


def test_sources_that_are_needed_go_by_force(command: Command, sources: Path, cache: Path) -> None:
    make_build(own_dir() / "mine", sources)
    command("remove", "linux-6.12.9", "--force")
    assert not sources.exists()
    assert "are not there any more" in command("list")[0]


def test_where_they_take_much_it_is_said_what_may_go(
    command: Command, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "hint" not in command("list")[1]
    monkeypatch.setattr(kernel_own, "MUCH", 1000)
    assert "hint: lkm kernel remove linux-6.12.9" in command("list")[1]
    make_build(own_dir() / "mine", sources)
    _, err = command("list")
    assert "own kernels and sources take " in err and "hint: lkm kernel remove own:mine" in err


def test_one_that_is_not_built_to_its_end_says_how_to_go_on(
    sources: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = make_build(own_dir() / "mine", sources, image=False, seconds=None)
    for name in ("own:mine", str(build)):
        with pytest.raises(BadInputError, match=f"{name} is configured, but not built yet") as caught:
            find_image(find_kernel(name, need_build=False))
        assert caught.value.hint == f"lkm kernel build -O {build}"
        (build / ".lkm-build.log").touch()
        with pytest.raises(BadInputError, match=f"{name} is not built to its end"):
            find_image(find_kernel(name, need_build=False))
        (build / ".lkm-build.log").unlink()
        with locked(build / LOCK_NAME), pytest.raises(BadInputError, match=f"{name} is being built now"):
            find_image(find_kernel(name, need_build=False))
    (build / "System.map").unlink()
    assert run_command(["map", "--kernel", str(build), "start_kernel"]) == 1
    assert f"{build} is configured, but not built yet" in capsys.readouterr().err
