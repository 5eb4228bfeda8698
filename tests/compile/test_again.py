# SPDX-License-Identifier: MIT
"""A recorded build is one that came to its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_maker import make_build, make_sources

from lkm.cli import run_command
from lkm.compile.again import read_recipe
from lkm.errors import BadInputError
from lkm.kernel.own import LOCK_NAME, own_dir
from lkm.paths import locked


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources in a cache of this test's own."""
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    return make_sources()


def test_one_that_did_not_end_is_not_done_again(sources: Path, tmp_path: Path) -> None:
    build = make_build(tmp_path / "b", sources, seconds=None)
    for path in (build, build / ".lkm-build.json"):
        with pytest.raises(BadInputError, match="did not come to its end") as caught:
            read_recipe(path)
        assert caught.value.hint == f"lkm kernel build -O {build} goes on with it"
        with locked(build / LOCK_NAME), pytest.raises(BadInputError, match="is still going on"):
            read_recipe(path)
    assert run_command(["kernel", "build", "--from-record", str(build)]) == 1
    assert not own_dir().exists()  # nothing was begun


def test_the_commands_that_do_it_again(
    sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sources that are here are not got."""
    build = make_build(tmp_path / "b", sources)
    argv = ["kernel", "build", "--from-record", str(build), "-O", str(tmp_path / "c"), "--dry-run"]
    assert run_command(argv) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == f"mkdir -p {tmp_path}/c && jq -r .config {build}/.lkm-build.json > {tmp_path}/c/.config"
    assert last == f"make -C {sources} O={tmp_path}/c KBUILD_BUILD_USER=nobody -j2"
    sources.rename(tmp_path / "away")
    assert run_command(argv) == 0
    assert capsys.readouterr().out.startswith("lkm kernel get 6.12.9\n")
