# SPDX-License-Identifier: MIT
"""What sections are for and cost."""

import pytest
from elf_builder import Name, Piece, build_module

from lkm.elf import parse_elf
from lkm.module.layout import Kind, read_layout

WRITE, ALLOC, CODE = 1, 2, 4


@pytest.mark.parametrize(("bits", "little"), [(64, True), (32, False)])
def test_each_section_has_its_kind(bits: int, little: bool) -> None:
    data = build_module(
        pieces=[
            Piece(".text", bytes(100), flags=ALLOC | CODE),
            Piece(".init.text", bytes(10), flags=ALLOC | CODE),
            Piece(".exit.text", bytes(20), flags=ALLOC | CODE),
            Piece(".init.data", bytes(30), flags=ALLOC | WRITE),
            Piece(".init.rodata", bytes(5), flags=ALLOC),
            Piece(".exit.data", bytes(8), flags=ALLOC | WRITE),
            Piece(".rodata", bytes(40), flags=ALLOC),
            Piece(".data..ro_after_init", bytes(16), flags=ALLOC | WRITE),
            Piece(".data..percpu", bytes(64), flags=ALLOC | WRITE),
            Piece(".data", bytes(12), flags=ALLOC | WRITE),
            Piece(".bss", zeros=5000, flags=ALLOC | WRITE),
            Piece(".comment", b"GCC\0", flags=0),
        ],
        names=[
            Name("go", ".init.text", 0, 10, type=2, binding=0),
            Name("init_module", ".init.text", 0, 10, type=2),
            Name("big", ".bss", 0, 5000, type=1),
        ],
        bits=bits,
        little=little,
    )
    layout = read_layout(parse_elf(data))
    kinds = {part.section: part.kind for part in layout.parts}
    assert kinds[".text"] is Kind.TEXT
    assert kinds[".init.text"] is Kind.INIT_TEXT
    assert kinds[".init.rodata"] is Kind.INIT_DATA
    assert kinds[".exit.text"] is Kind.EXIT_TEXT
    assert kinds[".exit.data"] is Kind.EXIT_DATA
    assert kinds[".data..ro_after_init"] is Kind.AFTER_INIT
    assert kinds[".data..percpu"] is Kind.PER_CPU
    assert kinds[".bss"] is Kind.ZERO
    assert kinds[".modinfo"] is Kind.NOT_LOADED
    assert kinds[".comment"] is Kind.NOT_LOADED
    assert layout.per_cpu == 64
    assert layout.size_of(Kind.INIT_TEXT, Kind.INIT_DATA) == 45
    assert 45 <= layout.init < 60
    # text and exit text; rodata; ro after init; data, bss, exit data and this_module
    assert layout.pages == 4096 * (1 + 1 + 1 + 2)
    (init,) = [part for part in layout.parts if part.section == ".init.text"]
    assert [(one.name, one.size, one.also) for one in init.functions] == [("go", 10, ("init_module",))]
    (bss,) = [part for part in layout.parts if part.section == ".bss"]
    assert [(one.name, one.size) for one in bss.variables] == [("big", 5000)]
