# SPDX-License-Identifier: MIT
"""A boot as lines, as a picture and as a page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from boot_logs import recorded_boot

from lkm.boot import Boot, Initcall
from lkm.show.boot import boot_json, format_bar, format_boot, format_duration, origin
from lkm.show.boot_html import boot_html
from lkm.show.boot_svg import boot_svg

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    return recorded_boot("debian-7.3", tmp_path)


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_and_have_every_phase(boot: Boot, width: int) -> None:
    lines = list(format_boot(boot, width=width))
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for phase in boot.phases:
        assert f"{phase.start:8.3f}" in text and phase.title in text
    assert "4412 KiB  Freeing unused kernel image (initmem) memory" in text
    assert re.search(r"acpi_init +subsys +acpi, line 1510", text)
    assert "\x1b" not in text and "\x1b[" in "\n".join(format_boot(boot, color=True))
    assert "What happens there" not in "\n".join(format_boot(boot, brief=True))


def test_bars_are_in_proportion() -> None:
    assert format_bar(0, 5, 10, 40) == "█" * 20
    assert format_bar(5, 5, 10, 40) == " " * 20 + "█" * 20
    assert format_bar(10, 0, 10, 40).strip() == "▏"
    assert len(format_bar(9.99, 3, 10, 40)) <= 40
    assert format_bar(1, 1, 0, 40) == ""


def test_durations_have_the_unit_that_suits() -> None:
    assert [format_duration(one) for one in (2.3149, 0.1532, 0.0024, 0.00008)] == [
        "2.31 s",
        "153 ms",
        "2.4 ms",
        "80 µs",
    ]


def test_picture_is_svg_with_bars_in_proportion_and_nothing_from_elsewhere(boot: Boot) -> None:
    text = boot_svg(boot)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{_SVG}svg" and root.get("role") == "img" and root.get("aria-label")
    bars = {
        group.findtext(f"{_SVG}title", "").partition(":")[0]: group.find(f"{_SVG}rect")
        for group in root.iter(f"{_SVG}g")
    }
    unpack, console = bars["Decompression"], bars["Initcalls"]
    assert unpack is not None and console is not None
    phase = next(one for one in boot.phases if one.name == "decompress")
    scale = float(unpack.get("width", "0")) / phase.seconds
    assert float(unpack.get("x", "0")) == pytest.approx(302 + phase.start * scale, abs=0.2)
    _self_contained(text)


def test_page_is_whole_and_has_nothing_from_elsewhere(boot: Boot) -> None:
    text = boot_html(boot)
    for phase in boot.phases:
        assert phase.title in text and phase.what.split(". ")[0].replace("'", "&#x27;") in text
    assert "acpi_init" in text and "4412 KiB" in text and "Run /init as init process" in text
    for tag in ("table", "tr", "td", "details", "figure", "svg", "small"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag
    _self_contained(text)


def _self_contained(text: str) -> None:
    assert "prefers-color-scheme" in text
    outside = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|<script|<link|@import|url\(", outside)


def test_names_are_shown_and_not_obeyed(boot: Boot) -> None:
    evil = replace(
        boot,
        kernel='<script>"&',
        initcalls=(Initcall("<b>&", "fs", 0.0, 1.0, 0, '"<i>', 1, "<u>.c"), *boot.initcalls),
    )
    ElementTree.fromstring(boot_svg(evil))
    assert "<script" not in boot_html(evil) and "<b>" not in boot_html(evil) and "<u>" not in boot_html(evil)


def test_a_boot_without_initcalls_and_one_that_took_no_time_are_shown(boot: Boot) -> None:
    bare = replace(boot, initcalls=(), freed=(), total=0.0, log=())
    assert list(format_boot(bare)) and ElementTree.fromstring(boot_svg(bare)) is not None and boot_html(bare)


def test_a_clock_that_runs_wrong_is_told(boot: Boot) -> None:
    assert "runs 0.73 times as fast" in "\n".join(format_boot(boot, width=200))
    right = replace(boot, clock_rate=1.01, clock=1.5)
    assert "begins 1.50 s after power-on" in "\n".join(format_boot(right, width=200))


def test_what_a_watched_boot_costs_is_said_only_where_it_costs(boot: Boot) -> None:
    def note(plain: float) -> str:
        text = " ".join(format_boot(replace(boot, plain_total=plain)))
        return next(part for part in text.split("Unwatched")[1:])

    assert "translates its code anew" in note(boot.total - 0.5)
    assert "anew" not in note(boot.total + 0.5)


def test_a_clock_that_ticks_does_not_say_that_nothing_took_any_time(boot: Boot) -> None:
    calls = (Initcall("a_init", "core", 0.01, 0.0, 0), Initcall("b_init", "core", 0.03, 0.02, 0))
    ticking = replace(boot, initcalls=(*calls, Initcall("c_init", "late", 0.05, 0.0, 0)))
    text = "\n".join(format_boot(ticking))
    assert re.search(r"late +1 +< 10 ms", text) and re.search(r"< 10 ms +a_init", text)
    assert "0 µs" not in text and "&lt; 10 ms" in boot_html(ticking)
    exact = replace(boot, initcalls=(*calls, Initcall("c_init", "late", 0.050001, 0.0, 0)))
    assert re.search(r"late +1 +0 µs", "\n".join(format_boot(exact)))


def test_a_path_that_is_too_long_is_cut_with_a_sign(boot: Boot) -> None:
    call = replace(boot.initcalls[0], source=f"drivers/{'very/' * 20}long.c", line=7, seconds=9.0)
    lines = list(format_boot(replace(boot, initcalls=(call, *boot.initcalls[1:]))))
    assert any(line.endswith("…") and "drivers/very" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_where_a_function_is_from_is_a_file(boot: Boot) -> None:
    def shown(source: str, line: int = 0) -> str:
        return origin(replace(boot.initcalls[0], source=source, module="m", line=line))

    assert shown("drivers/tty/pty.c", 947) == "drivers/tty/pty.c:947"
    assert shown("kernel/drivers/tty/serial/8250/8250.ko") == "drivers/tty/serial/8250/8250.o"
    assert shown("", 7) == "m, line 7"


def test_json_has_the_documented_parts(boot: Boot) -> None:
    value = boot_json(boot)
    assert value["schema"] == 1 and value["ok"] is True
    assert {
        "phases",
        "initcalls",
        "freed",
        "total",
        "debug_total",
        "clock",
        "image",
        "log",
        "unknown",
    } <= set(value)
    assert {"debug_total", "plain_total"} <= set(value)
    assert value["phases"][0]["name"] == "firmware" and value["phases"][0]["seconds"] > 0
