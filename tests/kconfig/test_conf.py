# SPDX-License-Identifier: MIT
"""The kernel's own conf, begun early: what it is asked in the end, and that none is left running."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.errors import BadInputError, OutOfTimeError
from lkm.kconfig.conf import Settler
from lkm.kconfig.index import Index
from lkm.kconfig.tree import Tree
from lkm.kconfig.why import explain, explain_option

pytestmark = pytest.mark.fetch
Small = Callable[..., tuple[Index, Path]]

KCONFIG = 'yes = $(shell,echo y)\nconfig A\n\tbool "a"\nconfig B\n\tbool "b"\n\tdepends on A && $(yes)\n'


def running(conf: Path) -> list[str]:
    """The processes whose program, or script, is `conf`."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(conf) in words:
            found.append(place.name)
    return found


def awaited(conf: Path) -> list[str]:
    """The same; while a program takes another's place, it has no words for a moment."""
    until = time.monotonic() + 60
    while not (found := running(conf)) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def left(output: Path, tmp_path: Path) -> list[str]:
    """What is left of conf: processes, and directories it worked in."""
    works = (tmp_path / "cache/kconfig").glob(".settle-*")
    return [*running(output / "scripts/kconfig/conf"), *map(str, works)]


def replace_conf(output: Path, script: str) -> None:
    conf = output / "scripts/kconfig/conf"
    conf.unlink()
    conf.write_text(f"#!/bin/sh\n{script}\n")
    conf.chmod(0o755)


def forget(index: Index, tmp_path: Path) -> Tree:
    """The tree, as on a machine that has not seen it."""
    index.close()
    shutil.rmtree(tmp_path / "cache")
    return index.tree


def test_one_that_reads_along_says_the_same(small: Small, tmp_path: Path) -> None:
    index, output = small(KCONFIG)
    known = explain_option(index, output, "B")
    assert known.change is not None and known.change.proved
    first, again = explain(forget(index, tmp_path), output, "B")
    assert first == known
    assert again.flat.read_text().count("config ") == 2
    assert left(output, tmp_path) == []


def test_one_begun_for_nothing_is_ended(small: Small, tmp_path: Path) -> None:
    index, output = small(KCONFIG)
    conf = output / "scripts/kconfig/conf"
    with Settler(index.tree, output) as settler:
        settler.begin(index.flat)
        settler.begin(index.flat)
        assert len(awaited(conf)) == 1
    assert left(output, tmp_path) == []
    with pytest.raises(KeyboardInterrupt), Settler(index.tree, output) as settler:
        sink = settler.begin_piped()
        assert sink is not None and len(awaited(conf)) == 1
        os.close(sink)
        raise KeyboardInterrupt
    assert left(output, tmp_path) == []


def test_each_question_has_a_conf_of_its_own(small: Small, tmp_path: Path) -> None:
    index, output = small(KCONFIG)
    with Settler(index.tree, output) as settler:
        settler.begin(index.flat)
        assert settler.settle(index.flat, "CONFIG_A=y\n") == {"A": "y", "B": "n"}
        assert settler.settle(index.flat, "CONFIG_A=y\nCONFIG_B=y\n") == {"A": "y", "B": "y"}
    assert left(output, tmp_path) == []


def test_a_second_proposal_is_tried_where_the_first_is_not_proved(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, output = small(KCONFIG)
    ways = [{"B": "y"}, {"A": "y", "B": "y"}]
    monkeypatch.setattr("lkm.kconfig.why.Search.raise_to", lambda *_: ways)
    change = explain(forget(index, tmp_path), output, "B")[0].change
    assert change is not None and change.proved
    assert " ".join(map(str, change.settings)) == "A=y B=y"
    assert left(output, tmp_path) == []


def test_files_that_cannot_be_read_end_the_conf_that_waits_for_them(small: Small, tmp_path: Path) -> None:
    index, output = small(KCONFIG)
    tree = forget(index, tmp_path)
    (tree.path / "Kconfig").write_text(KCONFIG + 'config C\n\tbool "c"\n\tgibberish here\n')
    with pytest.raises(BadInputError, match="Kconfig:9"):
        explain(tree, output, "B")
    assert left(output, tmp_path) == []


@pytest.mark.parametrize(
    "script", ["echo no such thing >&2; exit 3", "cat $3 >/dev/null; echo no such thing; exit 1"]
)
def test_a_conf_that_fails_is_told_with_its_words(small: Small, tmp_path: Path, script: str) -> None:
    index, output = small(KCONFIG)
    tree = forget(index, tmp_path)
    replace_conf(output, script)
    with pytest.raises(BadInputError, match=r"(?s)conf refuses the configuration: .*no such thing"):
        explain(tree, output, "B")
    assert left(output, tmp_path) == []


def test_a_conf_that_writes_nothing_is_no_answer(small: Small, tmp_path: Path) -> None:
    index, output = small(KCONFIG)
    replace_conf(output, "cat >/dev/null")
    with pytest.raises(BadInputError, match="conf refuses"):
        explain_option(index, output, "B")


def test_a_conf_that_does_not_end_is_ended(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, output = small(KCONFIG)
    tree = forget(index, tmp_path)
    replace_conf(output, "cat $3 >/dev/null; cat >/dev/null; sleep 600")
    monkeypatch.setattr("lkm.kconfig.conf._TIMEOUT", 1.0)
    with pytest.raises(OutOfTimeError):
        explain(tree, output, "B")
    assert left(output, tmp_path) == []
