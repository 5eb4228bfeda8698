# SPDX-License-Identifier: MIT
"""What a module's sections cost, for a person: the sums agree, the bars fit the terminal."""

from pathlib import Path

import pytest
from elf_builder import Name, Piece, build_module

from lkm.elf import BytesSource
from lkm.module import Module, parse_module
from lkm.show.info import info_lines
from lkm.show.sections import sections_lines


@pytest.fixture
def module() -> Module:
    """One with 55 + 8 bytes that are freed, and a gap of one between them."""
    data = build_module(
        pieces=[
            Piece(".text", bytes(4000), flags=6),
            Piece(".init.text", bytes(55), flags=6),
            Piece(".init.data", bytes(8), flags=3),
            Piece(".exit.text", bytes(20), flags=6),
        ],
        names=[
            Name("begin", ".init.text", 0, 55, type=2, binding=0),
            Name("init_module", ".init.text", 0, 55, type=2),
        ],
    )
    return parse_module(BytesSource(data, name="x.ko"), path=Path("x.ko"))


def test_what_is_freed_is_the_same_in_info_and_sections(module: Module) -> None:
    told = "\n".join(sections_lines(module))
    assert ", 64 for init only" in told
    assert "freed after init: 63 bytes, 64 with the gaps of alignment" in told
    assert any("64 freed after init" in line for line in info_lines(module))
    assert "begin() 55 (also init_module)" in told


@pytest.mark.parametrize("width", [80, 120])
def test_the_bars_fit_the_terminal(module: Module, width: int) -> None:
    table = [line for line in sections_lines(module, width=width) if line.startswith("  text")]
    assert table and all(len(line) <= width for line in table)
