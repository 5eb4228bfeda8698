# SPDX-License-Identifier: MIT
"""The file of kmemleak, as 6.1 (addresses before the names) and 6.12 write it."""

from __future__ import annotations

from lkm.leftovers.kmemleak import parse_kmemleak

TEXT = """unreferenced object 0xffff888005c4a000 (size 64):
  comm "lkm", pid 45, jiffies 4294937296 (age 12.300s)
  hex dump (first 32 bytes):
    68 65 6c 6c 6f 00 00 00 00 00 00 00 00 00 00 00  hello...........
  backtrace:
    [<ffffffff812e3c5d>] kmalloc_trace+0x1ad/0x250
    [<ffffffffc020302a>] 0xffffffffc020302a
    [<ffffffff81001b98>] do_one_initcall+0x58/0x310
unreferenced object 0xffff888005c4a040 (size 32):
  comm "lkm", pid 45, jiffies 4294937297
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace (crc 0):
    __kmalloc_cache_noprof+0x1ad/0x250
    0xffffffffa000204a
unreferenced object 0xffff888005c4a080 (si"""


def test_objects_and_who_allocated_them() -> None:
    old, new = parse_kmemleak(TEXT)
    assert (old.size, new.size) == (64, 32)
    assert old.frames[:2] == ("kmalloc_trace+0x1ad/0x250", "0xffffffffc020302a")
    assert new.frames == ("__kmalloc_cache_noprof+0x1ad/0x250", "0xffffffffa000204a")


def test_nothing() -> None:
    assert parse_kmemleak("") == []
