# SPDX-License-Identifier: MIT
"""Memory that each load and unload leaves behind: seen to the byte, with who allocated it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import lkm
from lkm.errors import UsageError
from lkm.kernel import Kernel
from lkm.leftovers.cycles import Cycles, Growth, cycles_cmdline, fold_growths

pytestmark = pytest.mark.guest

MODULES = Path(__file__).parent / "modules"


def cycle(kernel: Kernel, path: Path, count: int) -> Cycles:
    result = lkm.run(path, kernel=kernel, job=lkm.Job(cycles=count))
    assert result.ok, (result.outcome, result.hint)
    assert result.cycles is not None
    assert (result.cycles.asked, result.cycles.done) == (count, count)
    assert len([one for one in result.log if "loading out-of-tree" in one.text]) <= 1, (
        "only the first is told"
    )
    return result.cycles


@pytest.mark.parametrize(
    ("name", "count", "where", "size"),
    [
        ("left_small", 5, "kmalloc-8", 8),
        ("left_vmalloc", 12, "vmalloc", 5 * 4096),
        ("left_pages", 40, "pages", 2 * 4096),
        ("left_percpu", 12, "per-processor memory", 8),
    ],
)
def test_what_is_lost_each_time(
    kernel: Kernel, forgetful: Mapping[str, Path], name: str, *, count: int, where: str, size: int
) -> None:
    found = cycle(kernel, forgetful[name], count)
    assert found.tracked
    assert [(one.where, one.size) for one in found.growths] == [(where, size)]
    if where in ("kmalloc-8", "vmalloc"):
        (one,) = found.growths
        assert one.site.startswith(f"{name}_init+0x") and one.site.endswith(f" [{name}]")
        source = (MODULES / f"{name}.c").read_text().splitlines()
        assert "alloc(" in source[int(one.source.removeprefix(f"{name}.c:")) - 1]


@pytest.mark.parametrize("count", [5, 100])
def test_a_clean_module_is_clean(kernel: Kernel, forgetful: Mapping[str, Path], count: int) -> None:
    assert cycle(kernel, forgetful["clean_all"], count).growths == ()


def test_too_few_cycles_are_wrong_use(kernel: Kernel, forgetful: Mapping[str, Path]) -> None:
    with pytest.raises(UsageError):
        lkm.run(forgetful["clean_all"], kernel=kernel, job=lkm.Job(cycles=4))
    with pytest.raises(UsageError):
        lkm.run(forgetful["clean_all"], kernel=kernel, job=lkm.Job(cycles=5, unload=False))


def test_a_cycle_that_goes_wrong_ends_them(kernel: Kernel, forgetful: Mapping[str, Path]) -> None:
    command = "test ! -e /tmp/3 || exit 1; n=$(ls /tmp | wc -l); touch /tmp/$((n + 1))"
    job = lkm.Job(cycles=9, command=command)
    result = lkm.run(forgetful["clean_all"], kernel=kernel, job=job)
    assert result.outcome is lkm.Outcome.EXEC_FAILED
    assert result.cycles is not None
    assert (result.cycles.done, result.cycles.growths) == (3, ())


def test_the_command_line_asks_for_it_once(kernel: Kernel, tmp_path: Path) -> None:
    assert cycles_cmdline("", kernel) == "slub_debug=U"
    assert cycles_cmdline("quiet", kernel) == "quiet slub_debug=U"
    assert cycles_cmdline("slab_debug=FZP", kernel) == "slab_debug=FZP"
    (tmp_path / "config").write_text("CONFIG_SLUB_DEBUG=y\nCONFIG_KASAN=y\n")
    assert cycles_cmdline("quiet", replace(kernel, config=tmp_path / "config")) == "quiet"


def test_one_place_is_told_once() -> None:
    area = Growth("vmalloc", 4096, 1, "hello_init+0x5 [hello]")
    kept = fold_growths(
        [
            area,
            Growth("kmalloc-64", 64, 1, area.site),
            Growth("vmap_area", 64, 1, area.site),
            Growth("pages", 8, 0),
        ]
    )
    assert [(one.where, one.also) for one in kept] == [
        ("vmalloc", ("kmalloc-64", "vmap_area")),
        ("pages", ()),
    ]
    assert "; with it kmalloc-64, vmap_area" in kept[0].text
