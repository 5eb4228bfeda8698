# SPDX-License-Identifier: MIT
"""Two kernels' boots side by side, as a picture and as a page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from boot_logs import recorded_boot

from lkm.boot import Comparison, compare_boots
from lkm.show.boot import format_duration
from lkm.show.boot_compare import comparison_html, comparison_svg

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    return compare_boots([recorded_boot("debian-7.3", tmp_path)], [recorded_boot("own-6.12-steps", tmp_path)])


def _bars(text: str) -> dict[str, float]:
    """Title of each row: how long its bar is."""
    groups = ElementTree.fromstring(text).iter(f"{_SVG}g")
    rows = {group.findtext(f"{_SVG}title", ""): group.find(f"{_SVG}rect") for group in groups}
    return {name: float(bar.get("width", "")) for name, bar in rows.items() if bar is not None}


def test_a_phase_has_a_bar_for_either_kernel_on_one_scale(comparison: Comparison) -> None:
    bars = _bars(comparison_svg(comparison))
    titles = {one.name: one.title for boot in (comparison.before, comparison.after) for one in boot.phases}
    longest = max(max(one.before or 0, one.after or 0) for one in comparison.phases)
    full = max(bars[name] for name in bars if name.partition(",")[0] in titles.values())
    for one in comparison.phases:
        for letter, seconds in (("A", one.before), ("B", one.after)):
            took = "-" if seconds is None else format_duration(seconds)
            size = bars[f"{titles[one.name]}, {letter}: {took}"]
            assert size == pytest.approx(max(seconds / longest * full, 1.5) if seconds else 0, abs=0.2)
    assert any(name.startswith("acpi_init, A: ") for name in bars) and bars["acpi_init, B: -"] == 0


def test_the_page_is_whole_and_says_which_is_which(comparison: Comparison) -> None:
    text = comparison_html(comparison)
    for boot in (comparison.before, comparison.after):
        assert boot.release in text and boot.kernel in text
    assert "times as long as A" in text and "--repeat 3 tells it" in text and "acpi_init" in text
    for tag in ("table", "tr", "td", "figure", "svg"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag
    outside = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|<script|<link|@import|url\(", outside)


def test_names_are_shown_and_not_obeyed(comparison: Comparison) -> None:
    evil = replace(comparison, before=replace(comparison.before, kernel='<script>"&'))
    assert '<script>"&, ' in "".join(ElementTree.fromstring(comparison_svg(evil)).itertext())
    assert "<script" not in comparison_html(evil)
