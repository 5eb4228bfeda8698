# SPDX-License-Identifier: MIT
"""The kernel's accounts, as 6.1 writes them."""

from __future__ import annotations

from lkm.leftovers.sample import parse_areas, parse_pages, parse_slabinfo

SLABINFO = """slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit>
kmalloc-8           1477   1530     80   51    1 : tunables    0    0    0 : slabdata     30     30      0
kmalloc-4k            17     20   8192    4    8 : tunables    0    0    0 : slabdata      5      5      0
cut off
"""
AREAS = """0xffffc90000000000-0xffffc90000005000   20480 map_irq_stack+0x7d/0xf0 vmap
0xffffc900005a1000-0xffffc900005a7000   24576 0xffffffffc020600f pages=5 vmalloc N0=5
0xffffc900005b1000-0xffffc900005b7000   24576 0xffffffffc020600f pages=5 vmalloc N0=5
0xffffc900005d1000-0xffffc900005d7000   24576 unpurged vm_area
"""


def test_slabinfo() -> None:
    assert parse_slabinfo(SLABINFO) == (
        {"kmalloc-8": 1477, "kmalloc-4k": 17},
        {"kmalloc-8": 80, "kmalloc-4k": 8192},
    )
    assert parse_slabinfo("") == ({}, {})


def test_areas_without_the_page_that_guards_each() -> None:
    found = parse_areas(AREAS)
    assert found["0xffffffffc020600f"] == (2, 40960)
    assert found["map_irq_stack+0x7d/0xf0"] == (1, 16384)


def test_pages_that_nobody_counts() -> None:
    meminfo = "MemTotal:  1000 kB\nMemFree:  300 kB\nCached:  100 kB\nSlab:  200 kB\nUnheardOf: 50 kB\n\n"
    zoneinfo = "  pagesets\n    cpu: 0\n              count: 10\n              high:  30\n"
    assert parse_pages(meminfo, zoneinfo) == 400 * 1024 - 10 * 4096
