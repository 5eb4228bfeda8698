# SPDX-License-Identifier: MIT
"""Two kernels' boots side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from boot_logs import recorded_boot

from lkm.boot import Boot, compare_boots
from lkm.show.boot import comparison_json, format_comparison


def scaled(boot: Boot, factor: float) -> Boot:
    phases = tuple(replace(one, start=one.start * factor, end=one.end * factor) for one in boot.phases)
    calls = tuple(replace(one, seconds=one.seconds * factor) for one in boot.initcalls)
    return replace(boot, total=boot.total * factor, phases=phases, initcalls=calls)


def test_medians_ratio_and_noise(tmp_path: Path) -> None:
    boot = recorded_boot("debian-7.3", tmp_path)
    found = compare_boots(
        [scaled(boot, factor) for factor in (1.0, 1.1, 5.0)],
        [scaled(boot, factor) for factor in (2.0, 2.2, 2.3)],
    )
    assert found.boots == 3
    assert found.total.ratio == pytest.approx(2.0)
    assert found.before.total == pytest.approx(1.1 * boot.total)
    assert found.noise == pytest.approx((5.0 - 1.1) / 1.1)
    assert all(one.ratio == pytest.approx(2.0) for one in found.phases if one.before)
    assert found.initcalls[0].name == "acpi_init"
    assert found.initcalls[0].seconds == pytest.approx(1.1 * 0.564777 * 1.36206, rel=1e-3)
    text = "\n".join(format_comparison(found))
    assert "2.00 times" in text and "within what they vary" in text and "acpi_init" in text


def test_one_boot_each_says_nothing_of_chance(tmp_path: Path) -> None:
    boot = recorded_boot("debian-7.3", tmp_path)
    found = compare_boots([boot], [scaled(boot, 1.01)])
    text = " ".join(format_comparison(found))
    assert found.noise is None and comparison_json(found)["noise"] is None
    assert "not known" in text and "0%" not in text and "within" not in text


def test_what_one_kernel_has_not_is_told(tmp_path: Path) -> None:
    one, two = recorded_boot("debian-7.3", tmp_path), recorded_boot("own-6.12-steps", tmp_path)
    found = compare_boots([one], [two])
    by_name = {item.name: item for item in found.initcalls}
    assert by_name["acpi_init"].after is None and by_name["acpi_init"].ratio is None
    assert by_name["chr_dev_init"].before and by_name["chr_dev_init"].after
    for width in (80, 120):
        lines = list(format_comparison(found, width=width))
        assert max(map(len, lines)) <= width
    assert comparison_json(found)["total"]["ratio"] == pytest.approx(two.total / one.total)
    smp = next(item for item in found.phases if item.name == "smp")
    assert smp.after is None
