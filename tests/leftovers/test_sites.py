# SPDX-License-Identifier: MIT
"""Who allocated: the kernel's file, and places in modules that are gone."""

from __future__ import annotations

from lkm.leftovers.place import Place
from lkm.leftovers.sites import Namer, bare_address, parse_traces

TRACES = """     40 0xffffffffc020701b age=79/104/141 pid=78
        kmalloc_trace+0x26/0x90
        0xffffffffc020701b
        do_one_initcall+0x59/0x220

      4 pci_alloc_dev+0x20/0x90 waste=5888/1472 age=622/623/625 pid=1
        kmalloc_trace+0x26/0x90
        pci_alloc_dev+0x20/0x90

      2 0xffffffffc0201010 age=1
"""


def test_traces() -> None:
    own, other, old = parse_traces(TRACES)
    assert (own.count, own.own, own.frames[0]) == (40, 0xFFFFFFFFC020701B, "kmalloc_trace+0x26/0x90")
    assert (other.count, other.own) == (4, 0)
    assert (old.count, old.frames) == (2, ("0xffffffffc0201010",)), "before 5.19 there is no trace"
    assert parse_traces("") == parse_traces("no such file") == []


def test_only_addresses_of_modules_count() -> None:
    assert bare_address("0xffffffffc0201010") == 0xFFFFFFFFC0201010
    assert bare_address("0xffffffff81201010") == 0
    assert bare_address("hello_init+0x5/0x10 [hello]") == 0


def test_places_are_named_wherever_the_module_lay() -> None:
    base = 0xFFFFFFFFC0200000
    one = Place("hello", ((base, base + 0x1000),), ((base, "hello_tick"), (base + 0x40, "hello_open")))
    two = Place("hello", ((base + 0x9000, base + 0xA000),), ((base + 0x9000, "hello_tick"),))
    namer = Namer({}, [one, two])
    assert namer.name(base + 0x45) == "hello_open+0x5 [hello]"
    assert namer.name(base + 0x9007) == "hello_tick+0x7 [hello]"
    assert namer.name(base + 0x5000) == hex(base + 0x5000)
    assert namer.frames(("kfree+0x1/0x2", hex(base))) == ("kfree+0x1/0x2", "hello_tick [hello]")
