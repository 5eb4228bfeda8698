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


MEMINFO = "MemTotal:  1000 kB\nMemFree:  300 kB\nCached:  100 kB\nSlab:  200 kB\nUnheardOf: 50 kB\n\n"
ZONEINFO = """Node 0, zone    DMA32
  per-node stats
      nr_inactive_anon 507
  pages free     60
        boost    0
        min      417
      nr_free_pages 60
      nr_free_cma  0
  pagesets
    cpu: 0
              count: 10
              high:  521
    cpu: 1
              count: 5
Node 0, zone   Normal
  pages free     0
"""


def test_pages_that_nobody_counts() -> None:
    assert parse_pages(MEMINFO, ZONEINFO, mapped_stacks=True) == 700 * 1024 - 75 * 4096


def test_what_a_processor_gives_back_meanwhile_does_not_count() -> None:
    given = ZONEINFO.replace("count: 10", "count: 2").replace("free     60", "free     68")
    assert parse_pages(MEMINFO, given, mapped_stacks=True) == parse_pages(
        MEMINFO, ZONEINFO, mapped_stacks=True
    )


def test_stacks_of_processes_are_counted_once() -> None:
    stacks = MEMINFO + "KernelStack:  160 kB\nVmallocUsed:  160 kB\n"
    without = parse_pages(MEMINFO, ZONEINFO, mapped_stacks=True)
    assert parse_pages(stacks, ZONEINFO, mapped_stacks=True) == without - 160 * 1024
    assert parse_pages(stacks, ZONEINFO, mapped_stacks=False) == without - 320 * 1024
